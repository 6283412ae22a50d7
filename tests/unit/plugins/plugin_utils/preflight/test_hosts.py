# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from support.scripted_executors import ScriptedExecutors

from ansible_collections.steady.rollout.plugins.plugin_utils.preflight import hosts
from ansible_collections.steady.rollout.plugins.plugin_utils.preflight.findings import Finding, refusals
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.settings import HOOKS, HostSettings
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.executor import Unreachable

OWN = {
    "rollout_unit": "shop.service",
    "rollout_artifact": "/nowhere/shop-VERSION.tar.gz",
    "rollout_release_path": "/opt/shop",
    "rollout_drain_timeout": 60,
    "__rollout_search_paths": [],
    **{f"rollout_{name}_tasks": "" for name in HOOKS},
}
LOADED = {"load_state": "loaded", "stop_timeout": 30.0}


def settings(**changes: t.Any) -> HostSettings:
    def evaluated(raw: t.Any, overlay: t.Any) -> t.Any:
        version = overlay["rollout_target"]["version"]
        return {
            name: value.replace("VERSION", version) if isinstance(value, str) else value for name, value in raw.items()
        }

    return HostSettings({**OWN, **changes}, evaluated)


def findings(given: dict[str, HostSettings], versions: dict[str, str], executors: ScriptedExecutors) -> list[Finding]:
    answers = executors.together(hosts.questions(given, "2.0.0"))
    return hosts.findings(given, t.cast("t.Any", versions), "2.0.0", answers)


def said(
    unit: t.Any = None, staged: t.Sequence[str] = ("1.0.0",), served: str = "1.0.0", **changes: t.Any
) -> list[str]:
    answers = {"unit_info": LOADED if unit is None else unit, "release": {"versions": list(staged)}}
    executors = ScriptedExecutors(lambda host, module, given: answers[module])
    found = findings({"app1": settings(**changes)}, {"app1": served}, executors)
    return refusals(found, [])


def test_a_host_with_its_unit_and_its_release_passes() -> None:
    assert said() == []


def test_a_unit_that_is_not_there_was_found_after_the_drain() -> None:
    missing = {"load_state": "not-found", "stop_timeout": None}
    assert said(missing) == [
        "rollout_unit: app1 has no unit shop.service: correct the name, or install the unit first."
    ]
    assert said(missing, rollout_before_update_tasks="install.yml") == []


@pytest.mark.parametrize(("stop", "refused"), [(30.0, False), (90.0, False), (None, False), (120.0, True)])
def test_a_service_that_takes_longer_to_stop_than_a_drain_waits(stop: float | None, refused: bool) -> None:
    sentence = (
        "rollout_drain_timeout: shop.service on app1 takes up to 120 s to stop, for requests that last so long, and a drain "
        "waits only 60 s for them: set it to 120 or more; to continue anyway, add -e rollout_accept=stop_timeout."
    )
    assert said({**LOADED, "stop_timeout": stop}) == ([sentence] if refused else [])


def test_the_version_to_go_back_to_was_nowhere() -> None:
    assert said(staged=()) == [
        "app1 serves 1.0.0, which is neither in /opt/shop on it nor on the controller as /nowhere/shop-1.0.0.tar.gz "
        "(rollout_artifact), so it could not be rolled back: provide that artifact; to continue anyway, add "
        "-e rollout_accept=previous_release."
    ]
    assert said(staged=(), rollout_artifact=__file__) == []
    assert said(staged=(), rollout_artifact="https://example.com/shop-VERSION.tar.gz") == []
    assert said(staged=(), served="2.0.0") == []
    assert said(staged=(), served="") == []


def test_a_host_that_does_not_answer_is_reported_elsewhere() -> None:
    executors = ScriptedExecutors(lambda host, module, given: Unreachable("app1", "gone"))
    assert findings({"app1": settings()}, {}, executors) == []


@pytest.mark.parametrize(
    ("names", "asked"),
    [("a", "a"), ("ab", "ab"), ("abc", "abc"), ("abcdef", "ace"), ("", "")],
)
def test_some_hosts_are_asked_for_all(names: str, asked: str) -> None:
    assert "".join(hosts.some(list(names))) == asked
