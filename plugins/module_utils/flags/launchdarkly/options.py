# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The options of type=launchdarkly."""

from __future__ import annotations

from ansible_collections.steady.rollout.plugins.module_utils.typed_options import Options, option

OPTIONS: Options = {
    "url": option(
        "For V(launchdarkly) the address of its API if it is another one than V(https://app.launchdarkly.com), such as "
        "V(https://app.eu.launchdarkly.com)."
    ),
    "token": option("For V(launchdarkly) an access token that may write; an SDK key cannot.", no_log=True),
    "project": option("For V(launchdarkly) the project's key.", default="default"),
    "environment": option("For V(launchdarkly) the environment's key.", default="production"),
    "ca_path": option("File or directory of certificate authorities to trust as well.", type="path"),
    "validate_certs": option("Whether the server's certificate is checked.", type="bool", default=True),
}
