# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pathlib
import typing as t

import pytest
import yaml

from ansible_collections.steady.rollout.plugins.plugin_utils.preflight import names, settings
from ansible_collections.steady.rollout.plugins.plugin_utils.preflight.findings import accepted, refusals

DEFAULTS = pathlib.Path(__file__).resolve().parents[5] / "roles" / "rollout" / "defaults" / "main.yml"
LB = {"host": "lb1", "type": "haproxy", "socket": "/run/haproxy/admin.sock", "pool": "shop"}
GOOD: dict[str, t.Any] = {
    **yaml.safe_load(DEFAULTS.read_text(encoding="utf-8")),
    "rollout_service": "shop",
    "rollout_version": "2.1.0",
    "rollout_revision": "",
    "rollout_health": {"url": "http://app1/health"},
    "rollout_artifact": __file__,
    "rollout_release_path": "/opt/shop",
    "rollout_unit": "shop",
    "rollout_balancers": [LB],
}
GROUPS = {"all": ["app1", "app2", "lb1", "lb2"], "fleet": ["app1", "app2"]}
OWN_STEPS = {
    "rollout_update_tasks": "update.yml",
    "rollout_artifact": "",
    "rollout_unit": "",
    "rollout_release_path": "",
}
METRIC = {"name": "errors", "source": "prom", "query": "sum(rate(errors_total[5m]))", "limit": "< 1%"}
PROM = {"prom": {"type": "prometheus", "url": "http://prom:9090"}}


def sentences(change: dict[str, t.Any], artifact: str = __file__, **given: t.Any) -> list[str]:
    values = {**GOOD, **change}
    places = {
        "direction": "forward",
        "strategy": "",
        "fleet": GROUPS["fleet"],
        "groups": GROUPS,
        "depends": (),
        **given,
    }
    found = settings.findings(
        settings.Given(values=values, artifact_for=lambda version: artifact.replace("VERSION", version), **places)
    )
    return refusals(found, accepted(values["rollout_accept"]))


