# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Reads the options of a smoke test; whatever cannot be right is refused before the first request."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import durations
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.http import queries
from ansible_collections.steady.rollout.plugins.module_utils.http import targets as targets_
from ansible_collections.steady.rollout.plugins.module_utils.smoke import templates
from ansible_collections.steady.rollout.plugins.module_utils.smoke.steps import (
    BODY,
    COOKIE,
    HEADER,
    REGEX,
    Keep,
    Plan,
    Step,
    Target,
)

MOST_TRIES = 1000
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
UNFIT_FOR_A_HEADER = re.compile(r"[^\t\x20-\x7e\xa0-\xff]")
KEPT_FROM_BODY = re.compile(r"body\b.+", re.DOTALL)
KEPT_BY_NAME = re.compile(r"(headers|cookies)\.(.+)")
PLACES = ("url", "headers", "body", "expect", "contains", "expect_headers")
FORMS = (("raw", str), ("json", (str, dict, list)), ("form-urlencoded", (str, dict)))
IN_WORDS = {"raw": "a text", "json": "a text or a structure", "form-urlencoded": "a text or a dictionary"}

Option = t.Mapping[str, t.Any]


def from_params(params: Option) -> Plan:
    """The plan that a call's options amount to; InputError names the first that cannot be right."""
    if not params["requests"]:
        raise InputError("requests: the list is empty, so nothing would be tested; name at least one request.")
    targets = _targets(params.get("targets"))
    steps = tuple(_step(option, params.get("headers") or {}) for option in params["requests"])
    _check_urls(steps, targets)
    _check_places(steps)
    return Plan(steps, targets, params["stop_on_failure"], params["validate_certs"], params.get("ca_path"))


def name_of(option: Option) -> str:
    """What a request is called: as it says, or by what it asks for."""
    given = option.get("name")
    return str(given) if given else f"{option['method'].upper()} {option['url'].partition('?')[0].rpartition('@')[2]}"


def _targets(given: list[t.Any] | None) -> tuple[Target, ...]:
    if given is None:
        return (Target(),)
    if not given:
        raise InputError("targets: the list is empty, so nothing would be tested; name a base URL or leave it out.")
    targets = tuple(_target(one) for one in given)
    names = [target.name for target in targets]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"targets: the name '{name}' is given {names.count(name)} times; each needs its own.")
    return targets


def _target(given: t.Any) -> Target:
    if isinstance(given, dict) and isinstance(given.get("url"), str) and not set(given) - {"name", "url"}:
        url, name = given["url"], given.get("name")
    elif isinstance(given, str):
        url, name = given, None
    else:
        raise InputError("targets: each is a base URL, or a dictionary with url and name; one is something else.")
    parts = targets_.split_url(url)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise InputError(
            "targets: a base URL is http or https with a host, a valid port and perhaps a path, such as "
            f"http://10.0.0.3:8080; found: {url.rpartition('@')[2].partition('?')[0]}"
        )
    return Target(str(name) if name else parts.netloc.rpartition("@")[2], url.rstrip("/"))


def _step(option: Option, common: Option) -> Step:
    name = name_of(option)
    _check_figures(name, option)
    if not TOKEN.fullmatch(option["method"]):
        raise InputError(f"requests: '{name}' has a method that HTTP does not allow: {option['method']}")
    step = Step(
        name=name,
        method=option["method"].upper(),
        url=option["url"],
        timeout=durations.positive(f"requests: timeout of '{name}'", option["timeout"]),
        headers=_headers(name, {**common, **(option.get("headers") or {})}),
        body=option.get("body"),
        body_format=_body_format(name, option),
        status=tuple(option["status"]),
        expect=option.get("expect"),
        contains=option.get("contains"),
        expect_headers=_headers(name, option.get("expect_headers") or {}),
        latency=_latency(name, option.get("latency")),
        tries=option["tries"],
        pause=durations.seconds(f"requests: pause of '{name}'", option["pause"]),
        keep=tuple(_keep(name, *pair) for pair in (option.get("keep") or {}).items()),
        follow_redirects=option["follow_redirects"],
        secret=option["secret"],
    )
    # A kept value may be any number or text: 0 fits wherever one of them may stand.
    compiled_expect(step, dict.fromkeys(templates.names_in(step.expect), 0))
    return step


def compiled_expect(step: Step, kept: templates.Kept) -> queries.Query | None:
    """The expectation with kept values in it; a quote in one of them must not end the literal that it stands in."""
    if step.expect is None:
        return None
    expression = templates.filled(step.expect, kept, lambda text: text.replace("'", "\\'"))
    return queries.compiled(step.name, "expect", expression, where="requests")


