# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What may be a version: it becomes a path and part of a user's commands, whoever reported it (invariant 19)."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.release.plan import check_version


def known(reported: t.Any) -> str | None:
    """The version that a host, a health answer or an old record reports; None, so unknown, where it cannot be one."""
    if not isinstance(reported, str) or not reported:
        return None
    try:
        check_version(reported)
    except InputError:
        return None
    return reported
