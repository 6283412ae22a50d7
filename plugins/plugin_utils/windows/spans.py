# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Spans of time, in UTC, and what can be done with sets of them."""

from __future__ import annotations

import datetime as dt
import typing as t


class Span(t.NamedTuple):
    """From *start* up to, and without, *end*."""

    start: dt.datetime
    end: dt.datetime
    name: str = ""

    def holds(self, moment: dt.datetime) -> bool:
        return self.start <= moment < self.end


def merged(spans: t.Iterable[Span]) -> list[Span]:
    """The same time without overlaps, in order; spans that touch become one."""
    found: list[Span] = []
    for span in sorted(spans, key=lambda one: (one.start, one.end)):
        if span.end <= span.start:
            continue
        if found and span.start <= found[-1].end:
            found[-1] = found[-1]._replace(end=max(found[-1].end, span.end))
        else:
            found.append(span)
    return found


def without(spans: t.Iterable[Span], closed: t.Iterable[Span]) -> list[Span]:
    """What is left of *spans* outside of *closed*."""
    cuts = merged(closed)
    return [part for span in merged(spans) for part in _cut(span, cuts)]


def _cut(span: Span, cuts: t.Sequence[Span]) -> t.Iterator[Span]:
    start = span.start
    for cut in cuts:
        if cut.end <= start or cut.start >= span.end:
            continue
        if cut.start > start:
            yield span._replace(start=start, end=cut.start)
        start = cut.end
    if start < span.end:
        yield span._replace(start=start)
