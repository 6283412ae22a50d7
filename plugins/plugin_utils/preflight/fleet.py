# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the fleet and the load balancers show that conflicts with the settings, before anything is changed."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.steady.rollout.plugins.plugin_utils.preflight.findings import Finding
from ansible_collections.steady.rollout.plugins.plugin_utils.survey import Member

Row = t.Mapping[str, t.Any]

HEALTH = "health"
V_BEFORE_A_NUMBER = re.compile(r"[vV][0-9]")


class Seen(t.NamedTuple):
    """What was read of hosts and load balancers just now, and why each unhealthy host is unhealthy."""

    hosts: t.Sequence[Row]
    balancers: t.Sequence[Row] = ()
    reasons: t.Mapping[str, str] = {}


def findings(members: t.Sequence[Member], seen: Seen, version: str) -> list[Finding]:
    """*version* is the one asked for, empty where an artifact bears its name."""
    in_scope = [member for member in members if member.in_scope]
    return [*_same_address(in_scope), *_health(seen), *_spelling(seen.hosts, version)]


def _same_address(members: t.Sequence[Member]) -> t.Iterator[Finding]:
    """One host, or a load balancer, that answers for all of them."""
    for kind in ("url", "tcp"):
        places: dict[tuple[str, str], list[str]] = {}
        for member in members:
            if member.probed_from != "host" and member.health.get(kind):
                places.setdefault((member.probed_from, str(member.health[kind])), []).append(member.name)
        for (dummy, address), names in places.items():
            if len(names) > 1:
                yield Finding(
                    f"rollout_health: {address} is probed for {names[0]} and {names[1]} alike, so one answers for the other: "
                    "put the host's own address into it, such as {{ ansible_host }}.",
                    HEALTH,
                )
                return


def _health(seen: Seen) -> t.Iterator[Finding]:
    """A check that fails everywhere, while the load balancers have the hosts in rotation, is wrong itself."""
    probed = [host for host in seen.hosts if host["in_scope"]]
    serving = [host for host in probed if seen.balancers and all(_in_rotation(one, host) for one in seen.balancers)]
    is_one_of_many = len(serving) == 1 and len(seen.hosts) > 1
    if not serving or is_one_of_many or any(host["healthy"] for host in probed):
        return
    first = serving[0]["name"]
    which = "the one host" if len(probed) == 1 else f"all {len(probed)} hosts"
    yield Finding(
        f"rollout_health fails on {which} although the load balancers send requests to {len(serving)} of them, on {first} "
        f"with: {seen.reasons.get(first) or 'no answer'}; correct rollout_health.",
        HEALTH,
    )


def _in_rotation(balancer: Row, host: Row) -> bool:
    return bool((balancer.get("members") or {}).get(host["member"], {}).get("in_rotation"))


def _spelling(hosts: t.Sequence[Row], version: str) -> t.Iterator[Finding]:
    """v1.1.0 where the fleet reports 1.0.0: the health check would wait for a version that no host ever reports."""
    reported = [str(host["version"]) for host in hosts if host["version"]]
    wanted = bool(V_BEFORE_A_NUMBER.match(version))
    if not version or not reported or any(bool(V_BEFORE_A_NUMBER.match(one)) is wanted for one in reported):
        return
    if not version[0].isdigit() and not wanted:
        return
    other = version[1:] if wanted else f"v{version}"
    yield Finding(
        f"rollout_version is {version}, but the fleet reports versions such as {reported[0]}: give -e rollout_version={other}.",
        "version",
    )