def _latency(name: str, latency: t.Any) -> float | None:
    return None if latency is None else durations.positive(f"requests: latency of '{name}'", latency)


def _check_figures(name: str, option: Option) -> None:
    if not 1 <= option["tries"] <= MOST_TRIES:
        raise InputError(f"requests: '{name}' has {option['tries']} tries; expected from 1 to {MOST_TRIES}.")
    if not option["status"]:
        raise InputError(f"requests: '{name}' has an empty status list, so no answer could be right.")
    for status in option["status"]:
        if not 100 <= status <= 599:
            raise InputError(f"requests: '{name}' has status {status}; an HTTP status is from 100 to 599.")


def _headers(name: str, given: Option) -> dict[str, str]:
    headers = {header: "" if value is None else templates.as_text(value) for header, value in given.items()}
    for header, value in headers.items():
        if not TOKEN.fullmatch(header) or UNFIT_FOR_A_HEADER.search(value):
            raise InputError(f"requests: '{name}' has a header '{header}' that HTTP does not allow.")
    return headers


def _body_format(name: str, option: Option) -> str:
    body = option.get("body")
    form = str(option.get("body_format") or ("json" if isinstance(body, (dict, list)) else "raw"))
    if body is not None and not isinstance(body, dict(FORMS)[form]):
        raise InputError(
            f"requests: the body of '{name}' is not {IN_WORDS[form]}, as body_format {form} needs; it is a "
            f"{type(body).__name__}."
        )
    return form


def _keep(step: str, name: str, place: t.Any) -> Keep:
    if not templates.NAME.fullmatch(str(name)):
        raise InputError(f"requests: '{step}' keeps '{name}'; a name is made of letters, digits and underscores.")
    by_name = KEPT_BY_NAME.fullmatch(place) if isinstance(place, str) else None
    if by_name:
        return Keep(str(name), place, by_name.group(1), key=by_name.group(2))
    if isinstance(place, str) and KEPT_FROM_BODY.fullmatch(place):
        return Keep(str(name), place, BODY, query=queries.compiled(step, f"keep {name}", place, where="requests"))
    if isinstance(place, str) and place.startswith(f"{REGEX}:"):
        return Keep(str(name), place, REGEX, pattern=_pattern(step, str(name), place[len(REGEX) + 1 :]))
    raise InputError(
        f"requests: '{step}' keeps '{name}' from '{place}'; expected body and a JMESPath expression such as "
        f"body.id, {HEADER}.NAME, {COOKIE}.NAME or {REGEX}:PATTERN."
    )


def _pattern(step: str, name: str, expression: str) -> t.Pattern[str]:
    try:
        return re.compile(expression)
    except re.error as error:
        raise InputError(
            f"requests: '{step}' keeps '{name}' by a regular expression that is not valid: {expression} ({error})."
        ) from None


def _check_urls(steps: t.Sequence[Step], targets: t.Sequence[Target]) -> None:
    for step in steps:
        start = step.url[:1]
        if start == "/" or step.url.startswith("${"):
            if not targets[0].url:
                raise InputError(
                    f"requests: the url of '{step.name}' is only a path, and targets is not given; name a base URL there."
                )
        elif not _is_whole(step.url):
            raise InputError(
                f"requests: the url of '{step.name}' is neither a path that begins with / nor an http or https URL "
                f"with a host and a valid port: {step.url.rpartition('@')[2].partition('?')[0]}"
            )
        if re.search(r"[^\x21-\x7e]", step.url):
            raise InputError(
                f"requests: the url of '{step.name}' holds a character that needs percent-encoding, such as %20."
            )


def _is_whole(url: str) -> bool:
    parts = targets_.split_url(url)
    if parts is None or "${" in parts.netloc:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def _check_places(steps: t.Sequence[Step]) -> None:
    """Every place stands for a value that an earlier request keeps."""
    kept: list[str] = []
    for step in steps:
        for option in PLACES:
            for name in templates.names_in(getattr(step, option)):
                if name not in kept:
                    raise InputError(_unknown(step, option, name, kept))
        kept.extend(keep.name for keep in step.keep if keep.name not in kept)


def _unknown(step: Step, option: str, name: str, kept: t.Sequence[str]) -> str:
    there = f"kept by then: {', '.join(kept)}" if kept else "none keeps any"
    return (
        f"requests: '{step.name}' uses ${{{name}}} in {option}, and no request before it keeps a value of that name "
        f"({there}). Correct the name, or write $${{ where ${{ itself is meant."
    )
