# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A version gets its traffic in growing shares; a bad one is rolled back, and few users meet it."""

from __future__ import annotations

import math
import pathlib
import typing as t

import pytest
from fleet.lab.hosts import Lab
from fleet.world.adhoc import call
from fleet.world.faults import await_in, happened
from fleet.world.fronts import Front
from fleet.world.rolling import Rolling
from fleet.world.shifting import (
    CANARY_SETTINGS,
    QUICK_USERS,
    STEADY_USERS,
    assert_traffic_rolled_back,
    carries,
    requests_by_share,
    time_to_verdict,
    verdicts,
)
from fleet.world.shop import Shop
from support.background import Background, traffic

BAD = "6.6.6"
PATIENCE = 400.0
"""Seconds that a whole canary may take on a busy machine; 80 of them it bakes."""
USUAL_LATENCY = {"latency": 0.010, "spread": 0.4}
HASTY_STEPS = [{"share": 5, "bake": 10}, {"share": 100}]
PATIENT_STEPS = [{"share": 5, "bake": 60}, {"share": 25, "bake": 60}, {"share": 50, "bake": 30}, {"share": 100}]
THRICE = {"latency": 0.030, "spread": 0.4}
THRICE_IN_THE_TAIL = {"latency": 0.010, "spread": 0.4 + math.log(3) / 1.645}
"""The median is as before."""
long = pytest.mark.long
"""One case is for every run: that a bad version is rolled back."""


@pytest.fixture
def shifting(fleet: Lab, fronts: list[Front]) -> Rolling:
    return Rolling(fleet, {**CANARY_SETTINGS, "rollout_balancers": [front.entry() for front in fronts]})


@pytest.fixture
def crowd(fleet: Lab, tmp_path: pathlib.Path) -> t.Iterator[Background]:
    """Enough quick requests for a judge."""
    with traffic(fleet.urls(), tmp_path / "crowd.json", inside=fleet.inside(), **QUICK_USERS) as crowd:
        yield crowd


@long
@pytest.mark.parametrize("fronts", ["haproxy", "envoy"], indirect=True)
def test_a_good_version_gets_all_traffic_and_then_the_whole_fleet(
    shop: Shop, fronts: list[Front], shifting: Rolling, crowd: Background
) -> None:
    shop.lab.add_release("2.0.0")
    ended = shifting.start("2.0.0", playbook="canary").wait(PATIENCE)
    assert ended.exit_code == 0, f"{ended.output}\n{shop.story()}"
    assert verdicts(shop) == [(5.0, "pass"), (25.0, "pass"), (50.0, "pass"), (100.0, "pass")]
    assert ended.last_line == "shop: all 6 hosts are in service on 2.0.0. Traffic: main 66.67 %, canary 33.33 %."
    assert shop.all_on("2.0.0"), shop.versions()
    assert carries(shop, fronts) == {tuple(shop.apps)}
    seen = crowd.stop()
    assert seen["failed"] == 0, seen["failures"]


@pytest.mark.parametrize(
    ("fronts", "behaviour", "because"),
    [
        pytest.param("haproxy", {"errors": 0.03}, "errors", id="3 percent of errors"),
        pytest.param("envoy", {"errors": 0.03}, "errors", id="3 percent of errors, Envoy", marks=long),
        pytest.param("haproxy", {"errors": 1.0, "errors_on": "/upload"}, "errors", id="bad for one path", marks=long),
    ],
    indirect=["fronts"],
)
def test_a_bad_version_is_rolled_back(
    shop: Shop,
    fronts: list[Front],
    shifting: Rolling,
    crowd: Background,
    capsys: pytest.CaptureFixture[str],
    behaviour: dict[str, t.Any],
    because: str,
) -> None:
    shop.lab.add_release(BAD, behaviour)
    ended = shifting.run(BAD, playbook="canary")
    assert_traffic_rolled_back(shop, ended, BAD, fronts)
    assert f"%: fail: {because}" in ended.last_line, ended.output
    assert f"{BAD} is marked bad" in ended.last_line
    assert verdicts(shop)[-1][1] == "fail"
    seen = crowd.stop()
    allowed = requests_by_share(shop, seen["rate"])
    assert seen["failed"] <= allowed
    with capsys.disabled():
        print(
            f"\n{seen['failed']} of {seen['requests']} requests failed; {time_to_verdict(shop)}, {allowed:.0f} by its share"
        )


