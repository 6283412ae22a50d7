# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""From a metric's query to the questions that are asked for it.

A query is what its source understands, or that by group ({canary: ..., baseline: ...}), or that by part ({bad: ...,
total: ...}), or both. With $group, $members, $interval or $elapsed (or ${group} ...) in it, it is asked with these filled in.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.judge.model import BASELINE, CANARY, SHARE, Metric
from ansible_collections.steady.rollout.plugins.module_utils.metrics.model import BAD, FIGURE, TOTAL, Moment, Question

GROUPS = (CANARY, BASELINE)
ABSENT = "absent"
PLACEHOLDER = re.compile(r"\$(?:(group|members|interval|elapsed)\b|\{(group|members|interval|elapsed)\})")
BY_GROUP = re.compile(r"\$(?:(group|members)\b|\{(group|members)\})")
LEAST_SECONDS = 1


def questions(metric: Metric, moment: Moment, by_group: bool = False) -> list[Question]:
    """Everything to ask for a metric in one poll; a group without members is not asked about.

    *by_group* says that what the source is set to ask differs by group, whatever the query.
    """
    return [
        Question(filled(raw, group, moment), group, part)
        for group, part, raw in _parts(metric.query, by_group)
        if group is None or not moment.groups or moment.groups.get(group)
    ]


def checked(metric: Metric, where: str) -> None:
    """Raises InputError where the query has a form that nothing can be made of."""
    query = metric.query
    if _is_by_group(query) and len({_is_by_part(one) for one in query.values()}) > 1:
        raise InputError(f"{where}.query: {BAD} and {TOTAL} are given for one group only; give them for each.")
    parts = [part for dummy, part, dummy_raw in _parts(query)]
    if metric.kind != SHARE and BAD in parts:
        raise InputError(f"{where}.query: {BAD} and {TOTAL} make a share; set kind: share.")


def absent_is_zero(query: t.Any) -> bool:
    """Whether a missing number of bad requests means that there were none."""
    if _is_by_group(query):
        return all(absent_is_zero(one) for one in query.values())
    return _is_by_part(query) and query.get(ABSENT) == "zero"


def leaves(query: t.Any) -> list[t.Any]:
    """What the source itself is asked, without groups and parts."""
    return [raw for dummy, dummy_part, raw in _parts(query)]


def shown(raw: t.Any) -> str:
    """A query as a record shows it."""
    return raw if isinstance(raw, str) else repr(raw)


def filled(raw: t.Any, group: str | None, moment: Moment) -> t.Any:
    """The query with its placeholders replaced, however deep they are."""
    if isinstance(raw, str):
        return PLACEHOLDER.sub(lambda match: _value(match.group(1) or match.group(2), group, moment), raw)
    if isinstance(raw, t.Mapping):
        return {name: filled(one, group, moment) for name, one in raw.items()}
    if isinstance(raw, (list, tuple)):
        return [filled(one, group, moment) for one in raw]
    return raw


def asks_by_group(raw: t.Any) -> bool:
    """Whether a placeholder in it stands for a group or its members."""
    if isinstance(raw, str):
        return BY_GROUP.search(raw) is not None
    if isinstance(raw, t.Mapping):
        return any(map(asks_by_group, raw.values()))
    return isinstance(raw, (list, tuple)) and any(map(asks_by_group, raw))


def _parts(query: t.Any, by_group: bool = False) -> list[tuple[str | None, str, t.Any]]:
    """(group or None, part, what to ask)."""
    if _is_by_group(query):
        return [(group, part, raw) for group, one in query.items() for part, raw in _by_part(one)]
    return [
        (group, part, raw)
        for part, raw in _by_part(query)
        for group in (GROUPS if by_group or asks_by_group(raw) else (None,))
    ]


def _by_part(query: t.Any) -> list[tuple[str, t.Any]]:
    return [(BAD, query[BAD]), (TOTAL, query[TOTAL])] if _is_by_part(query) else [(FIGURE, query)]


def _is_by_group(query: t.Any) -> bool:
    return isinstance(query, t.Mapping) and bool(query) and set(query) <= set(GROUPS)


def _is_by_part(query: t.Any) -> bool:
    return isinstance(query, t.Mapping) and {BAD, TOTAL} <= set(query) <= {BAD, TOTAL, ABSENT}


def _value(name: str, group: str | None, moment: Moment) -> str:
    if name == "group":
        return group or ""
    if name == "members":
        # For a regular expression inside of a quoted string, as PromQL has them.
        members = moment.groups.get(group or "", ())
        return "|".join(re.escape(member).replace("\\", "\\\\") for member in members)
    since = moment.since if name == "interval" else moment.began
    return str(max(LEAST_SECONDS, round(moment.now - since)))
