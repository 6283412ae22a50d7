# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every mistake in rollout_tiers: one sentence that says what to do, before anything is touched."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.plugin_utils.tiers.settings import Given, services, without_versions

GROUPS = {"api": ["api1", "api2"], "web": ["web1", "web2"], "empty": [], "both": ["web1", "x1"]}
API = {"fleet": "api", "version": "2.0.0"}
WEB = {"fleet": "web", "version": "2.0.0", "requires": {"api": ">=2.0"}}
OF_HOSTS = {
    "api1": {"rollout_service": "shop-api", "rollout_ledger": "", "rollout_coordinator": "localhost"},
    "web1": {"rollout_service": "shop-web", "rollout_ledger": "", "rollout_coordinator": "localhost"},
}


def given(tiers: t.Any, extra: t.Collection[str] = (), lost: str = "", **of_web: t.Any) -> Given:
    hosts = {**OF_HOSTS, "web1": {**OF_HOSTS["web1"], **of_web}}
    in_view = [host for members in GROUPS.values() for host in members if host != lost]
    return Given(tiers=tiers, groups=GROUPS, in_view=in_view, extra=extra, of_host=hosts.__getitem__)


def test_services_come_in_their_order_and_what_is_required_is_needed() -> None:
    found, wrong = services(given({"web": WEB, "api": API}))
    assert wrong == []
    assert [one.shown() for one in found] == [
        {
            "name": "api",
            "service": "shop-api",
            "fleet": "api",
            "version": "2.0.0",
            "revision": "",
            "needs": [],
            "first": "api1",
            "hosts": ["api1", "api2"],
        },
        {
            "name": "web",
            "service": "shop-web",
            "fleet": "web",
            "version": "2.0.0",
            "revision": "",
            "needs": ["api"],
            "first": "web1",
            "hosts": ["web1", "web2"],
        },
    ]


def test_the_revision_of_a_service_belongs_to_its_version() -> None:
    found, wrong = services(given({"api": API, "web": WEB}, rollout_revision="7"))
    assert wrong == []
    assert [one.revision for one in found] == ["", "7"]


def test_the_settings_of_a_host_are_evaluated_once() -> None:
    asked = []
    wanted = given({"web": WEB, "api": API})

    def of_host(name: str) -> t.Any:
        asked.append(name)
        return OF_HOSTS[name]

    assert services(dataclasses.replace(wanted, of_host=of_host))[1] == []
    assert asked == ["api1", "web1"]


def test_the_steps_of_a_canary_without_a_group_are_a_default_and_ask_for_nothing() -> None:
    steps = [{"share": 5, "bake": "5m"}, {"share": 100, "bake": "10m"}]
    tiers = given({"api": API, "web": WEB}, rollout_canary_steps=steps, rollout_canary_group=[], rollout_colours={})
    assert services(tiers)[1] == []


def drill(
    tiers: t.Any = None, *, lost: t.Collection[str] = (), fails: str = "", extra: t.Collection[str] = ()
) -> Given:
    """Of what runs, whichever versions are given for the next release."""
    hosts = {"api2": {**OF_HOSTS["api1"], "__rollout_drill_version": "1.9.0"}, "web1": OF_HOSTS["web1"]}
    wanted = given(tiers or {"web": {"fleet": "web", "needs": ["api"]}, "api": {"fleet": "api"}}, extra)
    in_view = [host for host in wanted.in_view if host not in ("api1", *lost)]
    return dataclasses.replace(wanted, in_view=in_view, of_host=hosts.__getitem__, drill=True, fails=fails)


@pytest.mark.parametrize(
    ("fails", "revisions"),
    [("", ["tiers-drill", "rollback-drill"]), ("api", ["rollback-drill", "tiers-drill"])],
)
def test_a_drill_rolls_one_host_in_view_of_each_service_on_the_version_that_runs(fails: str, revisions: t.Any) -> None:
    found, wrong = services(drill(fails=fails))
    assert wrong == []
    assert [(one.name, one.version, one.first, one.hosts) for one in found] == [
        ("api", "1.9.0", "api2", ["api2"]),
        ("web", "", "web1", ["web1"]),
    ]
    assert [one.revision for one in found] == revisions


def test_the_versions_of_the_next_release_are_not_evaluated_for_a_drill() -> None:
    assert without_versions({"api": {"fleet": "api", "version": "{{ api_version }}"}}) == {"api": {"fleet": "api"}}
    for wrong in ("{{ tiers }}", None, {"api": "2.0.0"}):
        assert without_versions(wrong) == wrong


