# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Apache's mod_proxy_balancer, through its balancer-manager.

drained       N, draining: clients with a cookie for the member still go there
maintenance   D, disabled: they go elsewhere
weight 0      S, stopped, since Apache has load factors from 1 to 100 only
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.balancers import contract
from ansible_collections.steady.rollout.plugins.module_utils.balancers.apache.in_flight import FlightLog
from ansible_collections.steady.rollout.plugins.module_utils.balancers.apache.manager import (
    Manager,
    Page,
    Site,
    Worker,
    split_url,
)
from ansible_collections.steady.rollout.plugins.module_utils.balancers.apache.routes import ApachePages, ApacheRoutes
from ansible_collections.steady.rollout.plugins.module_utils.balancers.apache.service import ApacheService, RunCommand
from ansible_collections.steady.rollout.plugins.module_utils.balancers.apache.status import StatusPage
from ansible_collections.steady.rollout.plugins.module_utils.balancers.common import access_log
from ansible_collections.steady.rollout.plugins.module_utils.balancers.common.linux_processes import Proc
from ansible_collections.steady.rollout.plugins.module_utils.balancers.common.owned_file import OwnedFile
from ansible_collections.steady.rollout.plugins.module_utils.balancers.common.reloaded_file import ReloadedFile
from ansible_collections.steady.rollout.plugins.module_utils.balancers.common.request_log import Entry
from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import (
    Balancer,
    Member,
    Snapshot,
    WeightLimits,
    quoted,
)
from ansible_collections.steady.rollout.plugins.module_utils.balancers.routing import (
    NO_ROUTING_FILES,
    Pages,
    Routes,
    RoutingFiles,
)
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.waiting import Clock

DRAINING, DISABLED, STOPPED, IN_ERROR, FAILED_CHECK = "Drn", "Dis", "Stop", "Err", "HcFl"
STANDBY, SPARE, USABLE = "Stby", "Spar", "Ok"
NOTE_NO_STATUS = (
    "Apache's counters of requests in flight can stay above 0 after a graceful restart: give balancer.status_url, so "
    "that the end of a drain is certain."
)
NOTE_NOT_KEPT = (
    "BalancerPersist is off: a graceful restart of Apache puts all members back as its configuration has them."
)

# A member leaves one state only after it has entered the next, so that no request slips in between.
FIELDS: dict[str, tuple[dict[str, str], ...]] = {
    contract.DRAINED: ({"w_status_N": "1", "w_status_D": "0"},),
    contract.MAINTENANCE: ({"w_status_D": "1"}, {"w_status_N": "0"}),
    contract.IN_SERVICE: ({"w_status_N": "0", "w_status_D": "0"},),
}


# Names stand in URLs and in lines of Apache's configuration.
POOL = re.compile(r"[A-Za-z0-9._~-]+\Z")


def open_apache(settings: dict[str, t.Any], run_command: RunCommand | None = None) -> Apache:
    """Raises InputError where the settings cannot be right; connects to nothing yet."""
    if settings["timeout"] <= 0:
        raise InputError(f"balancer.timeout: must be more than 0 s, is {settings['timeout']:g}.")
    if not POOL.match(settings["pool"]):
        raise InputError(
            f"balancer.pool: {settings['pool']!r} cannot be the name of a balancer; letters, digits and - _ . ~ can."
        )
    url, status_url = settings["manager_url"], settings.get("status_url")
    where = f"{settings.get('host') or ''} {url}".strip()
    access = (settings["manager_user"], settings.get("manager_password") or "", settings["validate_certs"])
    split_url(url, "balancer.manager_url")
    status = None
    if status_url:
        split_url(status_url, "balancer.status_url")
        status = StatusPage(Site(status_url, settings["timeout"], *access), where).activities
    manager = Manager(Site(url, settings["timeout"], *access), where)
    service = None
    if run_command:
        service = ApacheService(where, settings.get("pid_file"), settings["timeout"], run_command, Proc(), Clock())
    return Apache(settings["pool"], manager, FlightLog(status, Clock()), service, RoutingFiles.given(settings))


