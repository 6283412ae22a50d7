# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with the settings of a rollout, found by reading them alone."""

from __future__ import annotations

import dataclasses
import functools
import os
import re
import typing as t

from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.steady.rollout.plugins.module_utils import durations
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import policy, traffic_policy
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.versions import check_revision
from ansible_collections.steady.rollout.plugins.module_utils.metrics import plan
from ansible_collections.steady.rollout.plugins.module_utils.release.plan import check_version
from ansible_collections.steady.rollout.plugins.module_utils.release.source import Source, check_source, scheme_of
from ansible_collections.steady.rollout.plugins.module_utils.restore_timer.core import LEAST
from ansible_collections.steady.rollout.plugins.plugin_utils.failures import name_of
from ansible_collections.steady.rollout.plugins.plugin_utils.flags import settings as flags
from ansible_collections.steady.rollout.plugins.plugin_utils.migrations import settings as migrations
from ansible_collections.steady.rollout.plugins.plugin_utils.preflight.findings import Finding
from ansible_collections.steady.rollout.plugins.plugin_utils.traffic.request import traffic_request
from ansible_collections.steady.rollout.plugins.plugin_utils.veto import rules as veto

Values = t.Mapping[str, t.Any]

FORWARD = "forward"
PLACES = ("controller", "host")
DURATIONS = (
    "rollout_health_interval",
    "rollout_min_healthy_time",
    "rollout_healthy_deadline",
    "rollout_progress_deadline",
    "rollout_drain_timeout",
    "rollout_restore_timeout",
    "rollout_step_timeout",
    "rollout_gate_timeout",
    "rollout_flags_timeout",
    "rollout_lease_ttl",
    "rollout_restore_after",
    "rollout_metric_window",
    "rollout_analysis_interval",
    "rollout_rollback_window",
)
BEFORE = "rollout_metric_before"
"""A duration, too, where it is given."""
RETRIES = tuple("012345")
WINDOW_SETTINGS = (
    "windows", "zone", "blackouts", "freezes", "sites", "state", "wait_limit", "host_duration", "needed"
)  # fmt: skip
LIMITS = {
    "max_unavailable": "rollout_max_unavailable",
    "min_available": "rollout_min_available",
    "zone_min_available": "rollout_zone_min_available",
    "max_failures": "rollout_max_failures",
    "stages": "rollout_stages",
    "bake_time": "rollout_bake_time",
    "min_healthy_time": "rollout_min_healthy_time",
    "healthy_deadline": "rollout_healthy_deadline",
    "progress_deadline": "rollout_progress_deadline",
}
OF_AN_ARTIFACT = {"checksum": "rollout_artifact_checksum", "source": "rollout_artifact"}
OF_A_SHIFT = {
    "canary": {
        "steps": "rollout_canary_steps",
        "shift.groups": "rollout_canary_group",
        "shift.candidate": "rollout_canary_group",
    },
    "blue_green": {
        "steps": "rollout_bake_time",
        "shift.groups": "rollout_colours",
        "shift.live": "rollout_live_colour",
        "shift.rollback_window": "rollout_rollback_window",
    },
}
READY_STEPS = {
    "updates/package.yml": ("rollout_package", ("name", "version")),
    "updates/git.yml": ("rollout_git", ("repository", "path", "version")),
    "updates/container.yml": ("rollout_container", ("name", "image")),
}
"""Steps of the role that rollout_update_tasks may name: the setting that each reads, and what must be in it."""
OF_READY_STEPS = tuple(setting for setting, dummy in READY_STEPS.values())
V_BEFORE_A_NUMBER = re.compile(r"[vV](?=[0-9])")


@dataclasses.dataclass(frozen=True)
class Given:
    """The settings of one host, evaluated for the version asked for.

    *artifact_for* says which file or address a version is installed from; *depends* names the settings among those that
    must change with the version of each host and change with rollout_version instead.
    """

    values: Values
    direction: str
    strategy: str
    fleet: t.Sequence[str]
    groups: t.Mapping[str, t.Sequence[str]]
    artifact_for: t.Callable[[str], str]
    depends: t.Sequence[str] = ()
    operation: str = ""

    @property
    def version(self) -> str:
        return str(self.values["rollout_version"] or "")

    @property
    def goes_forward(self) -> bool:
        return self.direction == FORWARD and self.values["rollout_resume"] != "revert"


