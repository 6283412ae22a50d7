# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The options of type=unleash."""

from __future__ import annotations

from ansible_collections.steady.rollout.plugins.module_utils.typed_options import Options, option

OPTIONS: Options = {
    "url": option("For V(unleash) the server's address, such as V(https://unleash.example.com), without C(/api)."),
    "token": option(
        "For V(unleash) an admin or service account token. Without it the environment variable E(STEADY_ROLLOUT_FLAG_TOKEN).",
        no_log=True,
    ),
    "project": option("For V(unleash) the project.", default="default"),
    "environment": option("For V(unleash) the environment.", default="production"),
    "application": option("For V(unleash) the application whose instances are listed as listeners."),
    "ca_path": option("File or directory of certificate authorities to trust as well.", type="path"),
    "validate_certs": option("Whether the server's certificate is checked.", type="bool", default=True),
}
