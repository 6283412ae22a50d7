# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Alertmanager: how many alerts fire that neither a silence nor another alert suppresses."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.metrics import http
from ansible_collections.steady.rollout.plugins.module_utils.metrics.http import Endpoint
from ansible_collections.steady.rollout.plugins.module_utils.metrics.model import (
    Moment,
    Point,
    Question,
    Reply,
    Trouble,
)

SETTINGS: dict[str, tuple[type, ...]] = http.SETTINGS
MOST_NAMED = 5


class Alertmanager:
    """One Alertmanager. A query is a list of its matchers, or one."""

    kind = "alertmanager"
    asks_by_group = False

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    def check(self, metric: t.Any, where: str) -> None:
        if not all(isinstance(one, str) and one.strip() for one in _matchers(metric.query)):
            raise InputError(
                f"{where}.query: {metric.query!r} is not a list of matchers, such as ['severity=\"page\"', 'service=\"shop\"']."
            )

    def ask(self, question: Question, moment: Moment) -> Reply:
        matchers = _matchers(question.raw)
        wanted = [("active", "true"), ("silenced", "false"), ("inhibited", "false"), ("unprocessed", "false")]
        answer = self._endpoint.ask("/api/v2/alerts", [*wanted, *(("filter", matcher) for matcher in matchers)])
        if not isinstance(answer, list) or not all(_is_alert(alert) for alert in answer):
            raise Trouble(f"{self._endpoint.place} gave no list of alerts. Is url Alertmanager's root URL?")
        alerts = tuple(sorted({_described(alert) for alert in answer}))
        return Reply(
            asked=", ".join(matchers) or "all alerts",
            answered=json.dumps(alerts[:MOST_NAMED]),
            points=(Point(float(len(answer))),),
            details=alerts[:MOST_NAMED],
        )


def open_alertmanager(where: str, settings: dict[str, t.Any]) -> Alertmanager:
    """Raises InputError where the settings cannot be right."""
    return Alertmanager(http.endpoint(where, settings))


def _matchers(query: t.Any) -> list[t.Any]:
    if query is None:
        return []
    return list(query) if isinstance(query, (list, tuple)) else [query]


def _is_alert(alert: t.Any) -> bool:
    return isinstance(alert, dict) and isinstance(alert.get("labels", {}), dict)


def _described(alert: dict[str, t.Any]) -> str:
    labels = alert.get("labels", {})
    name = str(labels.get("alertname", "an alert without a name"))
    return f"{name} ({labels['instance']})" if labels.get("instance") else name