def findings(given: Given) -> list[Finding]:
    """What has to be corrected before anything is touched; a setting of a wrong form hides what depends on it."""
    wrong_form = [*_version(given), *_revision(given), *_forms(given.values)]
    if wrong_form:
        return wrong_form
    return [
        *_sense(given.values),
        *_places(given),
        *(_update(given) if given.goes_forward else ()),
        *_limits(given),
        *(_metrics(given) if given.goes_forward else ()),
    ]


def _version(given: Given) -> t.Iterator[Finding]:
    raw = given.values["rollout_version"]
    if isinstance(raw, (int, float)) and not isinstance(raw, bool):
        yield Finding(
            f"rollout_version is the number {raw}, and YAML reads 2.10 as 2.1: put it in quotes, such as "
            f'rollout_version: "{raw}".'
        )
    elif given.version:
        yield from _refused(lambda: check_version(given.version), {"version": "rollout_version"})
    elif given.goes_forward and not given.operation:
        yield Finding("rollout_version is not set: say what to roll out, such as -e rollout_version=2.1.0.")


def _revision(given: Given) -> t.Iterator[Finding]:
    raw = given.values["rollout_revision"]
    if isinstance(raw, float):
        yield Finding(
            f"rollout_revision is the number {raw}, and YAML reads 2.10 as 2.1: put it in quotes, such as "
            f'rollout_revision: "{raw}".'
        )
    elif raw:
        yield from _refused(lambda: check_revision(str(raw)), {"revision": "rollout_revision"})


def _forms(s: Values) -> t.Iterator[Finding]:
    """Whether each setting is of the form that all other rules rely on."""
    health = s["rollout_health"]
    for name in ("rollout_balancers", "rollout_traffic_balancers"):
        if not isinstance(s[name], (list, tuple)) or not all(isinstance(one, t.Mapping) for one in s[name]):
            yield Finding(
                f"{name} must be a list of load balancers, such as "
                "[{host: lb1, type: haproxy, socket: /run/haproxy/admin.sock, pool: shop}]."
            )
    if not isinstance(health, t.Mapping) or not {"url", "tcp", "command"} & set(health):
        yield Finding("rollout_health has nothing to probe: give it a 'url', a 'tcp' address or a 'command'.")
    if not isinstance(s["rollout_metric_sources"], t.Mapping):
        yield Finding("rollout_metric_sources must be a dictionary of sources by name.")
    yield from _window(s["rollout_window"])
    yield from map(Finding, migrations.settings_errors(s["rollout_migrations"]))
    yield from map(Finding, flags.settings_errors(s["rollout_flags"], s["rollout_flag_steps"]))
    yield from map(Finding, veto.times_errors(s))
    if str(s["rollout_retries"]) not in RETRIES:
        yield Finding(f"rollout_retries: '{s['rollout_retries']}' is not a number of tries; give one from 0 to 5.")
    for name in DURATIONS:
        yield from _refused(functools.partial(durations.seconds, name, s[name]))
    if s.get(BEFORE):
        yield from _refused(functools.partial(durations.seconds, BEFORE, s[BEFORE]))


def _window(window: t.Any) -> t.Iterator[Finding]:
    """An unknown setting of the window: it would be open when it should not be."""
    known = ", ".join(WINDOW_SETTINGS)
    if not isinstance(window, t.Mapping):
        yield Finding(f"rollout_window must be a dictionary with {known}; it is {window!r:.80}.")
        return
    for name in sorted(str(name) for name in set(window) - set(WINDOW_SETTINGS)):
        yield Finding(f"rollout_window: '{name:.80}' is not a setting; the settings are {known}.")


