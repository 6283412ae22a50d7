# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Options that several types of load balancers have."""

from __future__ import annotations

from ansible_collections.steady.rollout.plugins.module_utils.typed_options import Option, Options, option

ROUTE_FILE = option(
    "For M(steady.rollout.lb_route), the file on the load balancer's host that holds its routes. It must exist and be a "
    "part of the load balancer's configuration already; the examples of the module show how.",
    type="path",
)
PAGE_FILE = option(
    "For M(steady.rollout.lb_page), the file on the load balancer's host that holds the maintenance page. It must exist "
    "and be a part of the load balancer's configuration already; the examples of the module show how.",
    type="path",
)


MEMBER_PARAMETERS = option(
    "For M(steady.rollout.lb_pool), the parameters of a new member's line, after its name and address.",
)


def member_parameters(*docs: str) -> Option:
    """The option of types whose members are lines of a configuration, with what is special to the type."""
    return Option(MEMBER_PARAMETERS.spec, (*MEMBER_PARAMETERS.docs, *docs))


def routing_files(route: str, page: str) -> Options:
    """The options of types that keep routes and pages in files, with what is special to the type."""
    return {
        "route_file": Option(ROUTE_FILE.spec, (*ROUTE_FILE.docs, route)),
        "page_file": Option(PAGE_FILE.spec, (*PAGE_FILE.docs, page)),
    }
