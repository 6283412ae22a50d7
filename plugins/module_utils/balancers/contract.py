# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What the collection requires of a load balancer of any type.

A new make is one file with a subclass of Balancer, and its row in registry.py.
"""

from __future__ import annotations

import abc
import dataclasses
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.balancers.common.request_log import Entry
from ansible_collections.steady.rollout.plugins.module_utils.balancers.routing import Pages, Routes
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError

IN_SERVICE = "in_service"
DRAINED = "drained"
MAINTENANCE = "maintenance"
ADMIN_STATES = (IN_SERVICE, DRAINED, MAINTENANCE)
OUT_STATES = (DRAINED, MAINTENANCE)

UP = "up"
GOING_DOWN = "going_down"
STARTING = "starting"
STOPPING = "stopping"
DOWN = "down"
PAUSED = "paused"
NO_CHECK = "no_check"
FULLY_UP = (UP, NO_CHECK)

# What a type of load balancer may be able to do; see Balancer.capabilities.
CAN_DRAIN = "drain"
CAN_MAINTAIN = "maintenance"
CAN_END_SESSIONS = "end_sessions"
CAN_SAVE = "save"
CAN_WEIGH = "weights"
CAN_WEIGH_AT_ONCE = "weights_at_once"
CAN_ROUTE = "routes"
CAN_PAGE = "page"
CAN_COUNT = "counters"
CAN_LOG = "request_log"
CAN_ADD = "add_members"
ALL_CAPABILITIES = (
    CAN_DRAIN,
    CAN_MAINTAIN,
    CAN_END_SESSIONS,
    CAN_SAVE,
    CAN_WEIGH,
    CAN_WEIGH_AT_ONCE,
    CAN_ROUTE,
    CAN_PAGE,
    CAN_COUNT,
    CAN_LOG,
    CAN_ADD,
)


class Unreachable(RolloutError):
    """The balancer did not answer: for now, or for good."""


class MemberBusy(RolloutError):
    """A member cannot be removed yet: connections to it are still open."""


@dataclasses.dataclass(frozen=True)
class Member:
    """One member of a pool at one moment, as one balancer node sees it."""

    name: str
    address: str
    own: str
    """The admin state set on this very member: one of ADMIN_STATES."""
    admin: str
    """The admin state in force: the own one, or that of a member it tracks or of an address not resolved."""
    operational: str
    """What its checks say: up, going_down (the last check failed, or none has passed since maintenance), starting
    (slow start), stopping, down, paused (in maintenance, where it is not checked), no_check."""
    weight: int
    sessions: int
    """Requests (HTTP) or connections (TCP) in flight; idle keep-alive connections are none."""
    queue: int
    """Requests waiting for this very member."""
    old_sessions: int | None
    """Sessions and queue in processes that a reload left behind; None where they cannot be seen."""
    usable: bool
    """New traffic may go to it, be it only when others are gone (a backup)."""
    in_rotation: bool
    """New traffic goes to it now."""
    backup: bool = False
    tracks: str = ""
    """'pool/member' whose state this one copies."""
    agent: bool = False
    """An agent check may change the admin state and the weight by itself."""
    check: str = ""
    """The last check in words."""
    went_down: int | None = None
    """How often its checks have taken it out of rotation; None where the node does not count that."""
    pending: str = ""
    """What a drain waits for besides what is counted as busy, in words that follow the member's name."""
    unrecoverable: str = ""
    """Why waiting cannot bring it into rotation, in words that follow the member's name."""

    @property
    def inherited(self) -> bool:
        """The admin state in force is not its own: setting this member does not end it."""
        return self.admin != self.own

    @property
    def busy(self) -> int:
        """What a drain waits for."""
        return self.sessions + self.queue + (self.old_sessions or 0)

    @property
    def serving(self) -> bool:
        """It is as far in service as it will get: taking traffic, or a backup that would."""
        return self.usable and self.operational in FULLY_UP


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """All members of one pool at one moment."""

    pool: str
    members: dict[str, Member]
    queue: int = 0
    """Requests that wait for any member of the pool."""
    notes: tuple[str, ...] = ()
    """What a reader of these figures should know."""

    @property
    def in_rotation(self) -> list[str]:
        return [name for name, member in self.members.items() if member.in_rotation]


class NewMember(t.NamedTuple):
    """A member to add to a pool."""

    name: str
    address: str
    """Address and port, as the balancer is to reach it."""
    parameters: str = ""
    """The other parameters of its line in the balancer's configuration."""


class Bin(t.NamedTuple):
    """How many requests took from *lower* to *lower* + *width* milliseconds."""

    lower: float
    width: float
    requests: int


@dataclasses.dataclass(frozen=True)
class Counters:
    """What a node has counted for one member since it began to. The counts only grow, until the node restarts them."""

    requests: int
    """Requests that ended: with an answer, or without any."""
    errors: int
    """Of these, the ones answered with 5xx and the ones that the member sent an invalid response to."""
    latency: float | None = None
    """Milliseconds until the answer, as a mean over the last *window* of *timed* requests; None where it is not reported."""
    timed: int = 0
    """Requests that went into the mean since the node began to count."""
    window: int = 0
    """How many of the last requests the mean looks back on, an older one counting ever less; 0 for all of them."""
    histogram: tuple[Bin, ...] = ()
    """The latencies of all requests that were timed, growing; empty where the node keeps none."""


@dataclasses.dataclass(frozen=True)
class Count:
    """One reading of the counters of a pool."""

    series: str
    """Changes when the node restarted its counters, as after a reload."""
    members: dict[str, Counters]
    notes: tuple[str, ...] = ()
    """What a reader of these figures should know."""


