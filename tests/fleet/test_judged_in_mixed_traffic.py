# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fast pages among slow downloads and uploads: what a gate stops in its first step, what it lets pass, and how soon.

Every case is run behind every balancer, and prints what was seen of it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import pathlib
import re
import statistics
import typing as t

import pytest
from fleet.world.configured import LOGGED, configured
from fleet.world.fronts import Front
from fleet.world.rolling import Ended, Rolling
from fleet.world.shifting import CANARY_SETTINGS, carries
from fleet.world.shop import Shop
from support.background import Background, traffic

pytestmark = pytest.mark.long
PATIENCE = 600.0
MIX = {"rate": 120, "keepalive": 12, "close": 4, "slow": 8, "slow_seconds": 2.5, "uploads": 8, "upload_seconds": 1.2}
PAGES = {"latency": 0.020, "spread": 0.4}
THRICE = {"latency": 0.060, "spread": 0.4}
SOME_ERRORS, TWICE = {**PAGES, "errors": 0.02}, {**PAGES, "errors": 0.04}
CANARY = {**CANARY_SETTINGS, "rollout_canary_steps": [{"share": 25, "bake": 60}, {"share": 100}]}
LONG_CANARY = {**CANARY_SETTINGS, "rollout_canary_steps": [{"share": 25, "bake": 240}, {"share": 100}]}
STAGES = {
    "rollout_stages": [1, "100%"],
    "rollout_metric_window": 60,
    "rollout_metrics": [
        {"name": "errors", "query": "error_share", "judge": True, "critical": True},
        {"name": "latency", "query": "latency", "unit": "ms", "judge": True},
    ],
}
FORECAST = re.compile(r"step 1 \(25 %\): .*twice the errors are detected in about (\d+) (seconds|minutes)")
FACTOR = 1.5
MAKES = {"HAProxy": "haproxy", "nginx": "nginx", "Apache": "apache", "Envoy": "envoy"}


@dataclasses.dataclass(frozen=True)
class Case:
    """A release, and what its first gate has to say of it; *metric* is the one that fails."""

    name: str
    release: dict[str, t.Any]
    metric: str = ""
    usual: dict[str, t.Any] = dataclasses.field(default_factory=lambda: PAGES)
    settings: dict[str, t.Any] = dataclasses.field(default_factory=lambda: CANARY)
    releases: int = 1
    """How often it is released, under another version each time."""
    is_forecast: bool = False
    """Whether the time to the verdict is held to what the plan said."""

    @property
    def playbook(self) -> str:
        return "canary" if "rollout_canary_steps" in self.settings else "rolling"


CASES = (
    Case("pages three times as slow", THRICE, "latency"),
    Case("pages three times as slow in a stage of one host", THRICE, "latency", settings=STAGES),
    Case("one path that fails", {**PAGES, "errors": 1.0, "errors_on": "/upload"}, "errors"),
    Case("slow for its first minute", {**PAGES, "warm_up": 60}, settings=LONG_CANARY),
    Case("one burst", {**PAGES, "burst": 8, "burst_after": 25}),
    Case("doubled errors", TWICE, "errors", usual=SOME_ERRORS, releases=3, is_forecast=True),
)
"""Doubled errors are held to the median of three releases: a single one is found earlier or later by luck."""


class Judged(t.NamedTuple):
    """What the first gate said of one release, after how many seconds, and how many the plan had named for it."""

    verdict: str
    seconds: float
    forecast: float | None


@pytest.fixture
def case(request: pytest.FixtureRequest, shop: Shop) -> Case:
    """Every instance behaves as usual in this case, before other balancers than HAProxy take over."""
    case: Case = request.param
    shop.behave(case.usual)
    return case


@pytest.fixture
def rolling(shop: Shop, case: Case, fronts: list[Front]) -> t.Iterator[Rolling]:
    balancers = [front.logged_entry() for front in fronts]
    with configured(shop, LOGGED) if fronts[0].make == "haproxy" else contextlib.nullcontext():
        yield Rolling(shop.lab, {**case.settings, "rollout_analysis_interval": 5, "rollout_balancers": balancers})


