# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The options of type=flagsmith."""

from __future__ import annotations

from ansible_collections.steady.rollout.plugins.module_utils.typed_options import Options, option

OPTIONS: Options = {
    "url": option("For V(flagsmith) the address of its API if it is another one than V(https://api.flagsmith.com)."),
    "token": option("For V(flagsmith) an organisation's API key; the key of an environment cannot.", no_log=True),
    "project": option("For V(flagsmith) the project's number.", default="default"),
    "environment": option("For V(flagsmith) the environment's client-side key.", default="production"),
    "ca_path": option("File or directory of certificate authorities to trust as well.", type="path"),
    "validate_certs": option("Whether the server's certificate is checked.", type="bool", default=True),
}
