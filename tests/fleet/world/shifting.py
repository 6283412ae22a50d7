# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests of shifts of traffic share: groups, short steps, the split as each node has it, and what users met."""

from __future__ import annotations

import json
import typing as t

from fleet.world.fronts import Front
from fleet.world.rolling import Ended
from fleet.world.shop import Shop

COLOURS = {"blue": ["app1", "app2", "app3"], "green": ["app4", "app5", "app6"]}
CANARY = ["app5", "app6"]
QUICK_USERS = {"rate": 160, "keepalive": 8, "close": 4, "slow": 0, "uploads": 4, "upload_seconds": 0.3}
STEADY_USERS = {"rate": 240, "keepalive": 12, "close": 6, "slow": 0, "uploads": 0}
"""None of them slow by themselves, so that the latency is that of the version."""

BLUE_GREEN_SETTINGS: dict[str, t.Any] = {
    "rollout_colours": COLOURS,
    "rollout_live_colour": "blue",
    "rollout_bake_time": 6,
    "rollout_compare": {"seconds": 3, "warm_up": 1, "max_seconds": 9, "negligible": 0.05},
    "rollout_analysis_interval": 2,
}
CANARY_SETTINGS: dict[str, t.Any] = {
    "rollout_canary_group": CANARY,
    "rollout_canary_steps": [
        {"share": 5, "bake": 40},
        {"share": 25, "bake": 15},
        {"share": 50, "bake": 12},
        {"share": 100, "bake": 12},
    ],
    "rollout_analysis_interval": 2,
}


def weights(shop: Shop, balancers: t.Iterable[str]) -> dict[str, dict[str, int]]:
    """The weight of every member on nodes of HAProxy."""
    found = {}
    for balancer in balancers:
        rows = [line.split() for line in shop.servers(balancer).splitlines() if line.strip()]
        names = next(row[1:] for row in rows if row[0] == "#")
        servers = [dict(zip(names, row)) for row in rows if row[0].isdigit() and len(row) > 5]
        found[balancer] = {server["srv_name"]: int(server["srv_uweight"]) for server in servers}
    return found


def carries(shop: Shop, fronts: t.Sequence[Front] = ()) -> set[tuple[str, ...]]:
    """Who has a weight, as each node has it: one set of members where all nodes agree."""
    shown = {front.name: front.carrying() for front in fronts if front.make != "haproxy"}
    others = {tuple(sorted(members)) for members in shown.values()}
    return others | carried_by(shop, [name for name in shop.balancers if name not in shown])


def carried_by(shop: Shop, balancers: t.Iterable[str]) -> set[tuple[str, ...]]:
    """The same of these nodes of HAProxy."""
    found = weights(shop, balancers).values()
    return {tuple(sorted(name for name, weight in of.items() if weight)) for of in found}


def moves(shop: Shop) -> list[tuple[float, dict[str, float]]]:
    """When each split was intended, from the ledger."""
    return [(e["at"], json.loads(e["data"])["split"]) for e in shop.events() if e["kind"] == "shares_intended"]


def verdicts(shop: Shop) -> list[tuple[float, str]]:
    """The share and the verdict of each step that was judged."""
    judged = [json.loads(event["data"]) for event in shop.events() if event["kind"] == "shift_gate"]
    return [(one["share"], one["verdict"]) for one in judged]


def seconds_with_share(shop: Shop, group: str) -> list[tuple[float, float]]:
    """(share in percent, seconds) for every split that was in force, until the next one was shown."""
    shown = [(e["at"], json.loads(e["data"])["split"]) for e in shop.events() if e["kind"] == "shares_shown"]
    return [(split[group], after[0] - at) for (at, split), after in zip(shown, shown[1:])]


def requests_by_share(shop: Shop, rate: float) -> float:
    """How many of *rate* requests a second the canary got, by its shares and how long it had them."""
    return sum(rate * share / 100 * seconds for share, seconds in seconds_with_share(shop, "canary")[1:])


def time_to_verdict(shop: Shop) -> str:
    """From the canary's first share to the last verdict, and on to its share of 0 on every node, in words."""
    shown = [(e["at"], json.loads(e["data"])["split"]["canary"]) for e in shop.events() if e["kind"] == "shares_shown"]
    first = next(at for at, share in shown if share)
    said = next(e for e in reversed(shop.events()) if e["kind"] == "shift_gate")
    home = next(at for at, share in shown if at > said["at"] and not share)
    share = json.loads(said["data"])["share"]
    return f"verdict at {share:g} % after {said['at'] - first:.1f} s, home {home - said['at']:.1f} s later"


def assert_traffic_rolled_back(shop: Shop, ended: Ended, version: str, fronts: t.Sequence[Front] = ()) -> None:
    """The version was rolled back wherever it was, and the usual split is in force."""
    assert ended.exit_code != 0, ended.output
    assert f"{version} rolled back" in ended.last_line, ended.output
    assert_usual_split(shop, fronts)


def assert_usual_split(shop: Shop, fronts: t.Sequence[Front] = ()) -> None:
    assert shop.all_on("1.0.0"), shop.versions()
    assert carries(shop, fronts) == {tuple(shop.apps)}
