# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Reads the options of a comparison; whatever cannot be right is refused before the first request."""

from __future__ import annotations

import dataclasses
import json
import math
import re
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import durations
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.http import targets, tls
from ansible_collections.steady.rollout.plugins.module_utils.load.model import (
    BASELINE,
    CANDIDATE,
    Group,
    Load,
    Policy,
    Recipe,
)

TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
UNFIT_FOR_A_HEADER = re.compile(r"[^\t\x20-\x7e\xa0-\xff]")
UNFIT_FOR_A_URL = re.compile(r"[^\x21-\x7e]")
MOST_A_SECOND = 500
MOST_REQUESTS = 200000
MOST_CONNECTIONS = 64
DURATIONS = ("seconds", "max_seconds", "warm_up", "timeout", "negligible", "max_latency")

Option = t.Mapping[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Everything that a call asks for, checked; the candidate comes last."""

    groups: tuple[Group, ...]
    recipes: tuple[Recipe, ...]
    load: Load
    policy: Policy


def from_params(params: Option) -> Comparison:
    """The comparison that a call's options amount to; InputError names the first that cannot be right."""
    params = {
        **params,
        **{name: durations.seconds(name, params[name]) for name in DURATIONS if params.get(name) is not None},
    }
    groups = tuple(_group(role, params[role]) for role in (BASELINE, CANDIDATE) if params.get(role))
    if len({group.name for group in groups}) < len(groups):
        raise InputError(f"baseline and candidate are both called '{groups[0].name}'; each needs its own name.")
    if not params["requests"]:
        raise InputError("requests: the list is empty, so nothing could be measured; name at least one request.")
    recipes = tuple(_recipe(option) for option in params["requests"])
    analyses = _analyses(params)
    policy = _policy(params, analyses)
    return Comparison(groups, recipes, _load(params, policy, analyses), policy)


def _group(role: str, option: Option) -> Group:
    if not option["urls"]:
        raise InputError(f"{role}: urls is empty; name the base URL of at least one host.")
    for url in option["urls"]:
        parts = targets.split_url(url)
        right = parts is not None and parts.scheme in ("http", "https") and parts.hostname
        if not right or (parts and (parts.query or parts.fragment)) or UNFIT_FOR_A_URL.search(url):
            raise InputError(
                f"{role}: a base URL is http or https with a host, a valid port and perhaps a path, such as "
                f"http://10.0.0.3:8080; found: {url.rpartition('@')[2].partition('?')[0]}"
            )
    return Group(role, option.get("name") or role, tuple(option["urls"]), _headers(role, option.get("headers")))


def _recipe(option: Option) -> Recipe:
    path = option["path"]
    if not path.startswith("/") or UNFIT_FOR_A_URL.search(path):
        raise InputError(
            f"requests: '{path.partition('?')[0]}' is not a path that begins with / and has special characters "
            "percent-encoded."
        )
    where = f"requests: '{path.partition('?')[0]}'"
    if not TOKEN.fullmatch(option["method"]):
        raise InputError(f"{where} has a method that HTTP does not allow: {option['method']}")
    if not option["status"]:
        raise InputError(f"{where} has an empty status list, so no answer could be right.")
    for status in option["status"]:
        if not 100 <= status <= 599:
            raise InputError(f"{where} has status {status}; an HTTP status is from 100 to 599.")
    headers = _headers(where, option.get("headers"))
    body = option.get("body")
    if isinstance(body, (dict, list)) and "content-type" not in {name.lower() for name in headers}:
        headers["Content-Type"] = "application/json"
    return Recipe(option["method"].upper(), path, headers, _body(body), tuple(option["status"]))


def _body(body: t.Any) -> bytes | None:
    if body is None:
        return None
    return (body if isinstance(body, str) else json.dumps(body)).encode()


def _headers(where: str, given: Option | None) -> dict[str, str]:
    headers = {name: str(value) for name, value in (given or {}).items()}
    for name, value in headers.items():
        if not TOKEN.fullmatch(name) or UNFIT_FOR_A_HEADER.search(value):
            raise InputError(f"{where} has a header '{name}' that HTTP does not allow.")
    return headers


def _analyses(params: Option) -> int:
    """How often it is judged: after each stretch of *seconds* that fits into *max_seconds*."""
    _within(params, "seconds", 1, 3600, "seconds")
    _within(params, "max_seconds", 1, 3600, "seconds")
    return max(1, int(params["max_seconds"] / params["seconds"]))


def _policy(params: Option, analyses: int) -> Policy:
    _within(params, "percentile", 50, 99.99, "a percentile of latencies")
    _within(params, "max_slowdown", 0, 1000, "percent that the candidate may be slower")
    _within(params, "negligible", 0, 60, "seconds that never matter")
    _within(params, "max_failures", 0, 100, "percentage points")
    _within(params, "min_samples", 1, MOST_REQUESTS, "good answers")
    _within(params, "confidence", 50.01, 99.99, "percent")
    if params.get("max_latency") is not None and params["max_latency"] <= 0:
        raise InputError(f"max_latency is {params['max_latency']:g}; expected more than 0 seconds.")
    return Policy(
        quantile=params["percentile"] / 100,
        slowdown=params["max_slowdown"] / 100,
        negligible=params["negligible"],
        latency=params.get("max_latency"),
        failures=params["max_failures"] / 100,
        minimum=params["min_samples"],
        # Each analysis is a chance to be wrong; together they may be as wrong as is allowed (Bonferroni).
        confidence=1 - (1 - params["confidence"] / 100) / analyses,
    )


def _load(params: Option, policy: Policy, analyses: int) -> Load:
    _within(params, "rate", 0.1, MOST_A_SECOND, "requests a second to each group")
    _within(params, "warm_up", 0, 3600, "seconds")
    _within(params, "connections", 1, MOST_CONNECTIONS, "connections to each group")
    _within(params, "timeout", 0.001, 300, "seconds")
    load = Load(
        rate=params["rate"],
        seconds=params["seconds"],
        warm_up=params["warm_up"],
        connections=params["connections"],
        timeout=params["timeout"],
        analyses=analyses,
        tls=_context(params),
    )
    most = load.total + (analyses - 1) * load.measured
    if most > MOST_REQUESTS:
        raise InputError(
            f"rate {load.rate:g} for up to {load.seconds * analyses + load.warm_up:g} s is {most} requests to each group; at "
            f"most {MOST_REQUESTS} are sent. Make it shorter or slower."
        )
    needed = max(policy.minimum, _fewest(policy))
    if load.measured < needed:
        raise InputError(
            f"rate {load.rate:g} for {load.seconds:g} s is {load.measured} requests to each group, and {needed} are "
            f"needed for a verdict on p{params['percentile']:g} with a confidence of {params['confidence']:g} %. Make it "
            "longer or faster."
        )
    return load


def _fewest(policy: Policy) -> int:
    """With fewer observations than this none may be beyond the true quantile, so that nothing bounds it from above."""
    return math.ceil(math.log(1 - policy.confidence) / math.log(policy.quantile))


def _within(params: Option, name: str, least: float, most: float, what: str) -> None:
    if not least <= params[name] <= most:
        raise InputError(f"{name} is {params[name]:g}; expected {what}, from {least:g} to {most:g}.")


def _context(params: Option) -> t.Any:
    try:
        return tls.context(params["validate_certs"], params.get("ca_path"))
    except OSError as error:
        raise InputError(f"ca_path cannot be used: {params['ca_path']} ({error.strerror or error}).") from None
