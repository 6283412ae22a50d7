# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Whether the applications themselves see a flag: each instance is asked for it over HTTP."""

from __future__ import annotations

import concurrent.futures
import http.client
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import documents, durations
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.http import exchange as client
from ansible_collections.steady.rollout.plugins.module_utils.http import queries, targets, tls
from ansible_collections.steady.rollout.plugins.module_utils.http.queries import Query
from ansible_collections.steady.rollout.plugins.module_utils.waiting import Clock

POLL = 0.05
LONGEST_ANSWER = 2.0
AT_A_TIME = 32
WORDS = {
    "true": True,
    "on": True,
    "1": True,
    "enabled": True,
    "false": False,
    "off": False,
    "0": False,
    "disabled": False,
}


class Instances(t.NamedTuple):
    """Who is asked, by name, for how long, and where in the JSON of the answer the flag is."""

    urls: t.Mapping[str, str]
    query: Query | None
    timeout: float
    context: t.Any = None


class Seen(t.NamedTuple):
    """*missing* are those that did not show the value in time, with what they showed."""

    asked: int
    missing: t.Dict[str, str]
    seconds: float


NOT_ASKED = Seen(0, {}, 0.0)


def from_options(params: t.Mapping[str, t.Any]) -> Instances:
    """Raises InputError where the options cannot be right."""
    given = params["instances"] or []
    timeout = durations.positive("seen_timeout", params["seen_timeout"], most=3600.0)
    urls: dict[str, str] = {}
    for url in given:
        parts = targets.split_url(url)
        if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
            raise InputError(
                "instances: each has to be an http or https URL with a host, such as http://app1:8080/health."
            )
        urls[targets.shown_url(url)] = url
    if not urls:
        return Instances({}, None, timeout)
    query = queries.compiled(params["name"], "instances_path", params["instances_path"], "instances")
    query = query or Query(f"flags.{params['name']}", lambda document: _in_flags(document, params["name"]))
    return Instances(urls, query, timeout, tls.context(params["validate_certs"]))


def _in_flags(document: t.Any, name: str) -> t.Any:
    flags = document.get("flags") if isinstance(document, dict) else None
    return flags.get(name) if isinstance(flags, dict) else None


def wait_until_seen(listed: Instances, expected: bool, clock: Clock, began: float) -> Seen:
    """Asks everybody again and again until all show what is expected, or the time is over. Seconds count from *began*."""
    missing = dict.fromkeys(listed.urls, "was not asked")
    deadline = clock.now() + listed.timeout
    with concurrent.futures.ThreadPoolExecutor(min(len(missing), AT_A_TIME)) as pool:
        while True:
            asked = list(missing)
            patience = min(max(deadline - clock.now(), 0.1), LONGEST_ANSWER)
            answers = pool.map(lambda name, most=patience: _ask(listed, listed.urls[name], most), asked)
            for name, answer in zip(asked, answers):
                if answer is expected:
                    del missing[name]
                else:
                    missing[name] = answer if isinstance(answer, str) else f"still answers {str(answer).lower()}"
            now = clock.now()
            if not missing or now >= deadline:
                return Seen(len(listed.urls), missing, now - began)
            clock.sleep(min(POLL, deadline - now))


def _ask(listed: Instances, url: str, timeout: float) -> bool | str:
    """The flag's value as the instance answers it, or in words why there is none."""
    request = client.Request("GET", url, {"User-Agent": "steady.rollout feature_flag"}, None, listed.context)
    try:
        answer = client.exchange(request, client.Deadline(timeout))
    except (OSError, http.client.HTTPException, ValueError) as error:
        return client.in_words(error, timeout)
    document = documents.parsed_or_none(answer.body.decode("utf-8", "replace"))
    if answer.status != 200 or not isinstance(document, (dict, list)) or listed.query is None:
        return f"answered {answer.status} without the flag"
    return _value(listed.query(document), listed.query.expression)


def _value(found: t.Any, expression: str) -> bool | str:
    if isinstance(found, bool):
        return found
    value = WORDS.get(str(found).strip().lower())
    return f"has no true or false at {expression}" if value is None else value
