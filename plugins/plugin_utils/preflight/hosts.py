# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What some hosts of the fleet say themselves: their unit, and the releases that a rollback needs.

Asking all of a large fleet would cost a connection each; every other host is asked before it is taken out of service.
"""

from __future__ import annotations

import os
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import durations
from ansible_collections.steady.rollout.plugins.module_utils.release.source import scheme_of
from ansible_collections.steady.rollout.plugins.plugin_utils.preflight.files import located
from ansible_collections.steady.rollout.plugins.plugin_utils.preflight.findings import Finding
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.settings import HostSettings, Settings
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.executors import Invocation, Outcome

Row = t.Mapping[str, t.Any]

ASKED = 3
BEFORE_THE_RESTART = ("before_drain", "after_drain", "before_update")
SYSTEMDS_OWN = 90.0
"""Seconds; the stop timeout of a unit that sets none, which says nothing of the application."""


def some(names: t.Sequence[str], count: int = ASKED) -> list[str]:
    """So many of them, evenly spread."""
    step = max(len(names) / count, 1)
    return [names[int(number * step)] for number in range(min(count, len(names)))]


def questions(settings: t.Mapping[str, HostSettings], asked: str) -> list[Invocation]:
    """What to ask those hosts where *asked* is the version asked for."""
    return [call for name, one in settings.items() for call in _questions(name, one.of(asked))]


def findings(
    settings: t.Mapping[str, HostSettings],
    versions: t.Mapping[str, str | None],
    asked: str,
    answers: t.Sequence[Outcome],
) -> list[Finding]:
    """*versions* is what each of the hosts serves; *answers* are those to the questions. Who does not answer is no finding."""
    found: list[Finding] = []
    for outcome in answers:
        name = outcome.invocation.host
        now = settings[name].of(asked)
        if outcome.failed:
            continue
        if outcome.invocation.module == "unit_info":
            found += unit_findings(name, now, outcome.result)
        else:
            found += _releases(name, settings[name], versions.get(name), asked, outcome.result)
    return found


def _questions(name: str, now: Settings) -> list[Invocation]:
    calls = []
    if now["rollout_unit"]:
        calls.append(Invocation(name, "unit_info", {"unit": now["rollout_unit"], "lines": 0}))
    if now["rollout_artifact"] and now["rollout_release_path"]:
        calls.append(Invocation(name, "release", {"state": "query", "path": now["rollout_release_path"]}))
    return calls


def unit_findings(name: str, now: Settings, unit: Row) -> list[Finding]:
    """What systemd says of the service on one host."""
    missing = missing_unit(name, now, unit)
    if missing:
        return [Finding(missing)]
    stop, drain = unit.get("stop_timeout"), durations.seconds("rollout_drain_timeout", now["rollout_drain_timeout"])
    if stop is None or stop == SYSTEMDS_OWN or stop <= drain:
        return []
    return [
        Finding(
            f"rollout_drain_timeout: {now['rollout_unit']} on {name} takes up to {stop:g} s to stop, for requests that last so "
            f"long, and a drain waits only {drain:g} s for them: set it to {stop:g} or more.",
            "stop_timeout",
        )
    ]


def missing_unit(name: str, now: Settings, unit: Row) -> str:
    """Why the service cannot be restarted there; empty where the unit is there, or where a step of the user's may bring it."""
    if unit.get("load_state") != "not-found" or any(now[f"rollout_{hook}_tasks"] for hook in BEFORE_THE_RESTART):
        return ""
    return f"rollout_unit: {name} has no unit {now['rollout_unit']}: correct the name, or install the unit first."


def _releases(name: str, settings: HostSettings, served: str | None, asked: str, releases: Row) -> list[Finding]:
    """Whether the version that a host serves is there to go back to."""
    if not served or served == asked or served in releases["versions"]:
        return []
    before = settings.of(served)
    source = located(str(before["rollout_artifact"]), before["__rollout_search_paths"])
    if scheme_of(source) or os.path.exists(source):
        return []
    return [
        Finding(
            f"{name} serves {served}, which is neither in {before['rollout_release_path']} on it nor on the controller as "
            f"{source} (rollout_artifact), so it could not be rolled back: provide that artifact.",
            "previous_release",
        )
    ]
