# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The core of health_wait: reads its options, watches the targets and reports what was seen."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import durations
from ansible_collections.steady.rollout.plugins.module_utils.call import Call
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.health.policy import Policy, Sample, rounded
from ansible_collections.steady.rollout.plugins.module_utils.health.probe import Prober
from ansible_collections.steady.rollout.plugins.module_utils.health.watch import ThreadedProbes, Watch, Watched
from ansible_collections.steady.rollout.plugins.module_utils.http import targets as targets_

MOST_NAMED = 3


def core(call: Call) -> dict[str, t.Any]:
    """Waits until all targets are healthy; RolloutError names those that are not, unless *fail* is false."""
    policy = policy_from(call.params)
    targets = targets_.from_options(call.params["targets"])
    if call.check_mode:
        policy = Policy.single_probe()
    probes = ThreadedProbes(Prober(targets, call.run_command), len(targets))
    watch = Watch(targets, policy, probes)
    try:
        waited = watch.run()
    finally:
        probes.close()
    result = outcome(policy, list(watch.watched.values()), waited)
    if result["healthy"] or not call.params["fail"]:
        return result
    if call.check_mode:
        call.warn(result["msg"])
        return result
    message = result.pop("msg")
    raise RolloutError(message, **result)


def policy_from(params: dict[str, t.Any]) -> Policy:
    """The policy that the options ask for; InputError where nothing could ever satisfy it."""
    policy = Policy(
        params["successes"],
        durations.seconds("min_healthy_time", params["min_healthy_time"]),
        durations.seconds("timeout", params["timeout"]),
        durations.positive("interval", params["interval"]),
    )
    if policy.successes < 1:
        raise InputError(f"successes is {policy.successes}; at least 1 successful probe is needed.")
    if not policy.waits:
        return Policy.single_probe()
    if policy.min_healthy_time >= policy.timeout:
        raise InputError(
            f"min_healthy_time ({policy.min_healthy_time:g} s) must be shorter than timeout, the healthy deadline "
            f"({policy.timeout:g} s); otherwise no target can become healthy in time."
        )
    if policy.shortest_proof() >= policy.timeout:
        raise InputError(
            f"{policy.successes} successes at an interval of {policy.interval:g} s take "
            f"{policy.shortest_proof():.3g} s, and timeout, the healthy deadline, is {policy.timeout:g} s; otherwise no "
            "target can become healthy in time."
        )
    return policy


def outcome(policy: Policy, watched: list[Watched], waited: float) -> dict[str, t.Any]:
    """The module's result for what was seen. Pure."""
    healthy = all(one.healthy for one in watched)
    return {
        "changed": False,
        "healthy": healthy,
        "targets": {one.target.name: _seen(one) for one in watched},
        "waited": round(waited, 3),
        "msg": _good_news(watched, waited) if healthy else _bad_news(policy, watched),
    }


def _seen(one: Watched) -> dict[str, t.Any]:
    last = one.state.last
    return {
        "healthy": one.healthy,
        "version": last.version if last else None,
        "revision": last.revision if last else None,
        "attempts": one.state.attempts,
        "successes": one.state.good,
        "flaps": one.state.flaps,
        "healthy_for": round(one.state.healthy_for, 3),
        "last": _last(last) if last else None,
        "history": one.history.as_result(),
    }


def _last(sample: Sample) -> dict[str, t.Any]:
    return {
        "ok": sample.ok,
        "reason": sample.reason,
        "status": sample.status,
        "latency": rounded(sample.latency),
        "version": sample.version,
        "revision": sample.revision,
        "body": sample.body,
    }


def _good_news(watched: list[Watched], waited: float) -> str:
    if len(watched) == 1:
        return f"{watched[0].target.name} healthy after {waited:.1f} s."
    return f"All {len(watched)} targets healthy after {waited:.1f} s."


def _bad_news(policy: Policy, watched: list[Watched]) -> str:
    bad = [one for one in watched if not one.healthy]
    stories = [_story(policy, one) for one in bad[:MOST_NAMED]]
    if len(bad) > MOST_NAMED:
        rest = [one.target.name for one in bad[MOST_NAMED:]]
        stories.append(f"Also not healthy: {', '.join(rest[:20])}{' and more' if len(rest) > 20 else ''}.")
    names = ", ".join(one.target.name for one in bad[:MOST_NAMED])
    return f"{' '.join(stories)} Check the service's log on {names}."


def _story(policy: Policy, one: Watched) -> str:
    state = one.state
    if not policy.waits:
        return f"{one.target.name} not healthy: {_described(state.last)}."
    start = f"{one.target.name} not healthy within {policy.timeout:g} s"
    probes = f"{state.good} of {state.attempts} probes succeeded"
    if state.last is None or not state.last.ok:
        return f"{start}: {probes}, last: {_described(state.last)}."
    healthy = f"at the end {state.streak} in a row over {state.healthy_for:.1f} s"
    needed = f"{policy.successes} over {policy.min_healthy_time:g} s are needed"
    failure = f"; last failure: {_described(state.last_failure)}" if state.last_failure else ""
    return f"{start}: {probes}, {healthy} where {needed}{failure}."


def _described(sample: Sample | None) -> str:
    if sample is None:
        return "no answer"
    return f"{sample.reason} (body: {sample.body})" if sample.body else sample.reason
