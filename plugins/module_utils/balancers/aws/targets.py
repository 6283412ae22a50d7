# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Targets of an AWS target group: how they are called, and what their states mean. No I/O.

A target that is taken out is deregistered, and once it has drained AWS does not list it any more. What was
taken out is therefore kept in tags of the target group, written before the act, by which a later call, of
whomever, finds it and the Availability Zone that it had.
"""

from __future__ import annotations

import calendar
import dataclasses
import re
import time
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.balancers import contract
from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import Member
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError

TAG_PREFIX = "steady.rollout/out/"
Health = t.Dict[str, t.Any]

# What contract.Member.operational says beyond the words that every make has.
INITIAL = "initial"
UNUSED = "unused"

# States of DescribeTargetHealth. 'unhealthy.draining' is a registered target that failed its checks and is being
# emptied for that reason: not one that is being deregistered.
DRAINING = "draining"
NOT_REGISTERED = "Target.NotRegistered"
OPERATIONAL = {
    "healthy": contract.UP,
    "initial": INITIAL,
    "unhealthy": contract.DOWN,
    "unhealthy.draining": contract.DOWN,
    "unused": UNUSED,
    "unavailable": contract.NO_CHECK,
}
UNRECOVERABLE = {
    "Target.NotInUse": "is not in use: no load balancer forwards to the group, or its Availability Zone is not enabled",
    "Target.IpUnusable": "has an address that belongs to a load balancer",
}
SHIFTED = ("zonal_shift_active", "zonal_shift_delegated_to_dns")


@dataclasses.dataclass(frozen=True)
class Target:
    """One target: one id may be registered with several ports."""

    id: str
    port: int | None
    zone: str = dataclasses.field(default="", compare=False)
    """The Availability Zone that it was registered with ('all' for addresses outside the VPC)."""

    @property
    def name(self) -> str:
        if self.port is None:
            return self.id
        return (
            f"[{self.id}]:{self.port}"
            if ":" in self.id and not self.id.startswith("arn:")
            else f"{self.id}:{self.port}"
        )

    def description(self) -> dict[str, t.Any]:
        """As the API takes it. Without the port, deregistering succeeds and does nothing."""
        described: dict[str, t.Any] = {"Id": self.id}
        if self.port is not None:
            described["Port"] = self.port
        if self.zone:
            described["AvailabilityZone"] = self.zone
        return described

    @classmethod
    def from_description(cls, described: dict[str, t.Any]) -> Target:
        port = described.get("Port")
        return cls(described["Id"], None if port is None else int(port), described.get("AvailabilityZone") or "")


def parse_target(text: str, default_port: int | None, option: str) -> Target:
    """Reads 'i-0123', 'i-0123:8080', '10.0.0.1:8080', '[2001:db8::1]:8080' and ARNs; raises InputError."""
    text = text.strip()
    if text.startswith("arn:"):
        match = re.match(r"^(arn:[^:]+:elasticloadbalancing:\S+?)(?::(\d+))?\Z", text)
        return Target(match.group(1), _port(match.group(2), default_port)) if match else Target(text, None)
    match = re.match(r"^(?:\[([0-9a-fA-F:.]+)\]|([^\s:\[\]]+))(?::(\d{1,5}))?\Z", text)
    if match:
        return Target(match.group(1) or match.group(2), _port(match.group(3), default_port))
    if re.match(r"^[0-9a-fA-F:]+\Z", text):
        return Target(text, default_port)
    raise InputError(f"{option}: '{text}' is not the id, address or ARN of a target, with or without ':port'.")


def _port(text: str | None, default: int | None) -> int | None:
    return int(text) if text else default


@dataclasses.dataclass(frozen=True)
class Record:
    """What the tags say of one target that was taken out."""

    target: Target
    state: str
    since: float | None = None
    """Unix time of the act."""

    @property
    def key(self) -> str:
        port = "" if self.target.port is None else f"@{self.target.port}"
        return f"{TAG_PREFIX}{self.target.id}{port}"

    @property
    def value(self) -> str:
        parts = [self.state]
        if self.since is not None:
            parts.append("at=" + time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.since)))
        if self.target.zone:
            parts.append(f"zone={self.target.zone}")
        return " ".join(parts)


def records(tags: t.Iterable[dict[str, str]]) -> dict[Target, Record]:
    """The records among the tags of a target group; a tag that is none is left alone."""
    found = (_record(tag["Key"], tag["Value"]) for tag in tags if tag["Key"].startswith(TAG_PREFIX))
    return {record.target: record for record in found if record}


def _record(key: str, value: str) -> Record | None:
    identity, _at, port = key[len(TAG_PREFIX) :].partition("@")
    words = value.split()
    if not identity or (port and not port.isdigit()) or not words or words[0] not in contract.OUT_STATES:
        return None
    details = dict(word.split("=", 1) for word in words[1:] if "=" in word)
    target = Target(identity, int(port) if port else None, details.get("zone", ""))
    return Record(target, words[0], _time(details.get("at", "")))


def _time(text: str) -> float | None:
    try:
        return float(calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ")))
    except (ValueError, OverflowError):
        return None


@dataclasses.dataclass(frozen=True)
class Drain:
    """What is known of the draining of one target."""

    delay: float
    """Seconds of the group's deregistration delay."""
    left: float | None = None
    """Seconds of it that are left; None where it is not known when it began."""
    connections: int | None = None
    """What the host itself still has open; None where it is not counted."""
    over: bool = False
    """The host has had no connection for long enough: what AWS still waits for is nothing."""
    problem: str = ""
    """Why connections could not be counted."""

    def pending(self) -> str:
        if self.over:
            return ""
        rest = "the rest" if self.left is None else f"about {max(0.0, self.left):.0f} s more"
        waited = f"is draining: AWS keeps it so for {rest} of the group's deregistration delay of {self.delay:g} s"
        if self.problem:
            return f"{waited}, and its connections cannot be counted ({self.problem})"
        if self.connections is None:
            return f"{waited}, idle or not"
        return f"{waited}, and its host has {self.connections or 'no'} connection{'s' * (self.connections != 1)} open"