def test_settings_that_fit_together_pass() -> None:
    assert sentences({}) == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"rollout_service": ""}, "rollout_service is not set: give the service a name, such as 'shop'."),
        (
            {"rollout_version": ""},
            "rollout_version is not set: say what to roll out, such as -e rollout_version=2.1.0.",
        ),
        (
            {"rollout_veto": "x"},
            "rollout_veto must be a list of rules, such as [{type: postgresql, group: databases}].",
        ),
        (
            {"rollout_veto": [{"type": "quorum", "group": "databases"}]},
            "rollout_veto[0].group: 'databases' is not a group in the inventory: correct its name.",
        ),
        ({"rollout_veto_poll": 0}, "rollout_veto_poll: expected more than 0 s, found 0."),
        (
            {"rollout_version": 2.1},
            'rollout_version is the number 2.1, and YAML reads 2.10 as 2.1: put it in quotes, such as rollout_version: "2.1".',
        ),
        (
            {"rollout_revision": 2.1},
            'rollout_revision is the number 2.1, and YAML reads 2.10 as 2.1: put it in quotes, such as rollout_revision: "2.1".',
        ),
        (
            {"rollout_revision": "7/x"},
            "rollout_revision: '7/x' cannot name a release; use letters, digits and . _ + ~ -, starting with a letter, digit "
            "or _, at most 128 of them, and none of current, previous, releases, shared.",
        ),
        (
            {"rollout_version": "2.1/x"},
            "rollout_version: '2.1/x' cannot name a release; use letters, digits and . _ + ~ -, starting with a letter, digit "
            "or _, at most 128 of them, and none of current, previous, releases, shared.",
        ),
        (
            {"rollout_health": {}},
            "rollout_health has nothing to probe: give it a 'url', a 'tcp' address or a 'command'.",
        ),
        (
            {"rollout_health": "http://x"},
            "rollout_health has nothing to probe: give it a 'url', a 'tcp' address or a 'command'.",
        ),
        (
            {"rollout_artifact": ""},
            "No update method is configured: set rollout_artifact, or rollout_update_tasks to a task file of your own.",
        ),
        (
            {"rollout_release_path": ""},
            "rollout_release_path is not set: say where on the hosts the releases live, such as /opt/shop.",
        ),
        (
            {"rollout_release_path": "opt/shop"},
            "rollout_release_path: 'opt/shop' is not absolute: give the whole path, such as /opt/shop.",
        ),
        (
            {"rollout_unit": ""},
            "No restart method is configured: set rollout_unit, or rollout_stop_command and rollout_start_command.",
        ),
        (
            {"rollout_artifact_checksum": "sha256:12"},
            "rollout_artifact_checksum: 'sha256:12' is not sha256: and 64 hexadecimal digits.",
        ),
        (
            {"rollout_health": {"tcp": "app1:80"}, "rollout_smoke_tests": [{"url": "/"}]},
            "rollout_smoke_url is not set, and rollout_health has no url to take it from: set the base URL of the smoke tests.",
        ),
        (
            {"rollout_restore_after": "20s"},
            "rollout_restore_after is 20 s, so a heartbeat that is late would count as none: set at least 30 s, or 0 for no "
            "restore timer.",
        ),
        (
            {"rollout_restore_after": "soon"},
            "rollout_restore_after: 'soon' is not a duration; expected seconds, or for example 30s, 5m or 1h30m.",
        ),
        (
            {"rollout_balancers": "lb1"},
            "rollout_balancers must be a list of load balancers, such as "
            "[{host: lb1, type: haproxy, socket: /run/haproxy/admin.sock, pool: shop}].",
        ),
        (
            {"rollout_balancers": [{**LB, "host": "lb9"}]},
            "rollout_balancers: 'lb9' is not in the inventory: add the host, correct its name, or give the balancer a "
            "'connection'.",
        ),
        (
            {"rollout_balancers": [LB, LB]},
            "rollout_balancers: lb1 is listed twice with the same settings: remove one.",
        ),
        (
            {"rollout_health_from": "control"},
            "rollout_health_from: 'control' is neither 'controller' nor 'host' nor a host of the inventory: name one of them.",
        ),
        (
            {"rollout_coordinator": "db1"},
            "rollout_coordinator: 'db1' is not in the inventory: add the host or name another one.",
        ),
        (
            {"rollout_drain_timeout": "soon"},
            "rollout_drain_timeout: 'soon' is not a duration; expected seconds, or for example 30s, 5m or 1h30m.",
        ),
        (
            {"rollout_metric_before": "soon"},
            "rollout_metric_before: 'soon' is not a duration; expected seconds, or for example 30s, 5m or 1h30m.",
        ),
        (
            {"rollout_max_unavailable": "25 percent"},
            "rollout_max_unavailable: '25 percent' is neither a count such as 2 nor a share such as 25%.",
        ),
        (
            {"rollout_max_unavailable": "100%"},
            "rollout_max_unavailable is 100%, so all hosts might be out of service at once: give a share such as 25%; to continue "
            "anyway, add -e rollout_accept=max_unavailable.",
        ),
        (
            {"rollout_bake_time": [1, 2, 3]},
            "rollout_bake_time: 3 times for 1 stage; give one for each stage, or one for all.",
        ),
        (
            {"rollout_metrics": [METRIC], "rollout_metric_sources": PROM, "rollout_metric_window": 60},
            "rollout_metric_window: 60 s is shorter than the 300 s that the query of the metric 'errors' looks back, so it would "
            "judge the time before the release: bake longer, or shorten the query's range; to continue anyway, add "
            "-e rollout_accept=bake.",
        ),
        (
            {"rollout_metrics": [METRIC]},
            "rollout_metrics: metrics: there is no source 'prom'; there are balancer. Define it in sources.",
        ),
        (
            {"rollout_window": {"window": []}},
            "rollout_window: 'window' is not a setting; the settings are windows, zone, blackouts, freezes, sites, state, "
            "wait_limit, host_duration, needed.",
        ),
        (
            {"rollout_window": "FREQ=DAILY"},
            "rollout_window must be a dictionary with windows, zone, blackouts, freezes, sites, state, wait_limit, "
            "host_duration, needed; it is 'FREQ=DAILY'.",
        ),
        ({"rollout_metric_sources": []}, "rollout_metric_sources must be a dictionary of sources by name."),
    ],
)
def test_each_setting_that_does_not_fit_gets_one_sentence(change: dict[str, t.Any], sentence: str) -> None:
    assert sentences(change) == [sentence]


def test_an_artifact_that_is_not_there_is_found_before_a_host_is_asked(tmp_path: pathlib.Path) -> None:
    missing = str(tmp_path / "shop-VERSION.tar.gz")
    assert sentences({}, missing) == [
        f"rollout_artifact: {tmp_path}/shop-2.1.0.tar.gz is not on the controller: build it, or correct the path."
    ]
    (tmp_path / "shop-2.1.0.tar.gz").touch()
    assert sentences({"rollout_version": "v2.1.0"}, missing) == [
        f"rollout_artifact: {tmp_path}/shop-v2.1.0.tar.gz is not on the controller: there is one of 2.1.0, so give "
        "-e rollout_version=2.1.0."
    ]


def test_a_rollback_needs_no_artifact_of_the_version_it_leaves(tmp_path: pathlib.Path) -> None:
    missing = str(tmp_path / "shop-VERSION.tar.gz")
    assert sentences({}, missing, direction="back") == []
    assert sentences({"rollout_resume": "revert", "rollout_version": ""}, missing) == []


