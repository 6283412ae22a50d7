# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What Envoy's /clusters says of one cluster, made into members, and whether it balances in panic. No I/O."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.balancers import contract
from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import Member
from ansible_collections.steady.rollout.plugins.module_utils.balancers.envoy.eds import ADMIN_OF, address_of

Json = t.Dict[str, t.Any]

OVERPROVISIONING = 1.4
# Why a host is out although it is in service: field of health_status, and what it means.
FAILURES = {
    "failed_active_health_check": "its health check fails",
    "failed_outlier_check": "ejected by outlier detection",
    "active_hc_timeout": "its health check times out",
}


@dataclasses.dataclass(frozen=True)
class Host:
    """One host of a cluster as Envoy sees it."""

    hostname: str
    address: str
    eds_health: str
    failures: tuple[str, ...]
    unchecked: bool
    """Its first health check has not ended yet."""
    degraded: bool
    weight: int
    priority: int
    active: int
    """Requests (HTTP) or connections (TCP) in flight."""
    waiting: int
    """Requests waiting for a connection to it; older Envoys do not report it."""

    @property
    def admin(self) -> str:
        return ADMIN_OF.get(self.eds_health, contract.IN_SERVICE)

    @property
    def sound(self) -> bool:
        """Its checks let it take traffic, whatever was asked of it."""
        return not self.failures and not self.unchecked


def is_out(eds_health: str) -> bool:
    return eds_health in ADMIN_OF


def cluster_status(answer: Json | None, name: str) -> Json | None:
    """The cluster's part of an answer to /clusters?format=json."""
    statuses = (answer or {}).get("cluster_statuses", ())
    return next((status for status in statuses if status.get("name") == name), None)


def hosts(status: Json) -> list[Host]:
    """Without those that were removed while they were out: Envoy keeps one as long as its health check passes."""
    found = ((entry, _host(entry)) for entry in status.get("host_statuses", ()))
    return [host for entry, host in found if not (_is_removed(entry) and is_out(host.eds_health))]


def _is_removed(entry: Json) -> bool:
    return bool(entry.get("health_status", {}).get("pending_dynamic_removal"))


def names(found: t.Sequence[Host]) -> dict[str, Host]:
    """Hosts by the name that a member has: its hostname where no other has the same, else its address."""
    shared = [host.hostname for host in found]
    return {
        host.hostname if host.hostname and shared.count(host.hostname) == 1 else host.address: host for host in found
    }


def members(
    found: t.Mapping[str, Host],
    checked: bool,
    unweighted: t.Mapping[str, str],
    old: int | None,
    undelivered: t.Container[str],
) -> dict[str, Member]:
    """The members of a cluster by name.

    *unweighted* are the admin states of those marked as without weight, by address. *old* are the requests in a process that a hot
    restart left behind, which Envoy does not report by host. *undelivered* are the names whose last change has
    not reached the threads that balance.
    """
    spread = _traffic_by_priority(found.values())
    made = {}
    for name, host in found.items():
        mark = unweighted.get(host.address) if is_out(host.eds_health) else None
        own = mark or host.admin
        usable = host.admin == contract.IN_SERVICE and host.sound and name not in undelivered
        out = own != contract.IN_SERVICE
        made[name] = Member(
            name=name,
            address=host.address,
            own=own,
            admin=own,
            operational=_operational(host, checked),
            weight=0 if mark else host.weight,
            sessions=host.active,
            queue=host.waiting,
            old_sessions=old,
            usable=usable,
            in_rotation=usable and spread.get(host.priority, 0.0) > 0,
            backup=host.priority > 0,
            check=_check_in_words(host),
            pending="may still get requests: Envoy holds changes back (update_merge_window)"
            if out and name in undelivered
            else "",
        )
    return made


def panics(found: t.Iterable[Host], threshold: float) -> bool:
    """Whether Envoy would send traffic to every host, drained ones too, since too few of them are healthy.

    *threshold* in percent; 0 forbids it. Drained hosts count neither as healthy nor as hosts.
    """
    if threshold <= 0:
        return False
    shares = _healthy_shares(found)
    available = min(1.0, sum(min(1.0, share * OVERPROVISIONING) for share in shares.values()))
    if available <= 0:
        return True
    return available < 1.0 and any(share * 100 < threshold for share in shares.values())


def _healthy_shares(found: t.Iterable[Host]) -> dict[int, float]:
    """The part of each priority's hosts that is healthy, as Envoy counts them."""
    counted: dict[int, list[bool]] = {}
    for host in found:
        level = counted.setdefault(host.priority, [])
        if host.eds_health != "DRAINING" and not host.unchecked:
            level.append(host.sound and host.admin == contract.IN_SERVICE)
    return {priority: sum(level) / len(level) if level else 0.0 for priority, level in counted.items()}


def _traffic_by_priority(found: t.Iterable[Host]) -> dict[int, float]:
    """How much of the traffic each priority gets: what the ones before it cannot take."""
    left, spread = 1.0, {}
    for priority, share in sorted(_healthy_shares(found).items()):
        spread[priority] = min(left, share * OVERPROVISIONING)
        left -= spread[priority]
    return spread


def _host(entry: Json) -> Host:
    health = entry.get("health_status", {})
    figures = {one["name"]: int(one.get("value", 0)) for one in entry.get("stats", ())}
    unchecked = bool(health.get("pending_active_hc"))
    return Host(
        hostname=entry.get("hostname", ""),
        address=address_of(entry.get("address", {})),
        eds_health=health.get("eds_health_status", "HEALTHY"),
        failures=() if unchecked else tuple(words for key, words in FAILURES.items() if health.get(key)),
        unchecked=unchecked,
        degraded=bool(health.get("failed_active_degraded_check")) or health.get("eds_health_status") == "DEGRADED",
        weight=int(entry.get("weight", 1)),
        priority=int(entry.get("priority", 0)),
        active=figures.get("rq_active", 0),
        waiting=figures.get("rq_pending_active", 0),
    )


def _operational(host: Host, checked: bool) -> str:
    if not host.sound:
        return contract.DOWN
    if host.degraded:
        return contract.GOING_DOWN
    return contract.UP if checked else contract.NO_CHECK


def _check_in_words(host: Host) -> str:
    if host.unchecked:
        return "its first health check has not ended yet"
    return ", ".join(host.failures) or ("degraded" if host.degraded else "")
