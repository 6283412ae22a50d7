# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The options of type=redis."""

from __future__ import annotations

from ansible_collections.steady.rollout.plugins.module_utils.typed_options import Options, option

OPTIONS: Options = {
    "address": option(
        "For V(redis) host and port of the server that takes writes, such as V(10.0.0.5:6379), or the path of its socket.",
    ),
    "user": option("For V(redis) the user, if it is not the default one."),
    "password": option(
        "For V(redis) the password. Without it the environment variable E(STEADY_ROLLOUT_FLAG_PASSWORD).", no_log=True
    ),
    "database": option("For V(redis) the number of the database.", type="int", default=0),
    "prefix": option(
        "For V(redis) what all keys begin with. The keys are C(feature:NAME) (C(on) or C(off)), C(rollout_percentage:NAME), "
        "C(kill_switch:NAME), C(kill_switch:NAME:reason), C(kill_switch:NAME:killed_at) and C(feature:NAME:about).",
        default="",
    ),
    "tls": option("For V(redis) whether the connection is encrypted.", type="bool", default=False),
    "ca_path": option("File or directory of certificate authorities to trust as well.", type="path"),
    "validate_certs": option("Whether the server's certificate is checked.", type="bool", default=True),
}
