# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of a release by a flag: hosts are no baseline, and what cannot be right is refused in a sentence."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.plugin_utils.flags.release_settings import ReleaseRequest, request_of

REDIS = {"type": "redis", "address": "10.0.0.5:6379", "password": "open sesame"}
SOURCES = {"prom": {"type": "prometheus", "url": "http://prometheus:9090"}}
BY_VARIANT = {
    "name": "errors",
    "source": "prom",
    "judge": True,
    "query": 'sum by (variant) (rate(errors{variant=~"$members"}[1m]))',
}
BEFORE_AND_AFTER = {
    "name": "orders",
    "source": "prom",
    "baseline": "> 90%",
    "query": {"canary": "sum(rate(orders[5m]))", "baseline": "sum(rate(orders[5m] offset 1d))"},
}
LIMIT = {"name": "queue", "source": "prom", "limit": "< 100", "query": "sum(queue)"}
COUNTED = {"name": "errors", "query": "error_share", "limit": "< 5%"}
ALONE = [{"name": "errors", "query": "error_share", "limit": "< 5%", "critical": True}]


def request(**changed: t.Any) -> ReleaseRequest:
    values: dict[str, t.Any] = {
        "rollout_flag": "",
        "rollout_flag_steps": [{"percent": 1, "bake": "30m"}, {"percent": 100, "bake": "10m"}],
        "rollout_flag_metrics": [],
        "rollout_flag_variants": {"canary": ["on"], "baseline": ["off"]},
        "rollout_flags": [{"name": "checkout", "system": REDIS}],
        "rollout_balancers": [],
        "rollout_metric_gate": True,
        "rollout_metrics_alone": ALONE,
        "rollout_metric_sources": SOURCES,
        "rollout_analysis_interval": 10,
        **changed,
    }
    return request_of(values, ["app1", "app2"])


def refusal(**changed: t.Any) -> str:
    with pytest.raises(InputError) as refused:
        request(**changed)
    return refused.value.message


def test_the_only_flag_needs_no_name() -> None:
    assert request().flag.name == "checkout"


def test_which_flag() -> None:
    two = [{"name": "checkout", "system": REDIS}, {"name": "search", "system": REDIS}]
    assert request(rollout_flags=two, rollout_flag="search").flag.name == "search"
    assert refusal(rollout_flags=two) == (
        "rollout_flag is not set, and rollout_flags has several: set it to the one to release, of checkout, search."
    )
    assert refusal(rollout_flag="chekout") == "rollout_flag: 'chekout' is not in rollout_flags, which has checkout."
    assert refusal(rollout_flags=[]) == (
        "rollout_flags names no flag, so there is nothing to release: list the flag there with its name and system."
    )


@pytest.mark.parametrize("metric", [BY_VARIANT, BEFORE_AND_AFTER, LIMIT])
def test_what_may_judge_a_share_of_the_users(metric: dict[str, t.Any]) -> None:
    found = request(rollout_flag_metrics=[metric])
    assert found.metrics == (metric,)
    assert found.groups(1, ["app1", "app2"]) == {"canary": ["on"], "baseline": ["off"]}
    assert found.groups(100, ["app1", "app2"]) == {"canary": ["on"], "baseline": []}


@pytest.mark.parametrize(
    "metric",
    [
        {"name": "errors", "judge": True},
        {"name": "errors", "query": "error_share", "baseline": "< 2x"},
        {**BY_VARIANT, "query": "sum by (instance) (rate(errors[1m]))"},
        {**BEFORE_AND_AFTER, "name": "errors", "query": {"canary": "sum(errors)", "baseline": "sum(errors)"}},
    ],
)
def test_hosts_were_compared_although_every_host_serves_both_variants(metric: dict[str, t.Any]) -> None:
    assert refusal(rollout_flag_metrics=[metric]) == (
        "rollout_flag_metrics: 'errors' compares hosts, and with a flag every host serves users with and without the feature: compare "
        "by a label of the variant or with an earlier time (a query with canary and baseline, or one with $group or $members), or give "
        "it only a limit."
    )


def test_what_balancers_count_is_judged_by_limits_over_all_hosts() -> None:
    by_default = request(rollout_balancers=[{"type": "haproxy", "socket": "/s", "pool": "shop"}])
    assert by_default.metrics == tuple(ALONE)
    assert by_default.groups(1, ["app1", "app2"]) == {"canary": ["app1", "app2"], "baseline": []}
    assert request(rollout_flag_metrics=[COUNTED, LIMIT]).metrics == (COUNTED, LIMIT)


def test_counters_of_hosts_and_variants_are_not_measured_together() -> None:
    assert refusal(rollout_flag_metrics=[COUNTED, {**BY_VARIANT, "name": "orders"}]) == (
        "rollout_flag_metrics: 'errors' is counted by the load balancers for hosts, and 'orders' compares variants, which cannot be "
        "measured together: take both from a source that distinguishes the variants, or remove one."
    )


def test_nothing_is_measured_where_nothing_can_be_or_is_to_be() -> None:
    assert request().metrics == ()
    assert request(rollout_flag_metrics=[LIMIT], rollout_metric_gate=False).metrics == ()


def test_what_cannot_be_right() -> None:
    assert refusal(rollout_flag_variants={"on": "on"}) == (
        "rollout_flag_variants: expected {canary: [on], baseline: [off]} with the names that the metrics have for users with the "
        "feature and for those without, found {'on': 'on'}."
    )
    assert refusal(rollout_flag_metrics=[{"name": "x", "source": "prom", "query": "1"}]) == (
        "rollout_flag_metrics: metrics.x: no criterion is set; give a limit, a baseline or judge: true."
    )
    short = [{"percent": 1, "bake": 5}, {"percent": 100}]
    assert refusal(rollout_flag_metrics=[LIMIT], rollout_flag_steps=short) == (
        "rollout_flag_steps[0].bake: 5 s is too short for one analysis of the metrics: give it at least the 10 s of "
        "rollout_analysis_interval, or shorten that."
    )


def test_a_variant_may_be_one_word() -> None:
    found = request(rollout_flag_variants={"canary": True, "baseline": "control"})
    assert found.variants == {"canary": ["True"], "baseline": ["control"]}
