# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who meets the new version: testers before everybody else, and a client that is tied to a server never both in turn."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from fleet.lab.files import balancer
from fleet.lab.hosts import Lab
from fleet.world.configured import ROUTES, STICKY, TESTERS, configured
from fleet.world.faults import await_in, happened
from fleet.world.rolling import Rolling
from fleet.world.shifting import CANARY_SETTINGS, carries, verdicts
from fleet.world.shop import Shop
from support.background import Background, traffic

pytestmark = pytest.mark.long
TESTER = {"rate": 1, "keepalive": 1, "close": 0, "slow": 0, "uploads": 0, "sticky": 2, "tester": "X-Canary: new"}
ROUTE = {"header": "X-Canary", "value": "new", "target": "shop-canary"}
STEPS = [{"share": 0, "bake": 8}, {"share": 5, "bake": 4}, {"share": 50, "bake": 4}, {"share": 100, "bake": 4}]
SETTINGS = {**CANARY_SETTINGS, "rollout_canary_steps": STEPS, "rollout_metric_gate": False}


@pytest.fixture
def shifting(fleet: Lab) -> Rolling:
    return Rolling(fleet, SETTINGS)


def people(shop: Shop, tmp_path: pathlib.Path, **mix: t.Any) -> Background:
    return traffic(shop.lab.urls(), tmp_path / "people.json", inside=shop.lab.inside(), **mix)


def with_routes(lab: Lab) -> list[dict[str, t.Any]]:
    """rollout_balancers, with the file of their routes."""
    return [{**balancer(host), "route_file": ROUTES} for host in lab.hosts if host.role == "lb"]


def test_testers_meet_the_new_version_before_it_has_any_share(
    shop: Shop, shifting: Rolling, tmp_path: pathlib.Path
) -> None:
    shop.lab.add_release("2.0.0")
    with configured(shop, TESTERS), people(shop, tmp_path, **TESTER) as testers:
        settings = {"rollout_balancers": with_routes(shop.lab), "rollout_header_route": ROUTE}
        run = shifting.start("2.0.0", playbook="canary", **settings)
        await_in(run, lambda: bool(happened(shop, "shifted")), "the share of 0 is set")
        await_in(run, lambda: "2.0.0" in testers.report()["journeys"].get("sticky0", []), "a tester met it")
        assert carries(shop) == {("app1", "app2", "app3", "app4")}, shop.story()
        ended = run.wait()
        assert ended.exit_code == 0, f"{ended.output}\n{shop.story()}"
        assert verdicts(shop)[0] == (0.0, "pass")
        assert {shop.read(name, ROUTES).strip() for name in shop.balancers} == {""}
        seen = testers.stop()
    assert seen["failed"] == 0, seen["failures"]
    assert set(map(tuple, seen["journeys"].values())) == {("1.0.0", "2.0.0")}


def test_a_route_that_cannot_be_set_is_reported_and_stops_nothing(shop: Shop, shifting: Rolling) -> None:
    """The nodes have neither the map nor such a backend."""
    shop.lab.add_release("2.0.0")
    settings = {"rollout_balancers": with_routes(shop.lab), "rollout_header_route": ROUTE}
    for name in shop.balancers:
        shop.lab.run(name, ["touch", ROUTES])
    ended = shifting.run("2.0.0", playbook="canary", **settings)
    assert ended.exit_code == 0, f"{ended.output}\n{shop.story()}"
    lines = [line for line in ended.output.splitlines() if "testers' requests are not routed as wanted" in line]
    assert any("lb1" in line for line in lines), ended.output
    assert any("lb2" in line for line in lines), ended.output
    assert shop.all_on("2.0.0"), shop.versions()


@pytest.mark.parametrize("version", ["2.0.0", "6.6.6"])
def test_a_client_that_is_tied_to_a_server_changes_its_version_once_each_way(
    shop: Shop, shifting: Rolling, tmp_path: pathlib.Path, version: str
) -> None:
    """By a cookie, as roles/canary/README.md has it.

    The gate's step failed on one driver only, and the other one left the shift: traffic was halved, and nobody concluded.
    """
    shop.lab.add_release("2.0.0")
    shop.lab.add_release("6.6.6")
    step = tmp_path / "gate.yml"
    step.write_text(REFUSES_666, encoding="utf-8")
    mix = {"rate": 20, "keepalive": 2, "close": 2, "slow": 0, "uploads": 0, "sticky": 24, "sticky_pause": 0.4}
    with configured(shop, STICKY), people(shop, tmp_path, **mix) as clients:
        ended = shifting.run(version, playbook="canary", rollout_canary_steps=STEPS[1:], rollout_gate_tasks=str(step))
        seen = clients.stop()
    journeys = sorted(set(map(tuple, seen["journeys"].values())))
    assert seen["failed"] == 0, seen["failures"]
    if version == "2.0.0":
        assert ended.exit_code == 0, f"{ended.output}\n{shop.story()}"
        assert journeys == [("1.0.0", "2.0.0")]
    else:
        assert "6.6.6 rolled back" in ended.last_line, ended.output
        assert journeys in ([("1.0.0",)], [("1.0.0",), ("1.0.0", "6.6.6", "1.0.0")]), journeys


REFUSES_666 = """\
- name: Refuse a version once it has half of the traffic
  ansible.builtin.command: "false"
  when: rollout_version == '6.6.6' and rollout_share | int >= 50
  changed_when: false
"""
