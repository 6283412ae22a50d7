# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The options of type=flagd."""

from __future__ import annotations

from ansible_collections.steady.rollout.plugins.module_utils.typed_options import Options, option

OPTIONS: Options = {
    "path": option(
        "For V(flagd) the definition file, in JSON, that flagd or an OpenFeature provider in file mode reads. The module writes a new "
        "file and renames it, so no reader sees half of it.",
        type="path",
    ),
}