@pytest.mark.parametrize(
    "latency", [pytest.param(THRICE, id="all"), pytest.param(THRICE_IN_THE_TAIL, id="in the tail")]
)
@long
def test_a_version_that_is_three_times_slower_at_the_95th_percentile_is_rolled_back(
    shop: Shop, shifting: Rolling, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str], latency: dict[str, float]
) -> None:
    """HAProxy itself reports means only, in whole milliseconds: it takes a hundred requests to a host to resolve one of them."""
    shop.behave(USUAL_LATENCY)
    shop.lab.add_release(BAD, latency)
    crowd = traffic(shop.lab.urls(), tmp_path / "crowd.json", inside=shop.lab.inside(), **STEADY_USERS)
    with crowd:
        ended = shifting.run(BAD, playbook="canary", rollout_canary_steps=PATIENT_STEPS)
        seen = crowd.stop()
    assert_traffic_rolled_back(shop, ended, BAD)
    assert "%: fail: latency" in ended.last_line, ended.output
    assert f"{BAD} is marked bad" in ended.last_line
    assert seen["failed"] == 0, seen["failures"]
    p95 = seen["p95"]["keepalive"]
    assert 2.5 < p95[BAD] / p95["1.0.0"] < 3.5, p95
    allowed = requests_by_share(shop, seen["rate"])
    with capsys.disabled():
        print(
            f"\np95 {1000 * p95['1.0.0']:.1f} ms, of the slow version {1000 * p95[BAD]:.1f} ms; {time_to_verdict(shop)}; "
            f"{seen['versions'][BAD]} of {seen['requests']} requests met it, {allowed:.0f} by its share"
        )


@long
def test_no_traffic_is_no_good_news(shop: Shop, shifting: Rolling) -> None:
    shop.lab.add_release("2.0.0")
    ended = shifting.run("2.0.0", playbook="canary", rollout_canary_steps=HASTY_STEPS)
    assert_traffic_rolled_back(shop, ended, "2.0.0")
    assert verdicts(shop) == [(5.0, "no_data")]
    assert "is marked bad" not in ended.last_line


@long
def test_a_source_that_is_down_is_no_good_news(shop: Shop, shifting: Rolling, crowd: Background) -> None:
    shop.lab.add_release("2.0.0")
    metrics = [{"name": "errors", "source": "prometheus", "query": "errors", "limit": "< 1%"}]
    sources = {"prometheus": {"type": "prometheus", "url": "http://127.0.0.1:9"}}
    settings = {"rollout_metrics": metrics, "rollout_metric_sources": sources, "rollout_canary_steps": HASTY_STEPS}
    ended = shifting.run("2.0.0", playbook="canary", **settings)
    assert_traffic_rolled_back(shop, ended, "2.0.0")
    assert verdicts(shop) == [(5.0, "no_data")]
    assert crowd.stop()["failed"] == 0


@long
def test_the_operator_aborts_from_another_terminal(shop: Shop, shifting: Rolling, crowd: Background) -> None:
    shop.lab.add_release("2.0.0")
    run = shifting.start("2.0.0", playbook="canary")
    await_in(run, lambda: bool(happened(shop, "shifted")), "the first share is set")
    call(shop.lab, "localhost", "rollout_control", {"state": "aborted", "service": "shop", "ledger": str(shop.ledger)})
    ended = run.wait()
    assert_traffic_rolled_back(shop, ended, "2.0.0")
    assert "rolled back: the operator aborted it" in ended.last_line
    assert crowd.stop()["failed"] == 0


@long
def test_the_operator_pauses_resumes_and_promotes(shop: Shop, shifting: Rolling, crowd: Background) -> None:
    shop.lab.add_release("2.0.0")
    run = shifting.start("2.0.0", playbook="canary")
    await_in(run, lambda: bool(happened(shop, "shifted")), "the first share is set")
    tell = {"service": "shop", "ledger": str(shop.ledger)}
    call(shop.lab, "localhost", "rollout_control", {"state": "paused", **tell})
    run.wait_at_most(25)
    assert len(happened(shop, "shifted")) == 1
    call(shop.lab, "localhost", "rollout_control", {"state": "resumed", **tell})
    call(shop.lab, "localhost", "rollout_control", {"state": "promoted", "to": "end", **tell})
    ended = run.wait()
    assert ended.exit_code == 0, f"{ended.output}\n{shop.story()}"
    assert [share for share, dummy in verdicts(shop)] == [5.0, 100.0]
    assert crowd.stop()["failed"] == 0
