# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The options of type=file."""

from __future__ import annotations

from ansible_collections.steady.rollout.plugins.module_utils.typed_options import Options, option

OPTIONS: Options = {
    "path": option(
        "The file on the host where the module runs. It must exist. A symbolic link is followed if root or this user made it.",
        "For V(file) a JSON file whose flags are C(true) or C(false), or an environment file of lines such as "
        "C(CHECKOUT_V2=true). Everything else in it stays as it is.",
        type="path",
    ),
    "format": option(
        "For V(file), what the file holds. Without it V(json) where the name ends in C(.json), V(env) otherwise.",
        choices=["json", "env"],
    ),
    "section": option(
        "For V(file) and JSON, the object within the file that has the flags, such as V(features) or V(shop.features). "
        "Without it the flags are at the top.",
    ),
    "key": option(
        "For V(file), what the flag is called in the file. Without it in JSON the flag's name, in an environment file the "
        "name in capitals with C(_) for everything but letters and digits.",
        no_log=False,
    ),
    "reload": option(
        "For V(file), a command that makes the application read the file again, such as V(systemctl reload shop). It runs "
        "without a shell after each change.",
    ),
}
