# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The options of type=apache."""

from __future__ import annotations

from ansible_collections.steady.rollout.plugins.module_utils.balancers.options import routing_files
from ansible_collections.steady.rollout.plugins.module_utils.typed_options import Options, option

POOL = "For V(apache) a balancer."
OPTIONS: Options = {
    "manager_url": option(
        "The page of Apache's C(balancer-manager), as V(http://127.0.0.1/balancer-manager).",
        "A member's name is its C(route), or its URL where it has none of its own.",
        "V(drained) keeps the clients whose cookie names the member, V(maintenance) moves them. A member that is stopped "
        "(C(S)) has weight 0.",
    ),
    "status_url": option(
        "Apache's C(server-status) page, as V(http://127.0.0.1/server-status).",
        "Apache's counters of requests in flight can stay above 0, mostly after a graceful restart. With this page a "
        "drain knows when every request that began before it is over.",
    ),
    "manager_user": option("User for these two pages, if they ask for one.", default=""),
    "manager_password": option("Password of O(balancer.manager_user).", no_log=True),
    "validate_certs": option(
        "Whether the certificate of an V(https) page of Apache must be trusted.", type="bool", default=True
    ),
    "pid_file": option(
        "For M(steady.rollout.lb_route) and M(steady.rollout.lb_page) where Apache keeps the process id of its parent, "
        "otherwise V(/run/apache2/apache2.pid) or V(/run/httpd/httpd.pid).",
        type="path",
    ),
    **routing_files(
        "For V(apache) a file of its own, written as a whole, to be included before any C(ProxyPass).",
        "For V(apache) a file of its own, to be included before any C(ProxyPass).",
    ),
}
