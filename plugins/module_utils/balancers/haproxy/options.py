# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The options of type=haproxy."""

from __future__ import annotations

from ansible_collections.steady.rollout.plugins.module_utils.balancers.options import member_parameters, routing_files
from ansible_collections.steady.rollout.plugins.module_utils.typed_options import Options, option

POOL = "For V(haproxy) a backend."
OPTIONS: Options = {
    "socket": option(
        "HAProxy's admin socket, as an absolute path, V(host:port) or V(tcp://host:port).",
        "It needs C(level admin) for anything but reading.",
    ),
    "master_socket": option(
        "The socket of HAProxy's master process (its option C(-S)), written like O(balancer.socket).",
        "With it, sessions in processes that a reload left behind are counted. They cannot be seen otherwise.",
    ),
    "state_file": option(
        "The file that HAProxy's C(server-state-file) names, on the host where the module runs.",
        "It is rewritten after every change, so that a reload neither loses a drain nor brings an old one back.",
        type="path",
    ),
    "member_parameters": member_parameters(
        "For V(haproxy), parameters of a C(server) line, such as V(check inter 1s rise 2 fall 2); V(check) if not set. Give the same "
        "as in the configuration: before HAProxy 3.0, a server added at run time inherits nothing from C(default-server).",
    ),
    **routing_files(
        "For V(haproxy) a map, which is changed in the running process and in the file. Its keys are C(header=value) and "
        "C(cookie:name=value).",
        "For V(haproxy) a map, whose keys are pools.",
    ),
}