MISTAKES: dict[str, tuple[Given, str]] = {
    "nothing": (
        given(None),
        'rollout_tiers must be a dictionary of services, such as {api: {fleet: api, version: "2.0.0"}}.',
    ),
    "too many": (
        given({f"s{number}": API for number in range(9)}),
        "rollout_tiers: expected at most 8 services, found 9. Release some of them separately.",
    ),
    "name": (
        given({"the api": API}),
        "rollout_tiers.the api: expected a name of letters, digits, '_', '-' and '.' only.",
    ),
    "no dictionary": (
        given({"api": "2.0.0"}),
        "rollout_tiers.api must be a dictionary with fleet, needs, requires, version.",
    ),
    "unknown key": (
        given({"api": {**API, "need": []}}),
        "rollout_tiers.api: 'need' is not a setting; the settings are fleet, needs, requires, version.",
    ),
    "no fleet": (
        given({"api": {"version": "2.0.0"}}),
        "rollout_tiers.api.fleet is not set: set it to the group of the service's hosts.",
    ),
    "needs is a word": (
        given({"api": API, "web": {**WEB, "needs": "api"}}),
        "rollout_tiers.web.needs must be a list of services, such as [api].",
    ),
    "requires is a list": (
        given({"api": API, "web": {**WEB, "requires": ["api"]}}),
        "rollout_tiers.web.requires must be a dictionary of services and versions, such as {api: '>=2.0'}.",
    ),
    "unknown service": (
        given({"api": API, "web": {**WEB, "needs": ["app"]}}),
        "rollout_tiers.web.needs: expected one of api, web, found app.",
    ),
    "circle": (
        given({"api": {**API, "needs": ["web"]}, "web": WEB}),
        "rollout_tiers has a circular dependency: api needs web needs api. Remove one of these needs.",
    ),
    "number": (
        given({"api": {**API, "version": 2.1}}),
        'rollout_tiers.api.version is the number 2.1, and YAML reads 2.10 as 2.1: put it in quotes, such as version: "2.1".',
    ),
    "no version": (
        given({"api": {"fleet": "api", "version": ""}}),
        "rollout_tiers.api.version is not set: set it to the version to roll out.",
    ),
    "not compatible": (
        given({"api": {**API, "version": "1.9.0"}, "web": WEB}),
        "web 2.0.0 requires api >=2.0, but this release has api 1.9.0. Release versions that work together, or correct "
        "rollout_tiers.web.requires.api.",
    ),
    "no constraint": (
        given({"api": API, "web": {**WEB, "requires": {"api": "2.0"}}}),
        "rollout_tiers.web.requires.api: '2.0' is not a constraint such as '>=2.0' or '>=2.0,<3'.",
    ),
    "no order": (
        given({"api": {**API, "version": "d34db33f"}, "web": WEB}),
        "rollout_tiers.web.requires.api: cannot compare 'd34db33f' with '>=2.0': expected a version such as 2.1.0.",
    ),
    "empty group": (
        given({"api": {**API, "fleet": "empty"}}),
        "rollout_tiers.api.fleet: the group 'empty' has no hosts; correct the name or the inventory.",
    ),
    "unknown group": (
        given({"api": {**API, "fleet": "apis"}}),
        "rollout_tiers.api.fleet: the group 'apis' has no hosts; correct the name or the inventory.",
    ),
    "limit": (
        given({"api": API}, lost="api2"),
        "api: --limit leaves out api2, but whole services are released together. Run without --limit.",
    ),
    "one host, two services": (
        given({"web": {**WEB, "requires": {}}, "jobs": {"fleet": "both", "version": "2.0.0"}}),
        "web1 is in the groups of web and jobs, which have settings of their own: give the host one name in the inventory for "
        "each service, with the same ansible_host.",
    ),
    "one lease": (
        given({"api": API, "web": WEB}, rollout_service="shop-api"),
        "rollout_service is shop-api for both api and web, but each service needs its own lease. Set rollout_service in "
        "the group variables of web.",
    ),
    "no service": (
        given({"api": API, "web": WEB}, rollout_service=""),
        "rollout_service is not set for the group web: set it to a name of its own for web.",
    ),
    "two ledgers": (
        given({"api": API, "web": WEB}, rollout_ledger="/srv/ledger"),
        "rollout_ledger is '/srv/ledger' for web and '' for api, but a release has one ledger. Set the same value for all "
        "services.",
    ),
    "two colours": (
        given({"api": API, "web": WEB}, rollout_colours={"blue": "blue", "green": "green"}),
        "rollout_colours is set for web, but a service of rollout_tiers is released by a rolling deployment: remove "
        "rollout_colours, or take web out of rollout_tiers and release it with blue_green.yml.",
    ),
    "canary": (
        given({"api": API, "web": WEB}, rollout_canary_group="canaries", rollout_canary_steps=[{"hosts": 1}]),
        "rollout_canary_group is set for web, but a service of rollout_tiers is released by a rolling deployment: remove "
        "rollout_canary_group, or take web out of rollout_tiers and release it with canary.yml.",
    ),
    "canary by number of hosts": (
        given({"api": API, "web": WEB}, rollout_canary_steps=[{"hosts": 1, "bake": "5m"}, {"hosts": "50%"}]),
        "rollout_canary_steps is set for web, but a service of rollout_tiers is released by a rolling deployment: remove "
        "rollout_canary_steps, or take web out of rollout_tiers and release it with canary.yml.",
    ),
    "version with -e": (
        given({"api": API}, extra=["rollout_version"]),
        "rollout_version is set with -e, which would apply to every service: remove it, and set the version of each "
        "service in rollout_tiers.",
    ),
    "drill of an unknown service": (
        drill(fails="app"),
        "rollout_drill_service: expected one of web, api, found app; name the service that is to fail.",
    ),
    "drill without a host of a service": (
        drill(lost=("web1", "web2")),
        "web: --limit leaves out all of its hosts, but a drill needs one of each service; name one in --limit.",
    ),
    "drill with a version": (
        drill(extra=["rollout_version"]),
        "rollout_version is set with -e, which would apply to every service: remove it.",
    ),
    "drill that is to be rolled back": (
        drill(extra=["rollout_resume"]),
        "rollout_resume is set with -e, but a drill is resumed by the same command: remove it. To end an interrupted drill, run "
        "tiers.yml with -e rollout_resume=revert.",
    ),
    "fleet with -e": (
        given({"api": API}, extra=["rollout_fleet"]),
        "rollout_fleet is set with -e, which would apply to every service: remove it.",
    ),
}


@pytest.mark.parametrize(("wrong", "sentence"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_refused_in_one_sentence(wrong: Given, sentence: str) -> None:
    assert services(wrong) == ([], [sentence])
