# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Takes the measurements of one poll: asks every metric's source and makes samples of the answers."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.http import excerpts
from ansible_collections.steady.rollout.plugins.module_utils.judge.model import Metric, Sample
from ansible_collections.steady.rollout.plugins.module_utils.metrics import numbers, queries
from ansible_collections.steady.rollout.plugins.module_utils.metrics.model import (
    FAILED,
    MEASURED,
    NOTHING,
    Measurement,
    Moment,
    Nothing,
    Point,
    Question,
    Reply,
    Source,
    Trouble,
)

LONGEST_ANSWER = 500
NOTHING_NEW = "nothing new since the previous poll"
NO_GROUP = "none of the groups has a member to query"


def measure(metric: Metric, source: Source, moment: Moment, after: float) -> Measurement:
    """What the source says now; never raises for what a source does. Points up to *after* are known already."""
    outcome, why = MEASURED, ""
    samples: tuple[Sample, ...] = ()
    replies: list[tuple[Question, Reply]] = []
    try:
        why = _ask(queries.questions(metric, moment, source.asks_by_group), source, moment, replies)
        samples = _new(numbers.samples(metric, _points(replies), moment, queries.absent_is_zero(metric.query)), after)
    except Trouble as error:
        outcome, why = FAILED, str(error)
    except Nothing as nothing:
        why = str(nothing)
    if outcome == MEASURED and not samples:
        outcome, why = NOTHING, why or (NOTHING_NEW if replies else NO_GROUP)
    return Measurement(
        metric=metric.name,
        at=moment.now,
        source=source.kind,
        asked=_joined(reply.asked for dummy, reply in replies) or queries.shown(metric.query),
        answered=excerpts.without_secret_pairs(_joined(reply.answered for dummy, reply in replies)),
        outcome=outcome,
        why=why,
        samples=samples,
        details=tuple(detail for dummy, reply in replies for detail in reply.details),
    )


def _ask(questions: t.Sequence[Question], source: Source, moment: Moment, replies: list[tuple[Question, Reply]]) -> str:
    """Puts the replies on the list, and says what there was no data for: one group may have some where the other has none."""
    return next(filter(None, [_asked(question, source, moment, replies) for question in questions]), "")


def _asked(question: Question, source: Source, moment: Moment, replies: list[tuple[Question, Reply]]) -> str:
    try:
        replies.append((question, source.ask(question, moment)))
    except Nothing as nothing:
        return str(nothing)
    return ""


def _points(replies: t.Iterable[tuple[Question, Reply]]) -> list[Point]:
    return [
        dataclasses.replace(point, group=point.group or question.group, part=point.part or question.part)
        for question, reply in replies
        for point in reply.points
    ]


def _new(samples: tuple[Sample, ...], after: float) -> tuple[Sample, ...]:
    return tuple(sample for sample in samples if sample.at > after)


def _joined(texts: t.Iterable[str]) -> str:
    text = "; ".join(texts)
    return text if len(text) <= LONGEST_ANSWER else f"{text[: LONGEST_ANSWER - 3]}..."