def _sense(s: Values) -> t.Iterator[Finding]:
    if not s["rollout_service"]:
        yield Finding("rollout_service is not set: give the service a name, such as 'shop'.")
    after = durations.seconds("rollout_restore_after", s["rollout_restore_after"])
    if 0 < after < LEAST:
        yield Finding(
            f"rollout_restore_after is {after:g} s, so a heartbeat that is late would count as none: set at least "
            f"{LEAST:g} s, or 0 for no restore timer."
        )
    if boolean(s["rollout_add_members"], strict=False) and not s["rollout_member_address"]:
        yield Finding(
            "rollout_member_address is not set, and rollout_add_members needs it: set the address and port at which the load "
            "balancers reach the host, such as {{ ansible_host }}:8080."
        )
    if _smoke_tests_without_base(s):
        yield Finding(
            "rollout_smoke_url is not set, and rollout_health has no url to take it from: set the base URL of the smoke tests."
        )
    yield from _refused(
        lambda: plan.metrics_of(s["rollout_metrics"], s["rollout_metric_sources"]), {"": "rollout_metrics: "}
    )


def _smoke_tests_without_base(s: Values) -> bool:
    if s["rollout_smoke_url"] or s["rollout_health"].get("url"):
        return False
    return any(str(test.get("url") or "").startswith(("/", "${")) for test in s["rollout_smoke_tests"])


def _places(given: Given) -> t.Iterator[Finding]:
    """Names of hosts that the inventory does not have."""
    s, known = given.values, set(given.groups.get("all", ()))
    probes_from = str(s["rollout_health_from"])
    if probes_from not in (*PLACES, "localhost") and probes_from not in known:
        yield Finding(
            f"rollout_health_from: '{probes_from}' is neither 'controller' nor 'host' nor a host of the inventory: "
            "name one of them."
        )
    if s["rollout_coordinator"] != "localhost" and s["rollout_coordinator"] not in known:
        yield Finding(
            f"rollout_coordinator: '{s['rollout_coordinator']}' is not in the inventory: add the host or name another one."
        )
    for setting in ("rollout_balancers", "rollout_traffic_balancers"):
        for one in s[setting]:
            host = one.get("host", "localhost")
            if host != "localhost" and host not in known and "connection" not in one:
                yield Finding(
                    f"{setting}: '{host}' is not in the inventory: add the host, correct its name, or give the balancer "
                    "a 'connection'."
                )
    yield from _doubles(s["rollout_balancers"])
    yield from map(Finding, veto.settings_errors(s["rollout_veto"], given.groups))


def _doubles(balancers: t.Sequence[Values]) -> t.Iterator[Finding]:
    for number, one in enumerate(balancers):
        if one in balancers[:number]:
            yield Finding(f"rollout_balancers: {name_of(one)} is listed twice with the same settings: remove one.")


def _update(given: Given) -> t.Iterator[Finding]:
    """How a host is brought to the version."""
    s = given.values
    if not s["rollout_update_tasks"]:
        if not s["rollout_artifact"]:
            yield Finding(
                "No update method is configured: set rollout_artifact, or rollout_update_tasks to a task file of your own."
            )
        if not s["rollout_unit"] and not s["rollout_start_command"]:
            yield Finding(
                "No restart method is configured: set rollout_unit, or rollout_stop_command and rollout_start_command."
            )
    setting, needed = READY_STEPS.get(str(s["rollout_update_tasks"]), ("", ()))
    for key in needed:
        if not s[setting].get(key):
            yield Finding(f"{setting}.{key} is not set, and {s['rollout_update_tasks']} needs it: add it to {setting}.")
    if s["rollout_artifact"]:
        if not s["rollout_release_path"]:
            yield Finding(
                "rollout_release_path is not set: say where on the hosts the releases live, such as /opt/shop."
            )
        elif not str(s["rollout_release_path"]).startswith("/"):
            yield Finding(
                f"rollout_release_path: '{s['rollout_release_path']}' is not absolute: give the whole path, such as /opt/shop."
            )
        yield from _artifact(given)
    for setting in given.depends:
        yield Finding(
            f"{setting} uses rollout_version, which a rollback does not change: use rollout_target.version in its place."
        )


def _artifact(given: Given) -> t.Iterator[Finding]:
    source = given.artifact_for(given.version)
    checksum = str(given.values["rollout_artifact_checksum"] or "").lower() or None
    wrong = list(_refused(lambda: check_source(Source(source, checksum)), OF_AN_ARTIFACT))
    if wrong or scheme_of(source):
        yield from wrong
        return
    if not os.path.exists(source):
        yield Finding(
            f"rollout_artifact: {source} is not on the controller: {_spelling(given) or 'build it, or correct the path.'}"
        )