class WeightLimits(t.NamedTuple):
    """The weights that give a member traffic: the integers from *lowest* to *highest*. Besides them 0 gives none."""

    lowest: int
    highest: int


class Balancer(abc.ABC):
    """One pool on one node of a load balancer.

    Every method raises Unreachable where the node does not answer and RolloutError where it refuses.
    """

    capabilities: t.ClassVar[frozenset[str]] = frozenset()
    lacks: t.ClassVar[t.Mapping[str, str]] = {}
    """For each of ALL_CAPABILITIES that is none of its capabilities the reason, as the end of a sentence."""
    weight_limits: t.ClassVar[WeightLimits] = WeightLimits(1, 256)

    def __init__(self, pool: str, where: str) -> None:
        self.pool = pool
        self.where = where
        """The node as messages name it."""

    @abc.abstractmethod
    def version(self) -> str:
        """The load balancer's version."""

    @abc.abstractmethod
    def require_admin(self) -> None:
        """Raises RolloutError unless changes are allowed; changes nothing."""

    @abc.abstractmethod
    def snapshot(self) -> Snapshot:
        """What is true now."""

    def snapshot_of(self, members: t.Sequence[str]) -> Snapshot:
        """What is true now of *members*, read as cheaply as the type can. The rest of the pool may be left out.

        By default everything is read, as it is where one of them is missing.
        """
        return self.snapshot()

    def refreshed(self, snapshot: Snapshot, members: t.Sequence[str]) -> Snapshot:
        """*snapshot* with what is in flight to *members* now, read as cheaply as the type can.

        For the many polls of a wait. By default everything is read again; what else has changed may be shown or not.
        """
        return self.snapshot()

    def objection(self, states: t.Mapping[str, str]) -> str:
        """Why this make would not do what setting *states* is meant to do, or an empty string; changes nothing."""
        return ""

    @abc.abstractmethod
    def set_admin(self, states: t.Mapping[str, str]) -> None:
        """Sets the admin state of all named members in one batch. Accepted is not reached: read back."""

    def end_sessions(self, members: t.Sequence[str]) -> None:
        """Cuts what is in flight to *members*."""
        raise self._cannot("end sessions", CAN_END_SESSIONS)

    def unsaved(self, snapshot: Snapshot) -> list[str]:
        """Members whose admin state would not survive a reload although it is meant to."""
        return []

    def save(self) -> None:
        """Makes the admin states of now survive a reload; only asked for when something is unsaved."""
        raise self._cannot("save its state", CAN_SAVE)

    def set_weights(self, weights: t.Mapping[str, int]) -> None:
        """Sets the weights of all named members in one batch. Accepted is not reached: read back.

        0 takes a member's traffic and leaves its admin state alone. A type without such a weight marks the member
        in a way of its own, distinct from a drain, and its snapshot shows weight 0.
        """
        raise self._cannot("set weights", CAN_WEIGH)

    def add_member(self, new: NewMember) -> None:
        """Adds a member that is drained: it takes no traffic before it is put in service."""
        raise self._cannot("add members", CAN_ADD)

    def remove_member(self, name: str) -> None:
        """Removes a member that is out of service and has nothing in flight.

        Raises MemberBusy while the node has connections to it that will close by themselves.
        """
        raise self._cannot("remove members", CAN_ADD)

    def is_gone(self, snapshot: Snapshot, name: str) -> bool:
        """Whether nothing of a member that was removed is left on the node."""
        return name not in snapshot.members

    def lost_by_reload(self, change: NewMember | str) -> str:
        """What to change in the configuration so that the next reload does not undo the *change* (a name if it is removed).

        A sentence; empty if a reload keeps the change.
        """
        return ""

    def counters(self) -> Count:
        """What the node has counted for each member until now."""
        raise self._cannot("report what it has counted for its members", CAN_COUNT)

    def request_log(self, log: str, snapshot: Snapshot) -> list[Entry]:
        """The newest single requests that members of the pool answered; *log* is the setting that names where they are."""
        raise self._cannot("report single requests", CAN_LOG)

    def routes(self) -> Routes:
        """Where testers' requests go; connects to nothing yet. Raises InputError where a setting for it is missing."""
        raise self._cannot("route testers' requests", CAN_ROUTE)

    def pages(self) -> Pages:
        """The maintenance page; connects to nothing yet. Raises InputError where a setting for it is missing."""
        raise self._cannot("show a maintenance page", CAN_PAGE)

    def check_members(self, snapshot: Snapshot, names: t.Iterable[str]) -> None:
        """Raises InputError unless the pool has every one of *names*, letter by letter."""
        missing = [name for name in names if name not in snapshot.members]
        if missing:
            raise InputError(
                f"{self.where}: pool '{self.pool}' has no member {quoted(missing)}; it has "
                f"{quoted(snapshot.members) or 'none at all'}. Give the names exactly as the load balancer has them."
            )

    def _needed(self, option: str, given: str | None, purpose: str) -> str:
        """A setting that only some modules need; raises InputError where it was not given."""
        if not given:
            raise InputError(f"balancer.{option} is needed to {purpose}: see the documentation of what it is to hold.")
        return given

    def _cannot(self, what: str, capability: str = "") -> RolloutError:
        reason = self.lacks.get(capability)
        return RolloutError(f"{self.where}: this type of load balancer cannot {what}{f': {reason}' if reason else ''}.")


def quoted(names: t.Iterable[str], most: int = 12) -> str:
    """Names for a message: 'a', 'b' and 3 more."""
    names = list(names)
    text = ", ".join(f"'{name}'" for name in names[:most])
    return text if len(names) <= most else f"{text} and {len(names) - most} more"
