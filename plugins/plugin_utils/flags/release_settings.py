# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of a release by a feature flag: which flag, in which steps, and how each step is judged."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import durations
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.flag_steps import Share, Step, parsed_steps
from ansible_collections.steady.rollout.plugins.module_utils.metrics import plan, queries
from ansible_collections.steady.rollout.plugins.plugin_utils import metric_gates
from ansible_collections.steady.rollout.plugins.plugin_utils.flags.settings import WHERE, FlagSetting, flags_of

RELEASE_SETTINGS = (
    "rollout_flag",
    "rollout_flag_steps",
    "rollout_flag_metrics",
    "rollout_flag_variants",
    "rollout_flags",
    "rollout_balancers",
    "rollout_metric_gate",
    "rollout_metrics_alone",
    "rollout_metric_sources",
    "rollout_metric_policy",
    "rollout_analysis_interval",
    "rollout_gate_tasks",
    "__rollout_search_paths",
)
METRICS = "rollout_flag_metrics"
GROUPS = ("canary", "baseline")

Values = t.Mapping[str, t.Any]
Metric = t.Mapping[str, t.Any]
Groups = t.Dict[str, t.List[str]]


@dataclasses.dataclass(frozen=True)
class ReleaseRequest:
    """A validated request. *variants* are what queries call those who have the feature (canary) and those who have not."""

    flag: FlagSetting
    steps: tuple[Step, ...]
    metrics: tuple[Metric, ...]
    variants: t.Mapping[str, t.Sequence[str]]

    @property
    def names_segments(self) -> bool:
        """Whether the release decides about segments; if not, they are left as they are."""
        return any(step.segments for step in self.steps)

    def options(self, share: Share) -> dict[str, t.Any]:
        """Of feature_flag, for those who are to have it."""
        return {"percent": share.percent, **({"segments": list(share.segments)} if self.names_segments else {})}

    def groups(self, percent: int, members: t.Sequence[str]) -> Groups:
        """Who is judged: all hosts where the balancers count; else the users by variant, while there are both."""
        if metric_gates.counts_needed(self.metrics):
            return {"canary": list(members), "baseline": []}
        return {
            "canary": list(self.variants["canary"]),
            "baseline": [] if percent >= 100 else list(self.variants["baseline"]),
        }


def request_of(values: Values, fleet: t.Sequence[str]) -> ReleaseRequest:
    """Raises InputError with one sentence where the settings cannot be right."""
    flag, steps = _flag(values, fleet), parsed_steps(values["rollout_flag_steps"])
    metrics = _metrics(values)
    _refuse_short_bakes(values, steps, metrics)
    return ReleaseRequest(flag, steps, metrics, _variants(values["rollout_flag_variants"]))


def _flag(values: Values, fleet: t.Sequence[str]) -> FlagSetting:
    flags = flags_of(values["rollout_flags"], fleet)
    name = str(values["rollout_flag"] or "")
    known = ", ".join(flag.name for flag in flags)
    if not flags:
        raise InputError(
            f"{WHERE} names no flag, so there is nothing to release: list the flag there with its name and system."
        )
    if not name and len(flags) > 1:
        raise InputError(f"rollout_flag is not set, and {WHERE} has several: set it to the one to release, of {known}.")
    found = [flag for flag in flags if name in ("", flag.name)]
    if not found:
        raise InputError(f"rollout_flag: '{name:.80}' is not in {WHERE}, which has {known}.")
    return found[0]


def _variants(given: t.Any) -> dict[str, list[str]]:
    if isinstance(given, t.Mapping) and set(given) == set(GROUPS):
        lists = {name: given[name] if isinstance(given[name], (list, tuple)) else [given[name]] for name in GROUPS}
        return {name: [str(one) for one in ones] for name, ones in lists.items()}
    raise InputError(
        f"rollout_flag_variants: expected {{canary: [on], baseline: [off]}} with the names that the metrics have for users "
        f"with the feature and for those without, found {given!r:.80}."
    )


def _metrics(values: Values) -> tuple[Metric, ...]:
    if not values["rollout_metric_gate"]:
        return ()
    given = values[METRICS] or (values["rollout_metrics_alone"] if values["rollout_balancers"] else [])
    if not given:
        return ()
    try:
        plan.metrics_of(given, values["rollout_metric_sources"])
    except InputError as error:
        raise InputError(f"{METRICS}: {error.message}") from None
    comparing = [one for one in given if _compares(one)]
    for one in comparing:
        if _counts(one) or not _by_variant(one, values["rollout_metric_sources"]):
            raise InputError(
                f"{METRICS}: '{one['name']}' compares hosts, and with a flag every host serves users with and without the feature: "
                "compare by a label of the variant or with an earlier time (a query with canary and baseline, or one with $group or "
                "$members), or give it only a limit."
            )
    counted = [one for one in given if _counts(one)]
    if comparing and counted:
        raise InputError(
            f"{METRICS}: '{counted[0]['name']}' is counted by the load balancers for hosts, and '{comparing[0]['name']}' compares "
            "variants, which cannot be measured together: take both from a source that distinguishes the variants, or remove one."
        )
    return tuple(given)


def _compares(metric: Metric) -> bool:
    return metric.get("baseline") is not None or bool(metric.get("judge"))


def _counts(metric: Metric) -> bool:
    return bool(metric.get("source", "balancer") == "balancer")


def _by_variant(metric: Metric, sources: Values) -> bool:
    """Whether something distinguishes the groups: the query, or what its source is set to ask."""
    query = metric.get("query")
    if isinstance(query, t.Mapping) and set(query) == set(GROUPS):
        return bool(query["canary"] != query["baseline"])
    source = sources.get(str(metric.get("source"))) or {}
    return queries.asks_by_group(query) or queries.asks_by_group(source) or bool(source.get("label"))


def _refuse_short_bakes(values: Values, steps: t.Sequence[Step], metrics: t.Sequence[Metric]) -> None:
    interval = durations.positive("rollout_analysis_interval", values["rollout_analysis_interval"])
    for number, step in enumerate(steps):
        if metrics and 0 < step.bake < interval:
            raise InputError(
                f"rollout_flag_steps[{number}].bake: {step.bake:g} s is too short for one analysis of the metrics: give it at "
                f"least the {interval:g} s of rollout_analysis_interval, or shorten that."
            )
