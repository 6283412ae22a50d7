# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fast pages among slow downloads and uploads: what a gate stops in its first step, what it lets pass, and how soon it said."""

from __future__ import annotations

import contextlib
import json
import pathlib
import re
import statistics
import typing as t

import pytest
from fleet.world.configured import LOGGED, configured
from fleet.world.fronts import Front
from fleet.world.rolling import Ended, Rolling
from fleet.world.shifting import CANARY_SETTINGS, carries, verdicts
from fleet.world.shop import Shop
from support.background import Background, traffic

BAD, GOOD = "6.6.6", "2.0.0"
PATIENCE = 600.0
MIX = {"rate": 120, "keepalive": 12, "close": 4, "slow": 8, "slow_seconds": 2.5, "uploads": 8, "upload_seconds": 1.2}
PAGES = {"latency": 0.020, "spread": 0.4}
THRICE = {"latency": 0.060, "spread": 0.4}
SOME_ERRORS, TWICE = {**PAGES, "errors": 0.02}, {**PAGES, "errors": 0.04}
STEPS = [{"share": 25, "bake": 60}, {"share": 100}]
LONG_STEPS = [{"share": 25, "bake": 240}, {"share": 100}]
FORECAST = re.compile(r"step 1 \(25 %\): .*twice the errors are seen in about (\d+) (seconds|minutes)")
FACTOR = 1.5
long = pytest.mark.long
"""One case is for every run: pages that a mean over all requests hides."""


@pytest.fixture
def usual(request: pytest.FixtureRequest, shop: Shop) -> None:
    """How every instance behaves, set before other balancers than HAProxy take over."""
    shop.behave(getattr(request, "param", PAGES))


@pytest.fixture
def shifting(shop: Shop, fronts: list[Front]) -> t.Iterator[Rolling]:
    is_haproxy = fronts[0].make == "haproxy"
    with configured(shop, LOGGED) if is_haproxy else contextlib.nullcontext():
        yield Rolling(
            shop.lab,
            {
                **CANARY_SETTINGS,
                "rollout_canary_steps": STEPS,
                "rollout_analysis_interval": 5,
                "rollout_balancers": [front.logged_entry() for front in fronts],
            },
        )


@pytest.fixture
def crowd(shop: Shop, fronts: list[Front], tmp_path: pathlib.Path) -> t.Iterator[Background]:
    with traffic(shop.lab.urls(), tmp_path / "crowd.json", inside=shop.lab.inside(), **MIX) as crowd:
        yield crowd


EVERYWHERE = [
    pytest.param("haproxy", id="HAProxy", marks=long),
    pytest.param("nginx", id="nginx", marks=long),
    pytest.param("apache", id="Apache", marks=long),
    pytest.param("envoy", id="Envoy", marks=long),
]


@pytest.mark.parametrize("fronts", EVERYWHERE, indirect=True)
def test_pages_three_times_as_slow_are_stopped_in_the_first_step(
    shop: Shop, usual: None, fronts: list[Front], shifting: Rolling, crowd: Background
) -> None:
    shop.lab.add_release(BAD, THRICE)
    ended = shifting.start(BAD, playbook="canary").wait(PATIENCE, silent=True)
    assert_stopped(shop, fronts, ended, "latency")


@pytest.mark.parametrize("fronts", EVERYWHERE, indirect=True)
def test_one_path_that_fails_is_stopped_in_the_first_step(
    shop: Shop, usual: None, fronts: list[Front], shifting: Rolling, crowd: Background
) -> None:
    shop.lab.add_release(BAD, {**PAGES, "errors": 1.0, "errors_on": "/upload"})
    ended = shifting.start(BAD, playbook="canary").wait(PATIENCE, silent=True)
    assert_stopped(shop, fronts, ended, "errors")


@pytest.mark.parametrize("fronts", EVERYWHERE, indirect=True)
@pytest.mark.parametrize(
    ("behaviour", "steps"),
    [
        pytest.param({**PAGES, "warm_up": 60}, LONG_STEPS, id="slow for its first minute"),
        pytest.param({**PAGES, "burst": 8, "burst_after": 25}, STEPS, id="one burst"),
    ],
)
def test_what_passes_by_itself_stops_nothing(
    shop: Shop,
    usual: None,
    fronts: list[Front],
    shifting: Rolling,
    crowd: Background,
    behaviour: dict[str, t.Any],
    steps: list[dict[str, t.Any]],
) -> None:
    shop.lab.add_release(GOOD, behaviour)
    ended = shifting.start(GOOD, playbook="canary", rollout_canary_steps=steps).wait(PATIENCE, silent=True)
    assert ended.exit_code == 0, f"{ended.output}\n{shop.story()}"
    assert [verdict for dummy, verdict in verdicts(shop)][:1] == ["pass"]
    assert shop.all_on(GOOD), shop.versions()


@pytest.mark.parametrize("usual", [pytest.param(SOME_ERRORS, id="")], indirect=True)
@pytest.mark.parametrize("fronts", EVERYWHERE, indirect=True)
def test_doubled_errors_are_stopped_about_when_the_plan_said(
    shop: Shop,
    usual: None,
    fronts: list[Front],
    shifting: Rolling,
    crowd: Background,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The median of three releases: a single one is found earlier or later by luck."""
    said, taken = [], []
    for number in range(3):
        version = f"6.6.{number}"
        shop.lab.add_release(version, TWICE)
        ended = shifting.start(version, playbook="canary").wait(PATIENCE, silent=True)
        assert_rolled_back(shop, fronts, ended, version)
        assert "%: fail: errors" in ended.last_line, ended.output
        said.append(forecast(ended))
        taken.append(time_to_verdict(shop))
    with capsys.disabled():
        print(f"\n{fronts[0].make}: the plans said {said} s, the verdicts took {[round(each) for each in taken]} s")
    factor = statistics.median(taken) / statistics.median(said)
    assert 1 / FACTOR <= factor <= FACTOR, (said, taken)


def assert_stopped(shop: Shop, fronts: list[Front], ended: Ended, because: str) -> None:
    assert_rolled_back(shop, fronts, ended, BAD)
    assert f"the gate at 25 %: fail: {because}" in ended.last_line, ended.output
    assert f"{BAD} is marked bad" in ended.last_line
    assert verdicts(shop) == [(25.0, "fail")]


def assert_rolled_back(shop: Shop, fronts: list[Front], ended: Ended, version: str) -> None:
    """Who has a weight shows at HAProxy and Envoy; the others are read by the run itself, which ended in its own words."""
    assert ended.exit_code != 0, ended.output
    assert f"{version} rolled back" in ended.last_line, ended.output
    assert shop.all_on("1.0.0"), shop.versions()
    if fronts[0].make in ("haproxy", "envoy"):
        assert carries(shop, fronts) == {tuple(shop.apps)}


def forecast(ended: Ended) -> float:
    """The seconds that the plan named for twice the errors."""
    found = FORECAST.search(ended.output)
    assert found, ended.output
    return float(found.group(1)) * (60 if found.group(2) == "minutes" else 1)


def time_to_verdict(shop: Shop) -> float:
    """Seconds from the last time that the canary got its first share to the verdict on it."""
    events = shop.events()
    verdict = next(event for event in reversed(events) if event["kind"] == "shift_gate")
    shares = [
        event["at"]
        for event in events
        if event["kind"] == "shares_shown"
        and event["at"] < verdict["at"]
        and json.loads(event["data"])["split"]["canary"]
    ]
    return float(verdict["at"] - shares[-1])