def test_an_address_needs_a_checksum_and_is_not_looked_for_here() -> None:
    address = "https://example.com/shop.tar.gz"
    assert sentences({}, address) == [
        f"rollout_artifact_checksum is needed for {address}: sha256: and 64 hexadecimal digits."
    ]
    assert sentences({"rollout_artifact_checksum": "sha256:" + "0" * 64}, address) == []


def test_a_rollback_installed_the_version_asked_for_since_the_artifact_used_rollout_version() -> None:
    assert sentences({}, depends=["rollout_artifact"]) == [
        "rollout_artifact uses rollout_version, which a rollback does not change: use rollout_target.version in its place."
    ]


@pytest.mark.parametrize(
    ("strategy", "change", "sentence"),
    [
        (
            "canary",
            {"rollout_canary_group": ["app1"], "rollout_canary_steps": [{"share": 5, "bake": "5m"}]},
            "rollout_canary_steps: the last share is 5, not 100; the new version must get all traffic.",
        ),
        (
            "canary",
            {"rollout_canary_group": ["app1"], "rollout_canary_steps": [{"share": 5, "bake": 4}, {"share": 100}]},
            "rollout_canary_steps: 4 s is too short for one analysis of the metrics: give it at least the 10 s of "
            "rollout_analysis_interval, or shorten that; to continue anyway, add -e rollout_accept=bake.",
        ),
        (
            "canary",
            {"rollout_canary_group": ["app1", "app2"]},
            "rollout_canary_group: 'main' has no hosts; give the names that they have in the inventory.",
        ),
        (
            "blue_green",
            {"rollout_colours": {"blue": ["app1"], "green": ["app1"]}},
            "rollout_colours: app1 is in blue and in green; a host belongs to one of them.",
        ),
        (
            "blue_green",
            {"rollout_colours": {"blue": ["app1"], "green": ["app2"]}, "rollout_live_colour": "red"},
            "rollout_live_colour: 'red' is not one of the groups blue, green.",
        ),
    ],
)
def test_shifts_that_cannot_work_are_refused_by_the_settings_names(
    strategy: str, change: dict[str, t.Any], sentence: str
) -> None:
    assert sentences(change, strategy=strategy) == [sentence]


@pytest.mark.parametrize(
    ("name", "strategy", "change"),
    [
        ("rollout_analysis_interval", "", {"rollout_metrics": [METRIC], "rollout_metric_sources": PROM}),
        ("rollout_metric_window", "", {"rollout_metrics": [METRIC], "rollout_metric_sources": PROM}),
        ("rollout_analysis_interval", "canary", {"rollout_canary_group": ["app1"]}),
    ],
)
def test_a_gate_without_time_to_measure_was_noticed_once_hosts_were_updated(
    name: str, strategy: str, change: dict[str, t.Any]
) -> None:
    assert sentences({**change, name: 0}, strategy=strategy) == [f"{name}: expected more than 0 s, found 0."]


@pytest.mark.parametrize("name", ["rollout_analysis_interval", "rollout_metric_window"])
def test_time_to_measure_is_not_needed_where_no_metric_judges(name: str) -> None:
    assert sentences({name: 0}) == []


def test_what_is_accepted_is_not_refused() -> None:
    assert sentences({"rollout_max_unavailable": "100%", "rollout_accept": ["max_unavailable"]}) == []
    assert sentences({"rollout_max_unavailable": "100%", "rollout_accept": "bake,max_unavailable"}) == []


def test_what_cannot_work_at_all_cannot_be_accepted() -> None:
    assert sentences({"rollout_service": "", "rollout_accept": ["", "rollout_service"]}) == [
        "rollout_service is not set: give the service a name, such as 'shop'."
    ]


def test_smoke_tests_with_whole_urls_need_no_base() -> None:
    own = {"rollout_health": {"tcp": "app1:80"}, "rollout_smoke_tests": [{"url": "http://app1/"}]}
    assert sentences(own) == []
    assert sentences({**own, "rollout_smoke_tests": [{"url": "/"}], "rollout_smoke_url": "x"}) == []


def test_own_update_tasks_need_neither_artifact_nor_unit() -> None:
    assert sentences(OWN_STEPS) == []


def test_a_misspelt_setting_did_nothing_silently() -> None:
    assert names.unknown(["rollout_max_unavailabel", "rollout_fleet", "rollout_target", "ansible_host"]) == [
        "rollout_max_unavailabel is not a setting of steady.rollout: did you mean rollout_max_unavailable?"
    ]
    assert names.unknown(["rollout_colour_of_the_cat"]) == [
        "rollout_colour_of_the_cat is not a setting of steady.rollout: rename it, since names with rollout_ are the "
        "collection's own."
    ]


def test_every_default_of_the_role_is_a_known_setting() -> None:
    assert names.unknown(yaml.safe_load(DEFAULTS.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("operation", ["restart", "patch", "reconfigure"])
def test_what_keeps_the_version_needs_none_to_be_named(operation: str) -> None:
    assert sentences({"rollout_version": ""}, operation=operation) == []
