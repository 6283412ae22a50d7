# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people get wrong: each mistake is refused in a sentence before anything is touched, in check mode too."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest

from .conftest import Site

Settings = t.Dict[str, t.Any]
GO_ON = "; to continue anyway, add -e rollout_accept="
LB = {"host": "lb1", "type": "haproxy", "socket": "{sockets}/lb1.sock", "pool": "shop"}
OWN_STEPS = {"rollout_artifact": "", "rollout_update_tasks": "{files}/update.yml"}
PAUSE = "- name: Wait\n  ansible.builtin.pause: {seconds: 1}\n"
ONCE = "- name: Migrate\n  ansible.builtin.command: 'true'\n  run_once: true\n"
CANARY = {"rollout_canary_group": ["app1"]}
WORLD = "{{ inventory_hostname }}"


@dataclasses.dataclass(frozen=True)
class Mistake:
    """*sentence* is the whole of it, or its beginning where it ends with "..."; {files} is a folder of the test's own."""

    name: str
    settings: Settings
    sentence: str
    playbook: str = "rolling"
    options: tuple[str, ...] = ()
    steps: str = ""
    """The content of {files}/update.yml."""


def refused(name: str, sentence: str, **settings: t.Any) -> Mistake:
    return Mistake(name, settings, sentence)


