# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is a window open, until when, when is the next one, and does the work fit? Pure: the moment is given."""

from __future__ import annotations

import dataclasses
import datetime as dt
import typing as t

from ansible_collections.steady.rollout.plugins.plugin_utils.windows import moments
from ansible_collections.steady.rollout.plugins.plugin_utils.windows.spans import Span, merged, without

HORIZON = dt.timedelta(days=366)
"""How far ahead is searched. What is open until then is open for long enough."""


class Source(t.Protocol):
    """What says when something is open, or closed."""

    def spans(self, earliest: dt.datetime, latest: dt.datetime) -> list[Span]:
        """Those that touch the time from *earliest* to *latest*."""


@dataclasses.dataclass(frozen=True)
class Schedule:
    """One site's windows, and what closes them: blackouts and freezes. Without windows it is open whenever nothing closes it."""

    windows: tuple[Source, ...]
    closed: tuple[Source, ...]
    zone: dt.tzinfo = moments.UTC


@dataclasses.dataclass(frozen=True)
class Answer:
    """*until* and *opens* are instants; *closed_by* is the freeze or blackout that closes a window now."""

    now: dt.datetime
    zone: dt.tzinfo
    needed: dt.timedelta
    is_open: bool
    until: dt.datetime | None = None
    """The end of the window that is open."""
    next: Span | None = None
    """The next window in which the work fits; while one is open, one after it."""
    closed_by: Span | None = None

    @property
    def left(self) -> dt.timedelta:
        return self.until - self.now if self.until else dt.timedelta(0)

    @property
    def fits(self) -> bool:
        return self.is_open and self.left >= self.needed

    @property
    def lasts(self) -> bool:
        """Whether it is open for as far as was searched."""
        return self.is_open and self.left >= HORIZON - dt.timedelta(days=1)


def answer(schedule: Schedule, now: dt.datetime, needed: dt.timedelta = dt.timedelta(0)) -> Answer:
    latest = now + HORIZON
    closed = [span for source in schedule.closed for span in source.spans(now, latest)]
    windows = [span for source in schedule.windows for span in source.spans(now, latest)]
    if not schedule.windows:
        windows = [Span(now, latest)]
    free = without(windows, closed)
    current = next((span for span in free if span.holds(now)), None)
    later = (span for span in free if span.start > now and span.end - span.start >= needed)
    return Answer(
        now=now,
        zone=schedule.zone,
        needed=needed,
        is_open=current is not None,
        until=current.end if current else None,
        next=next(later, None),
        closed_by=_closing(now, windows, closed),
    )


def _closing(now: dt.datetime, windows: t.Sequence[Span], closed: t.Sequence[Span]) -> Span | None:
    """The freeze or blackout of this moment, with the end of the last one that follows it without a gap."""
    holding = [span for span in closed if span.holds(now)]
    if not holding or not any(span.holds(now) for span in windows):
        return None
    end = next(span.end for span in merged(closed) if span.holds(now))
    return max(holding, key=lambda span: span.end)._replace(end=end)