def _spelling(given: Given) -> str:
    """The version as its artifact is spelt, where that differs only by a v."""
    other = V_BEFORE_A_NUMBER.sub("", given.version, count=1)
    other = other if other != given.version else f"v{given.version}"
    there = os.path.exists(given.artifact_for(other))
    return f"there is one of {other}, so give -e rollout_version={other}." if there else ""


def _limits(given: Given) -> t.Iterator[Finding]:
    s = given.values
    yield from _refused(lambda: policy.validated({name: s[setting] for name, setting in LIMITS.items()}))
    is_rolling = given.goes_forward and not given.strategy and len(given.fleet) > 1 and s["rollout_balancers"]
    if is_rolling and str(s["rollout_max_unavailable"]).strip() == "100%":
        yield Finding(
            "rollout_max_unavailable is 100%, so all hosts might be out of service at once: give a share such as 25%.",
            "max_unavailable",
        )
    if given.strategy:
        yield from _refused(lambda: traffic_policy.validated(_shift(given)), OF_A_SHIFT[given.strategy])


def _shift(given: Given) -> dict[str, t.Any]:
    s = given.values
    settings = {name: s[f"rollout_{name}"] for name in ("colours", "live_colour", "canary_group", "bake_time")}
    settings.update(
        strategy=given.strategy, steps=s["rollout_canary_steps"], rollback_window=s["rollout_rollback_window"]
    )
    return traffic_request(settings, given.groups, given.fleet)


def _metrics(given: Given) -> t.Iterator[Finding]:
    """A time of judging in which no metric could be measured."""
    s = given.values
    times = _judged(given)
    # A step that does not bake has no gate.
    if "rollout_metric_window" in dict(times):
        yield from _refused(lambda: durations.positive("rollout_metric_window", s["rollout_metric_window"]))
    if any(judged for _setting, judged in times):
        yield from _refused(lambda: durations.positive("rollout_analysis_interval", s["rollout_analysis_interval"]))
    interval = durations.seconds("rollout_analysis_interval", s["rollout_analysis_interval"])
    for setting, judged in times:
        if 0 < judged < interval:
            yield Finding(
                f"{setting}: {judged:g} s is too short for one analysis of the metrics: give it at least the {interval:g} s "
                "of rollout_analysis_interval, or shorten that.",
                "bake",
            )
        for name, covers in _ranges(s):
            if 0 < judged < covers:
                yield Finding(
                    f"{setting}: {judged:g} s is shorter than the {covers:g} s that the query of the metric '{name}' looks "
                    "back, so it would judge the time before the release: bake longer, or shorten the query's range.",
                    "bake",
                )


def _judged(given: Given) -> list[tuple[str, float]]:
    s = given.values
    if given.strategy and not s["rollout_metric_gate"]:
        return []
    if given.strategy == "canary":
        bakes = [one.get("bake") or 0 for one in s["rollout_canary_steps"]]
        return [("rollout_canary_steps", durations.seconds("rollout_canary_steps", bake)) for bake in bakes]
    if given.strategy:
        return [("rollout_bake_time", durations.seconds("rollout_bake_time", s["rollout_bake_time"]))]
    window = durations.seconds("rollout_metric_window", s["rollout_metric_window"])
    return [("rollout_metric_window", window)] if s["rollout_metrics"] else []


RANGE = re.compile(r"\[((?:[0-9]+(?:ms|s|m|h|d))+)\]")


def _ranges(s: Values) -> t.Iterator[tuple[str, float]]:
    """How far back the queries of the metrics look, where they show it as PromQL does."""
    for metric in s["rollout_metrics"]:
        query = metric.get("query")
        texts = [query] if isinstance(query, str) else list(query.values()) if isinstance(query, t.Mapping) else []
        found = [durations.seconds("range", one) for text in texts for one in RANGE.findall(str(text))]
        if found:
            yield str(metric.get("name")), max(found)


def _refused(check: t.Callable[[], t.Any], names: t.Mapping[str, str] | None = None) -> t.Iterator[Finding]:
    """What *check* refuses; *names* has the settings behind the words that its messages begin with."""
    try:
        check()
    except InputError as error:
        message = error.message
        word = next((word for word in names or {} if message.startswith(word)), None)
        yield Finding(message if word is None else (names or {})[word] + message[len(word) :])