MISTAKES = [
    # The version
    Mistake("no version", {"rollout_version": ""}, "rollout_version is not set: say what to roll out, such as -e rollout_version=2.1.0."),
    refused(
        "a number for a version",
        'rollout_version is the number 1.1, and YAML reads 2.10 as 2.1: put it in quotes, such as rollout_version: "1.1".',
        rollout_version=1.1,
    ),
    refused("a path for a version", "rollout_version: '1.1/0' cannot name a release; ...", rollout_version="1.1/0"),
    refused(
        "v1.1.0 for 1.1.0",
        "rollout_artifact: {releases}/shop-v1.1.0.tar.gz is not on the controller: there is one of 1.1.0, so give "
        "-e rollout_version=1.1.0.",
        rollout_version="v1.1.0",
    ),
    Mistake(
        "v1.1.0 for 1.1.0, by steps of one's own",
        {**OWN_STEPS, "rollout_version": "v1.1.0"},
        "rollout_version is v1.1.0, but the fleet reports versions such as 1.0.0: give -e rollout_version=1.1.0"
        f"{GO_ON}version.",
        steps="- ansible.builtin.command: 'true'\n",
    ),
    refused("no service", "rollout_service is not set: give the service a name, such as 'shop'.", rollout_service=""),
    refused(
        "a claim directory for each host",
        "rollout_claim_directory is '{files}/app1' on app1 and '{files}/app3' on app3, and only one value can count: give all "
        "hosts of the fleet the same.",
        rollout_claim_directory="{files}/" + WORLD,
    ),
    # What is released
    refused(
        "a missing artifact",
        "rollout_artifact: {releases}/shop-1.2.0.tar.gz is not on the controller: build it, or correct the path.",
        rollout_version="1.2.0",
    ),
    refused(
        "a missing previous artifact",
        "app1 serves 1.0.0, which is neither in {files}/app1 on it nor on the controller as {files}/1.0.0 (rollout_artifact), "
        f"so it could not be rolled back: provide that artifact{GO_ON}previous_release. ...",
        rollout_artifact="{files}/{{ rollout_target.version }}",
        rollout_release_path="{files}/" + WORLD,
    ),
    refused(
        "rollout_version in the artifact's name",
        "rollout_artifact uses rollout_version, which a rollback does not change: use rollout_target.version in its place.",
        rollout_artifact="{releases}/shop-{{ rollout_version }}.tar.gz",
    ),
    refused(
        "rollout_version in the health check",
        "rollout_health uses rollout_version, which a rollback does not change: use rollout_target.version in its place.",
        rollout_health={
            "url": "http://{{ ansible_host }}:{{ shop_port }}/health",
            "expect": "version == '{{ rollout_version }}'",
        },
    ),
    refused("nothing to release", "No update method is configured: set rollout_artifact, or ...", rollout_artifact=""),
    refused("no place for the release", "rollout_release_path is not set: say where ...", rollout_release_path=""),
    refused(
        "a relative place for the release", "rollout_release_path: 'opt/shop' is not absolute: ...", rollout_release_path="opt/shop"
    ),
    refused(
        "an address without a checksum",
        "rollout_artifact_checksum is needed for https://example.com/shop.tar.gz: sha256: and 64 hexadecimal digits.",
        rollout_artifact="https://example.com/shop.tar.gz",
    ),
    refused(
        "a checksum that is none",
        "rollout_artifact_checksum: 'md5:1' is not sha256: and 64 hexadecimal digits.",
        rollout_artifact_checksum="md5:1",
    ),
    refused("nothing to restart", "No restart method is configured: set rollout_unit, or ...", rollout_start_command=""),
    refused(
        "a missing unit",
        "rollout_unit: app1 has no unit shopp.service: correct the name, or install the unit first. ...",
        rollout_unit="shopp.service",
    ),
    refused(
        "a stop timeout longer than the drain's",
        "rollout_drain_timeout: slow.service on app1 takes up to 180 s to stop, for requests that last so long, and a drain "
        f"waits only 60 s for them: set it to 180 or more{GO_ON}stop_timeout. ...",
        rollout_unit="slow.service",
    ),
    # Steps of one's own
    Mistake(
        "a missing task file",
        {"rollout_before_drain_tasks": "silence.yml"},
        "rollout_before_drain_tasks: the task file silence.yml does not exist; correct the path or put the file into one of ...",
    ),
    Mistake("a step that pauses", OWN_STEPS, "{files}/update.yml: 'Wait' uses pause, which aborts the whole run ...", steps=PAUSE),
    Mistake("a step that runs once", OWN_STEPS, "{files}/update.yml: 'Migrate' uses run_once, which has no effect ...", steps=ONCE),
    Mistake(
        "a playbook for a task file",
        OWN_STEPS,
        "The task file {files}/update.yml does not hold a list of tasks: begin each task with '- name:', without 'tasks:'.",
        steps="tasks: []\nname: x\n",
    ),
    Mistake(
        "an include of nothing",
        OWN_STEPS,
        "The task file {files}/inner.yml does not exist: correct the include that names it.",
        steps="- ansible.builtin.include_tasks: inner.yml\n",
    ),
    # Health
    refused("nothing that is healthy", "rollout_health has nothing to probe: give it a 'url', ...", rollout_health={}),
    refused(
        "a health check that fails everywhere",
        "rollout_health fails on all 3 hosts although the load balancers send requests to 3 of them, on app1 with: ...",
        rollout_health={"url": "http://{{ ansible_host }}:{{ shop_port }}/helth"},
    ),
    refused(
        "one address for all hosts",
        "rollout_health: http://{app1}/health is probed for app1 and app2 alike, so one answers for the other: ...",
        rollout_health={"url": "http://{app1}/health", "expect": "version == '{{ rollout_target.version }}'"},
    ),
    refused(
        "a probe from nowhere",
        "rollout_health_from: 'control' is neither 'controller' nor 'host' nor a host of the inventory: name one of them.",
        rollout_health_from="control",
    ),
    refused(
        "smoke tests that go nowhere",
        "rollout_smoke_url is not set, and rollout_health has no url to take it from: set the base URL of the smoke tests.",
        rollout_health={"tcp": "{{ ansible_host }}:{{ shop_port }}"},
        rollout_smoke_tests=[{"url": "/"}],
    ),
    refused(
        "deadlines out of order",
        "rollout_min_healthy_time 10 s, rollout_healthy_deadline 5 s and rollout_progress_deadline 60 s are out of order: each "
        "must be shorter than the next.",
        rollout_min_healthy_time=10,
        rollout_healthy_deadline=5,
    ),
    # Limits
    refused(
        "a misspelt setting",
        "rollout_max_unavailabel is not a setting of steady.rollout: did you mean rollout_max_unavailable?",
        rollout_max_unavailabel=1,
    ),
    refused(
        "all hosts at once",
        "rollout_max_unavailable is 100%, so all hosts might be out of service at once: give a share such as 25%"
        f"{GO_ON}max_unavailable.",
        rollout_max_unavailable="100%",
    ),
    refused(
        "a limit that is no number",
        "rollout_max_unavailable: 'a third' is neither a count such as 2 nor a share such as 25%.",
        rollout_max_unavailable="a third",
    ),
    refused(
        "no host to spare",
        "rollout_min_available 100% of 3 = 3 means that no host could be drained: 3 of 3 hosts can be in service. ...",
        rollout_min_available="100%",
    ),
    refused(
        "a time that is none",
        "rollout_drain_timeout: 'soon' is not a duration; expected seconds, or for example 30s, 5m or 1h30m.",
        rollout_drain_timeout="soon",
    ),
    refused(
        "stages that shrink",
        "rollout_stages: 10% comes after 50%; each stage says how many hosts are on the version when it ends, so the numbers "
        "must grow.",
        rollout_stages=["50%", "10%"],
    ),
    refused(
        "three bake times for one stage",
        "rollout_bake_time: 3 times for 1 stage; give one for each stage, or one for all.",
        rollout_bake_time=[1, 2, 3],
    ),
    # Balancers
    refused(
        "a member of another name",
        "app1: its member 'web-app1' is not in the pool of lb1, which has app1, app2, app3; set rollout_member to the host's "
        "name in the pool, correct the pool, or let the rollout add it (rollout_add_members). ...",
        rollout_member="web-" + WORLD,
    ),
    refused(
        "one member for all",
        "hosts: the member app1 is named twice; each host of the fleet has one of its own, by rollout_member. ...",
        rollout_member="app1",
    ),
    refused(
        "a balancer that the inventory lacks",
        "rollout_balancers: 'lb9' is not in the inventory: add the host, correct its name, or give the balancer a 'connection'.",
        rollout_balancers=[{**LB, "host": "lb9"}],
    ),
    refused(
        "a text for the balancers",
        "Elements value for option 'rollout_balancers' is of type str and we were unable to convert to dict: ...",
        rollout_balancers=["lb1"],
    ),
    refused("a balancer twice", "rollout_balancers: lb1 is listed twice with the same settings: remove one.", rollout_balancers=[LB, LB]),
    refused("a socket that is not there", "Balancer lb1 cannot be used: ...", rollout_balancers=[LB]),
    refused(
        "a second service on the same pool",
        "rollout_service is checkout, but pool shop of lb1 belongs to the service shop: use that name; to continue anyway, "
        "because it was renamed or replaced, add -e rollout_accept=shared_pool. ...",
        rollout_service="checkout",
    ),
    # Metrics
    refused(
        "a metric that says nothing",
        "rollout_metrics: metrics.m: no criterion is set; give a limit, ...",
        rollout_metrics=[{"name": "m", "query": "error_share"}],
    ),
    Mistake(
        "a bake too short for its metrics",
        {**CANARY, "rollout_canary_steps": [{"share": 5, "bake": 4}, {"share": 100, "bake": 20}]},
        "rollout_canary_steps: 4 s is too short for one analysis of the metrics: give it at least the 10 s of "
        f"rollout_analysis_interval, or shorten that{GO_ON}bake.",
        playbook="canary",
    ),
    Mistake(
        "shares that do not reach 100",
        {**CANARY, "rollout_canary_steps": [{"share": 5, "bake": 60}]},
        "rollout_canary_steps: the last share is 5, not 100; the new version must get all traffic.",
        playbook="canary",
    ),
    Mistake("a canary of nobody", {}, "rollout_canary_group names no host: say which hosts get the version first, ...", playbook="canary"),
    # The run itself
    Mistake(
        "a fleet that is not there",
        {"rollout_fleet": "flet"},
        "No host of the group 'flet' is in view, so there is nothing to roll and nothing was touched. ...",
    ),
    Mistake("only some tasks", {}, "--tags and --skip-tags would leave out the task that asks for permission. ...", options=("--tags", "x,always")),
    refused(
        "a coordinator that the inventory lacks",
        "rollout_coordinator: 'db1' is not in the inventory: add the host or name another one.",
        rollout_coordinator="db1",
    ),
    refused(
        "a variable that is not there",
        "rollout_release_path cannot be evaluated: 'shop_home' is undefined; define what it uses.",
        rollout_release_path="{{ shop_home }}",
    ),
    Mistake(
        "nothing to go back to",
        {"rollout_version": ""},
        "shop: no earlier version that is not bad was proven in service on app1, app2, app3, so there is no proven version to "
        "roll back to; name a version proven there, or roll a good version forward.",
        playbook="rollback",
    ),
]  # fmt: skip


