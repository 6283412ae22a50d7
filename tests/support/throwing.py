# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Raising what a test has put somewhere."""

from __future__ import annotations

import typing as t


def throw(error: Exception | None) -> t.NoReturn:
    """pylint takes an attribute that begins as None for one that always is, and a raise of it for a mistake."""
    if error is None:
        raise AssertionError("there is no error to raise")
    raise error