def is_registered(health: Health | None) -> bool:
    """New traffic may go to it once it is healthy: it is neither gone nor going."""
    if health is None:
        return False
    state = health["TargetHealth"]
    return bool(state["State"] != DRAINING and state.get("Reason") != NOT_REGISTERED)


def registered_member(name: str, target: Target, health: Health) -> Member:
    """A target that is registered."""
    state = health["TargetHealth"]
    operational = OPERATIONAL.get(state["State"], state["State"])
    if state["State"] == "unavailable" and state.get("Reason") == "Elb.InternalError":
        operational = contract.DOWN
    shifted = health.get("AdministrativeOverride", {}).get("State") in SHIFTED
    usable = operational in contract.FULLY_UP and not shifted
    return Member(
        name=name,
        address=target.name,
        own=contract.IN_SERVICE,
        admin=contract.IN_SERVICE,
        operational=operational,
        weight=1,
        sessions=0,
        queue=0,
        old_sessions=None,
        usable=usable,
        in_rotation=usable,
        check=in_words(health) + ("; a zonal shift keeps traffic away from its zone" if shifted else ""),
        unrecoverable=UNRECOVERABLE.get(state.get("Reason") or "", "") if operational == UNUSED else "",
    )


def out_member(name: str, target: Target, state: str, health: Health | None, drain: Drain | None) -> Member:
    """A target that is deregistered, or on its way there where *drain* is given."""
    return Member(
        name=name,
        address=target.name,
        own=state,
        admin=state,
        operational=contract.PAUSED,
        weight=1,
        sessions=(drain and drain.connections) or 0,
        queue=0,
        old_sessions=None,
        usable=False,
        in_rotation=False,
        check=in_words(health) if health else f"unused {NOT_REGISTERED}",
        pending=drain.pending() if drain else "",
    )


def in_words(health: Health) -> str:
    state = health["TargetHealth"]
    words = " ".join(part for part in (state["State"], state.get("Reason")) if part)
    return f"{words}: {state['Description']}" if state.get("Description") else words
