# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Any JSON over HTTP: the query is JMESPath on the answer."""

from __future__ import annotations

import dataclasses
import json
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.http.queries import Query, compiled
from ansible_collections.steady.rollout.plugins.module_utils.metrics import http, queries
from ansible_collections.steady.rollout.plugins.module_utils.metrics.http import Endpoint
from ansible_collections.steady.rollout.plugins.module_utils.metrics.model import Moment, Question, Reply
from ansible_collections.steady.rollout.plugins.module_utils.metrics.numbers import points

SETTINGS: dict[str, tuple[type, ...]] = {**http.SETTINGS, "method": (str,), "body": (str, dict, list)}


class JsonOverHttp:
    """One address. With $group or $members in its URL or body it is asked once for each group."""

    kind = "json"

    def __init__(self, endpoint: Endpoint, method: str, body: t.Any) -> None:
        self._endpoint = endpoint
        self._method = method
        self._body = body
        self.asks_by_group = queries.asks_by_group([endpoint.url, body])

    def check(self, metric: t.Any, where: str) -> None:
        for raw in queries.leaves(metric.query):
            expression(raw, metric.name)

    def ask(self, question: Question, moment: Moment) -> Reply:
        url = queries.filled(self._endpoint.url, question.group, moment)
        endpoint = dataclasses.replace(self._endpoint, url=url)
        document = endpoint.ask(method=self._method, body=self._filled_body(question, moment))
        found = expression(question.raw)(document)
        return Reply(f"{endpoint.place} {question.raw}", json.dumps(found), points(found, question.group))

    def _filled_body(self, question: Question, moment: Moment) -> bytes | None:
        if self._body is None:
            return None
        body = queries.filled(self._body, question.group, moment)
        return (body if isinstance(body, str) else json.dumps(body)).encode()


def open_json(where: str, settings: dict[str, t.Any]) -> JsonOverHttp:
    """Raises InputError where the settings cannot be right."""
    plain = {**settings, "url": (settings.get("url") or "").replace("$", "%24")}
    endpoint = http.endpoint(where, plain)
    given = dataclasses.replace(endpoint, url=settings["url"])
    return JsonOverHttp(given, settings.get("method", "GET").upper(), settings.get("body"))


def expression(raw: t.Any, metric: str = "") -> Query:
    """The JMESPath of a query; '@' is the whole answer. Raises InputError where it is none."""
    if not isinstance(raw, str) or not raw.strip():
        raise InputError(
            f"metrics: query of '{metric}' is {raw!r}, not a JMESPath expression; '@' stands for the whole answer."
        )
    if raw.strip() == "@":
        return Query("@", lambda document: document)
    query = compiled(metric, "query", raw, "metrics")
    return t.cast(Query, query)