def in_place(value: t.Any, places: dict[str, str]) -> t.Any:
    """The value with {files} and the like replaced; braces of templates stay."""
    if isinstance(value, str):
        for name, place in places.items():
            value = value.replace("{" + name + "}", place)
        return value
    if isinstance(value, dict):
        return {key: in_place(one, places) for key, one in value.items()}
    return [in_place(one, places) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("mode", ["run", "check"])
@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_mistake(site: Site, mistake: Mistake, mode: str) -> None:
    places = {
        "files": str(site.files),
        "releases": str(site.fleet.releases),
        "sockets": str(site.files),
        "app1": site.fleet.app_urls()["app1"].partition("://")[2],
    }
    (site.files / "update.yml").write_text(mistake.steps)
    (site.files / "1.1.0").mkdir(exist_ok=True)
    before = site.state()

    settings = in_place({"rollout_version": "1.1.0", **mistake.settings}, places)
    code, output = site.play(mistake.playbook, settings, *mistake.options, *(["--check"] if mode == "check" else []))

    sentence = in_place(mistake.sentence, places)
    assert sentence.removesuffix("...").rstrip() in " ".join(output.split()), output
    assert code == 2, output
    assert site.state() == before
    assert "Traceback" not in output


def test_there_are_enough_of_them() -> None:
    assert len({mistake.name for mistake in MISTAKES}) == len(MISTAKES) >= 30
