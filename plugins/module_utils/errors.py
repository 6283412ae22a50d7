# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The one kind of exception that the collection's cores raise.

RolloutError            anything that ends a call; becomes the module's failure
  InputError            the caller's options are wrong; nothing was touched
"""

from __future__ import annotations

import typing as t


class RolloutError(Exception):
    """Ends a call with one clear sentence.

    *message* says what went wrong, where, what was expected, what was found and what to do next.
    *result* carries what was seen so far, so that a failure returns the same keys as a success.
    """

    def __init__(self, message: str, **result: t.Any) -> None:
        super().__init__(message)
        self.message = message
        self.result = result


class InputError(RolloutError):
    """The options given cannot be right; raised before anything is touched."""
