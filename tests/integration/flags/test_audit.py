# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An audit over fifty flags of all kinds in real systems, against a list written by hand."""

from __future__ import annotations

import datetime
import json
import typing as t

import pytest
from support.fifty_flags import BY_HAND, FIFTY, NOW
from support.flag_calls import Flags
from support.flag_systems import Flagd, RealFlags, RedisServer, UnleashServer

from ansible_collections.steady.rollout.plugins.module_utils.flags.contract import Flag

SYSTEMS: dict[str, type[RealFlags]] = {one.name: one for one in (Flagd, RedisServer, UnleashServer)}
AUDIT = {"older_than": "90d", "full_for": "14d", "ticket": "[A-Z][A-Z0-9]+-[0-9]+"}
ON_OR_OFF = {"on": True, "off": False}
SOMEBODY = [{"ends_with": [{"var": "email"}, "@example.com"]}, "on", "off"]


@pytest.fixture
def now() -> float:
    return datetime.datetime.now(datetime.timezone.utc).timestamp()


def moment(at: float) -> str:
    return datetime.datetime.fromtimestamp(at, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def written_to_flagd(system: Flagd, flags: t.Sequence[Flag], later: float) -> None:
    document = {"flags": {flag.name: in_flagd(flag, later) for flag in flags if flag.exists}}
    system.path.write_text(json.dumps(document))


def in_flagd(flag: Flag, later: float) -> dict[str, t.Any]:
    times = {"created": flag.created, "changed": flag.changed}
    metadata: dict[str, t.Any] = {name: moment(at + later) for name, at in times.items() if at is not None}
    metadata.update({"kind": flag.kind, "description": flag.description, "stale": flag.stale})
    if flag.killed:
        metadata["killedReason"] = flag.reason
    share = {"fractional": [["on", flag.percent], ["off", 100 - flag.percent]]} if 0 < flag.percent < 100 else None
    targeting = {"if": SOMEBODY} if flag.rules else share
    default = "on" if flag.on and not share else "off"
    return {
        "state": "ENABLED",
        "variants": ON_OR_OFF,
        "defaultVariant": default,
        "metadata": metadata,
        **({"targeting": targeting} if targeting else {}),
    }


def written_to_redis(system: RedisServer, flags: t.Sequence[Flag], later: float) -> None:
    for flag in flags:
        if not flag.exists:
            continue
        times = {"created": flag.created, "changed": flag.changed}
        about: dict[str, t.Any] = {name: at + later for name, at in times.items() if at is not None}
        about.update({"kind": flag.kind, "description": flag.description, "stale": flag.stale})
        system.cli("SET", f"feature:{flag.name}", "on" if flag.on else "off")
        system.cli("SET", f"feature:{flag.name}:about", json.dumps(about))
        if flag.on:
            system.cli("SET", f"rollout_percentage:{flag.name}", str(flag.percent))
        if flag.killed:
            system.cli("SET", f"kill_switch:{flag.name}", "1")
            system.cli("SET", f"kill_switch:{flag.name}:reason", flag.reason)


def written_to_unleash(system: UnleashServer, flags: t.Sequence[Flag], later: float) -> None:
    """By its API, and what lies in the past in its database."""
    server = system.server
    for flag in flags:
        if not flag.exists:
            continue
        body = {"name": flag.name, "type": flag.kind, "description": flag.description}
        server.admin("POST", "/projects/default/features", body)
        strategies = [str(flag.percent)] if flag.on else []
        for rollout in [*strategies, *("100" for dummy in flag.rules)]:
            parameters = {"rollout": rollout, "stickiness": "default", "groupId": flag.name}
            server.of_flag("POST", flag.name, "/strategies", {"name": "flexibleRollout", "parameters": parameters})
        if flag.on:
            server.of_flag("POST", flag.name, "/on")
    # It writes its events a moment later.
    written = "SELECT count(DISTINCT feature_name) FROM events WHERE type = 'feature-created'"
    made = sum(flag.exists for flag in flags)
    system.wait_until_database(written, str(made))
    server.database.sql("".join(statement for flag in flags if flag.exists for statement in past(flag, later)))


def past(flag: Flag, later: float) -> t.Iterator[str]:
    if flag.created is not None:
        yield f"UPDATE features SET created_at = to_timestamp({flag.created + later}) WHERE name = '{flag.name}';"
    if flag.changed is None:
        yield f"DELETE FROM events WHERE feature_name = '{flag.name}';"
    else:
        yield f"UPDATE events SET created_at = to_timestamp({flag.changed + later}) WHERE feature_name = '{flag.name}';"
    if flag.stale:
        yield f"UPDATE features SET stale = true WHERE name = '{flag.name}';"
    if flag.last_seen is not None:
        yield (
            "INSERT INTO last_seen_at_metrics (feature_name, environment, last_seen_at) "
            f"VALUES ('{flag.name}', 'development', now());"
        )


WRITTEN: dict[str, t.Callable[..., None]] = {
    "flagd": written_to_flagd,
    "redis": written_to_redis,
    "unleash": written_to_unleash,
}
CANNOT_BE = {"flagd": (), "redis": ("full_but_for_rules",), "unleash": ("age_unknown",)}
SEES_USE = ("unleash",)


@pytest.mark.parametrize("started", list(SYSTEMS), indirect=True)
def test_fifty_flags_of_all_kinds(started: RealFlags, now: float) -> None:
    flags = [flag for flag in FIFTY if flag.name not in CANNOT_BE[started.name]]
    WRITTEN[started.name](started, flags, now - NOW)
    audited = Flags(started).info(names=[], audit=AUDIT, fail_on="findings")
    expected = [one for one in BY_HAND if one[1] != "never_seen" or started.name in SEES_USE]
    assert sorted(map(tuple, (one.values() for one in audited["findings"]))) == sorted(expected)
    assert len(audited["flags"]) == sum(flag.exists for flag in flags)
    names = list(dict.fromkeys(one["flag"] for one in audited["findings"]))
    assert f"{len(names)} to clean up: {', '.join(names)}. Remove these flags" in audited.error
    shown = [line.split("|")[1].strip() for line in audited["markdown"].splitlines()[2:]]
    assert shown == [name.replace("_", "\\_") for name in names]
    kept = [line for line in audited["text"][1:] if line.split()[0] not in names]
    assert all(line.endswith("-") for line in kept)
