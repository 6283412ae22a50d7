# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arms, renews and disarms the restore timers on the balancers' hosts, all at the same time."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.balancers import registry
from ansible_collections.steady.rollout.plugins.module_utils.restore_timer import rules
from ansible_collections.steady.rollout.plugins.plugin_utils.balancer_calls import place_of
from ansible_collections.steady.rollout.plugins.plugin_utils.restore_timers.program import program
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.executors import Executors, Invocation, Outcome

Balancer = t.Mapping[str, t.Any]
Row = t.Dict[str, t.Any]

BESIDE_THE_BALANCER = ("haproxy", "nginx", "apache", "envoy")
"""Types that are changed on the balancer's own host. The others are an API elsewhere, which needs the controller's keys."""
HEARTBEAT = 5.0
"""Seconds from one to the next."""
ANSWERS_WITHIN = 10.0
"""Seconds that a host has to take a heartbeat."""
ENDS_WITHIN = 30.0
"""Seconds that a host has to remove its timer; the end of a run does not wait longer for one that is cut off."""
MODULE = "restore_timer"


def why_not(balancer: Balancer) -> str:
    """Why no timer can put members of this balancer back; empty where one can."""
    if not _has_host(balancer):
        return f"{balancer['type']} is changed from the controller only"
    secrets = [name for name, one in registry.options().items() if one.spec.get("no_log") and balancer.get(name)]
    return f"{secrets[0]} is a secret, and secrets are not stored on that host" if secrets else ""


def _has_host(balancer: Balancer) -> bool:
    return str(balancer.get("type") or "haproxy") in BESIDE_THE_BALANCER


def places(balancers: t.Sequence[Balancer]) -> tuple[list[str], dict[str, str]]:
    """The hosts on which a timer may be armed, and why there is none for other hosts of a balancer.

    Who uses a balancer that has no host of its own need not read that at each run.
    """
    able = [place_of(one) for one in balancers if not why_not(one)]
    reasons = {place_of(one): why_not(one) for one in balancers if why_not(one) and _has_host(one)}
    return list(dict.fromkeys(able)), {place: why for place, why in reasons.items() if place not in able}


def arm(executors: Executors, hosts: t.Sequence[str], claim: Row, before: t.Mapping[str, t.Any], after: str) -> Row:
    """RV armed, why_not and reports, each by host. The program is sent only where it is not kept."""
    options = {host: {"after": after, "claim_before": before.get(host)} for host in hosts}
    outcomes = _call(executors, "armed", claim, options)
    missing = [place for place, result in outcomes.items() if result.get("needs_program")]
    sent = {host: {**options[host], "program": program().content} for host in missing}
    outcomes.update(_call(executors, "armed", claim, sent))
    return {
        "armed": [host for host, result in outcomes.items() if result.get("armed")],
        "why_not": {host: _reason(result) for host, result in outcomes.items() if not result.get("armed")},
        "reports": _reports(outcomes),
    }


def renew(executors: Executors, hosts: t.Sequence[str], claim: Row) -> None:
    """The heartbeat. A host that does not take it restores what was drained there, once it has waited for long enough."""
    executors.together([_invocation("renewed", host, claim, {}, ANSWERS_WITHIN) for host in hosts])


def disarm(executors: Executors, hosts: t.Sequence[str], claim: Row, refused: bool = False) -> list[Row]:
    """What the timers did meanwhile; a host that does not answer keeps its timer, which then does its work."""
    options = {host: {"refused": refused or None} for host in hosts}
    return _reports(_call(executors, "disarmed", claim, options, ENDS_WITHIN))


def sentence(report: t.Mapping[str, t.Any]) -> str:
    """What a timer did with one member, for the operator."""
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(float(report["at"])))
    verb = "was put back in service" if report["outcome"] == rules.RESTORED else "was not restored"
    return f"{report['member']} {verb} by the restore timer on {report['host']} at {at}: {report['why']}"


def marking(hosts: t.Sequence[str], claim: Row, member: str) -> list[Invocation]:
    return [_invocation("changing", host, claim, {"members": [member]}) for host in hosts]


def _call(
    executors: Executors, state: str, claim: Row, options: t.Mapping[str, Row], timeout: float | None = None
) -> dict[str, Row]:
    invocations = [_invocation(state, host, claim, one, timeout) for host, one in options.items()]
    outcomes: list[Outcome] = executors.together(invocations)
    return {one.invocation.host: one.result for one in outcomes}


def _invocation(state: str, host: str, claim: Row, options: Row, timeout: float | None = None) -> Invocation:
    digest = {"digest": program().digest} if state in ("armed", "renewed") else {}
    given = {name: value for name, value in options.items() if value is not None}
    return Invocation(host, MODULE, {"state": state, "claim": claim, **digest, **given}, timeout=timeout)


def _reason(result: Row) -> str:
    return str(result.get("why_not") or result.get("msg") or "no reason given")


def _reports(outcomes: t.Mapping[str, Row]) -> list[Row]:
    return [{"host": host, **one} for host, result in outcomes.items() for one in result.get("reports") or []]