@pytest.fixture
def crowd(shop: Shop, rolling: Rolling, tmp_path: pathlib.Path) -> t.Iterator[Background]:
    with traffic(shop.lab.urls(), tmp_path / "crowd.json", inside=shop.lab.inside(), **MIX) as crowd:
        yield crowd


@pytest.mark.parametrize("fronts", [pytest.param(make, id=title) for title, make in MAKES.items()], indirect=True)
@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES], indirect=True)
def test_the_first_gate_says_what_the_release_is(
    shop: Shop, case: Case, fronts: list[Front], rolling: Rolling, crowd: Background, capsys: pytest.CaptureFixture[str]
) -> None:
    judged = []
    for number in range(case.releases):
        version = f"2.0.{number}"
        shop.lab.add_release(version, case.release)
        ended = rolling.start(version, playbook=case.playbook).wait(PATIENCE, silent=True)
        judged.append(first_gate(shop, ended))
        tell(capsys, fronts[0], case, judged[-1], crowd)
        if case.metric:
            assert_stopped(shop, fronts, ended, version, case.metric)
        else:
            assert_let_pass(shop, ended, version)
    if case.is_forecast:
        assert_as_forecast(judged)


def assert_stopped(shop: Shop, fronts: list[Front], ended: Ended, version: str, metric: str) -> None:
    """Who has a weight shows at HAProxy and Envoy; the others are read by the run itself, which says how it ended."""
    assert ended.exit_code != 0, ended.output
    first = r"the gate (at 25 %|of stage 1)"
    assert re.search(rf"{version} rolled back: {first}: fail: {metric}.* {version} is marked bad", ended.last_line), (
        ended.output
    )
    assert shop.all_on("1.0.0"), shop.versions()
    if fronts[0].make in ("haproxy", "envoy"):
        assert carries(shop, fronts) == {tuple(shop.apps)}


def assert_let_pass(shop: Shop, ended: Ended, version: str) -> None:
    assert ended.exit_code == 0, f"{ended.output}\n{shop.story()}"
    assert shop.all_on(version), shop.versions()


def assert_as_forecast(judged: t.Sequence[Judged]) -> None:
    forecasts = [each.forecast for each in judged if each.forecast is not None]
    assert len(forecasts) == len(judged), judged
    factor = statistics.median(each.seconds for each in judged) / statistics.median(forecasts)
    assert 1 / FACTOR <= factor <= FACTOR, judged


def first_gate(shop: Shop, ended: Ended) -> Judged:
    """Of the newest rollout. A step is judged from when the canary has its share, a stage from the claim of its gate."""
    events = shop.events()
    newest = [event for event in events if event["rollout"] == events[-1]["rollout"]]
    said = next((event for event in newest if event["kind"] in ("shift_gate", "gate")), None)
    assert said is not None, f"no gate said anything:\n{ended.output}\n{shop.story()}"
    began = [event["at"] for event in newest if event["at"] < said["at"] and begins_gate(event)]
    return Judged(json.loads(said["data"])["verdict"], said["at"] - began[-1], forecast(ended))


def begins_gate(event: t.Mapping[str, t.Any]) -> bool:
    if event["kind"] == "shares_shown":
        return bool(json.loads(event["data"])["split"]["canary"])
    return bool(event["kind"] == "gate_claimed")


def forecast(ended: Ended) -> float | None:
    """The seconds that the plan named for twice the errors."""
    found = FORECAST.search(ended.output)
    return float(found.group(1)) * (60 if found.group(2) == "minutes" else 1) if found else None


def tell(capsys: pytest.CaptureFixture[str], front: Front, case: Case, judged: Judged, crowd: Background) -> None:
    seen = crowd.report()
    planned = f", {judged.forecast:.0f} s in the plan" if case.is_forecast and judged.forecast else ""
    with capsys.disabled():
        print(
            f"\n{front.make}, {case.name}: {judged.verdict} after {judged.seconds:.0f} s{planned}; "
            f"{seen['failed']} of {seen['requests']} requests failed so far"
        )