class Apache(Balancer):
    """One balancer of one Apache."""

    capabilities = frozenset(
        {
            contract.CAN_DRAIN,
            contract.CAN_MAINTAIN,
            contract.CAN_SAVE,
            contract.CAN_WEIGH,
            contract.CAN_ROUTE,
            contract.CAN_PAGE,
            contract.CAN_LOG,
        }
    )
    lacks = {
        contract.CAN_END_SESSIONS: "Apache has no command that cuts single requests",
        contract.CAN_WEIGH_AT_ONCE: "its balancer-manager changes one member at a time; those that rise go first",
        contract.CAN_COUNT: "Apache counts the requests of its members, but neither their errors nor their latencies",
        contract.CAN_ADD: "its balancer-manager can add members but not remove them; change its configuration and reload it",
    }
    weight_limits = WeightLimits(1, 100)

    def __init__(
        self,
        pool: str,
        manager: Manager,
        flights: FlightLog,
        service: ApacheService | None = None,
        files: RoutingFiles = NO_ROUTING_FILES,
    ) -> None:
        super().__init__(pool, manager.where)
        self._service = service
        self._files = files
        self._manager = manager
        self._flights = flights
        self._page: Page | None = None

    def version(self) -> str:
        return self._manager.page().version

    def require_admin(self) -> None:
        # A change of nothing: whether POST is let through shows only when one is made.
        self._manager.change(self.pool, self._nonce(), "", {})

    def snapshot(self) -> Snapshot:
        workers = self._workers()
        page = self._page = self._page or self._manager.page()
        ranks = {name: _rank(worker) for name, worker in workers.items()}
        taking = min((ranks[name] for name, worker in workers.items() if _is_usable(worker)), default=None)
        members = {
            name: self._member(name, worker, ranks[name] == taking, ranks[name] > min(ranks.values()), page.persists)
            for name, worker in workers.items()
        }
        return Snapshot(self.pool, members, notes=tuple(self._notes(page)))

    def request_log(self, log: str, snapshot: Snapshot) -> list[Entry]:
        # Apache writes microseconds.
        return access_log.read(log, self.where, access_log.names(snapshot), 0.001)

    def set_admin(self, states: t.Mapping[str, str]) -> None:
        self._change({name: FIELDS[state] for name, state in states.items()})

    def set_weights(self, weights: t.Mapping[str, int]) -> None:
        # Those that get traffic first: members change one by one, and one that takes it should be there at any time.
        ordered = sorted(weights.items(), key=lambda item: item[1] == 0)
        self._change({name: (_weight_fields(weight),) for name, weight in ordered})

    def save(self) -> None:
        """Apache keeps changes by itself where BalancerPersist is on, and otherwise not at all: see the notes."""

    def routes(self) -> Routes:
        file = self._reloaded("route_file", self._files.route, "route testers' requests")
        return ApacheRoutes(self.pool, self.where, file, lambda: list(self._manager.workers()))

    def pages(self) -> Pages:
        file = self._reloaded("page_file", self._files.page, "show a maintenance page")
        return ApachePages(self.pool, self.where, file)

    def _reloaded(self, option: str, given: str | None, purpose: str) -> ReloadedFile:
        path = self._needed(option, given, purpose)
        if self._service is None:
            raise InputError(f"balancer.{option}: Apache cannot be restarted from here, where no program may be run.")
        return ReloadedFile(OwnedFile(path, self.where, f"balancer.{option}"), self._service)

    def _change(self, fields: t.Mapping[str, t.Sequence[dict[str, str]]]) -> None:
        workers, nonce = self._workers(), self._nonce()
        for name, steps in fields.items():
            for step in steps:
                self._manager.change(self.pool, nonce, workers[name].url, step)

    def _nonce(self) -> str:
        page = self._page = self._manager.page()
        if self.pool not in page.nonces:
            raise RolloutError(
                f"{self.where}: the balancer-manager gives no nonce for '{self.pool}', so nothing can be changed."
            )
        return page.nonces[self.pool]

    def _workers(self) -> dict[str, Worker]:
        """By route, which is the name that cookies have for a member, or by URL where there is none of its own."""
        balancers = self._manager.workers()
        if self.pool not in balancers:
            raise InputError(f"{self.where}: no pool '{self.pool}'; its balancers are {quoted(balancers) or 'none'}.")
        workers = balancers[self.pool]
        routes = [worker.route for worker in workers]
        return {
            worker.route if worker.route and routes.count(worker.route) == 1 else worker.url: worker
            for worker in workers
        }

    def _member(self, name: str, worker: Worker, first: bool, later: bool, persists: bool) -> Member:
        own = _own(worker)
        usable = _is_usable(worker)
        flight = self._flights.read(name, worker, own in contract.OUT_STATES, persists)
        return Member(
            name=name,
            address=worker.url,
            own=own,
            admin=own,
            operational=contract.DOWN if _trouble(worker) else contract.NO_CHECK,
            weight=0 if STOPPED in worker.flags else max(1, round(worker.factor)),
            sessions=flight.sessions,
            queue=0,
            old_sessions=flight.old,
            usable=usable,
            in_rotation=usable and first,
            backup=later,
            check=_trouble(worker),
        )

    def _notes(self, page: Page) -> t.Iterator[str]:
        if not page.persists:
            yield NOTE_NOT_KEPT
        if not self._flights.watches:
            yield NOTE_NO_STATUS


def _weight_fields(weight: int) -> dict[str, str]:
    return {"w_lf": str(weight), "w_status_S": "0"} if weight else {"w_status_S": "1"}


def _own(worker: Worker) -> str:
    if DISABLED in worker.flags:
        return contract.MAINTENANCE
    return contract.DRAINED if DRAINING in worker.flags else contract.IN_SERVICE


def _is_usable(worker: Worker) -> bool:
    """'Ok' says that it is neither disabled nor stopped, in error or failing its check."""
    return USABLE in worker.flags and DRAINING not in worker.flags


def _rank(worker: Worker) -> tuple[bool, int]:
    """In which order members are tried: standbys and spares last, before that set by set."""
    return bool(worker.flags & {STANDBY, SPARE}), worker.lbset


def _trouble(worker: Worker) -> str:
    """Why a member is down. A request that is on its way to a member while that is stopped leaves it in error, and Apache
    tries no stopped member again: that error says nothing about the member.
    """
    if FAILED_CHECK in worker.flags:
        return "its health check fails"
    if IN_ERROR in worker.flags and STOPPED not in worker.flags:
        return "in error, tried again after the 'retry' seconds of its BalancerMember (60 if not given)"
    return ""
