# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The options of type=nginx."""

from __future__ import annotations

from ansible_collections.steady.rollout.plugins.module_utils.balancers.options import member_parameters, routing_files
from ansible_collections.steady.rollout.plugins.module_utils.typed_options import Options, option

POOL = "For V(nginx) an upstream."
OPTIONS: Options = {
    "upstream_file": option(
        "The file of nginx's configuration that holds the upstream, with all its C(server) lines. A change edits those "
        "lines only, has nginx check its configuration, reloads it and waits until the old workers take nothing more.",
        "A member's name is the address in its line, or what a comment behind the line says, as C(# member=app1).",
        "nginx has one way to take a server out, C(down). V(maintenance) and a weight of 0 are distinguished by a word in that comment.",
        "A drain also waits for clients that were connected before the reload and have not sent their whole request. "
        "C(worker_shutdown_timeout) in nginx's configuration bounds that.",
        "The module runs on nginx's host, as a user that may reload it and see its connections, normally root.",
        type="path",
    ),
    "pid_file": option(
        "Where nginx keeps the process id of its master, otherwise V(/run/nginx.pid).",
        type="path",
    ),
    "member_parameters": member_parameters(
        "For V(nginx), parameters of a C(server) line, such as V(max_fails=3 fail_timeout=5s).",
    ),
    **routing_files(
        "For V(nginx) a file with a C(map) of the header or cookie (C($http_x_canary), C($cookie_canary)) whose lines are "
        "upstreams. Only those lines are edited; C(default) is O(balancer.pool) where there are several maps.",
        "For V(nginx) a file of its own, to be included in a C(server) block; the page's text is kept beside it.",
    ),
}
