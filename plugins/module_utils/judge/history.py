# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What was measured of a metric before this gate. It is the same at every poll of the gate, so it is worked out once."""

from __future__ import annotations

import functools
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.judge import hosts, levels, values
from ansible_collections.steady.rollout.plugins.module_utils.judge.intervals import Interval
from ansible_collections.steady.rollout.plugins.module_utils.judge.rounds import in_rounds


class History:
    """*earlier* are the intervals of gates before this one, *past* those before the release."""

    def __init__(self, earlier: t.Sequence[Interval] = (), past: t.Sequence[Interval] = ()) -> None:
        self.earlier = earlier
        self._past = past
        self._changes: dict[bool, list[values.Change]] = {}

    @property
    def known(self) -> dict[str, levels.Level]:
        """Each host's own level, of values."""
        return self._estimated[0]

    @property
    def within(self) -> hosts.Within:
        """The noise within hosts before the release, of values."""
        return self._estimated[1]

    @functools.cached_property
    def _estimated(self) -> tuple[dict[str, levels.Level], hosts.Within]:
        return levels.estimated(self._past)

    def changes(self, reverse: bool) -> list[values.Change]:
        """Those of the values of earlier gates; *reverse* turns what falls into what rises."""
        if reverse not in self._changes:
            found = values.changes(in_rounds(self.earlier), self.known, reverse)
            self._changes[reverse] = values.without_outliers(found)
        return self._changes[reverse]
