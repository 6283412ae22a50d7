# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each step of a recreate does. The order of the steps is in recreate.py."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import durations
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.versions import plain
from ansible_collections.steady.rollout.plugins.plugin_utils import controller, targets
from ansible_collections.steady.rollout.plugins.plugin_utils.balancer_calls import error_of, node_of, on_balancer
from ansible_collections.steady.rollout.plugins.plugin_utils.migrations import drive
from ansible_collections.steady.rollout.plugins.plugin_utils.migrations.settings import Phase
from ansible_collections.steady.rollout.plugins.plugin_utils.recreate.downtime import Downtime
from ansible_collections.steady.rollout.plugins.plugin_utils.recreate.ledger import RecreateLedger
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.journal import Journal, StepFailed
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.settings import HostSettings, Settings
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.executors import Executors, Invocation, Outcome

Result = t.Dict[str, t.Any]
Versions = t.Mapping[str, t.Any]
"""The version meant for each host."""
UNTOUCHED = ("begun", "page on")
"""Steps up to which no host was touched."""
PLACES = {"controller": "localhost"}


@dataclasses.dataclass
class RecreateSteps:
    """*settings* are those of each host by its name; *common* those that all share."""

    settings: t.Mapping[str, HostSettings]
    common: Settings
    ledger: RecreateLedger
    executors: Executors
    journal: Journal
    claim: Result
    phase: Phase | None
    migration: t.Callable[[Phase], drive.Migration]
    downtime: Downtime
    show: t.Callable[[str], None]
    tolerates_lost_balancers: bool = False

    def __post_init__(self) -> None:
        self.targets: Versions = {}
        self.previous: Versions = {}
        self.facts: Result = {}
        self.estimate: float | None = None
        self.is_rolling_back = False
        self.has_drained = False
        self.has_stopped = False
        self.judged: drive.Judged | None = None

    # Before anything is touched

    def begin(self) -> None:
        controller.leave_if_ended()
        answer = self.journal.perform("begin", "coordinator", self.ledger.begin)
        self.facts = answer["facts"]
        self.estimate = answer.get("estimate")
        self.targets = {host: version for host, version in answer["targets"].items() if host in self.settings}
        self.previous = {host: answer["previous"].get(host) for host in self.targets}
        self.is_rolling_back = answer["status"] == "reverting"
        # What an earlier run has done is not known beyond the step that it began last.
        self.has_drained = self.is_rolling_back or answer["step"] not in UNTOUCHED
        # The old version serves already; only what a lost balancer shows is left to be changed.
        self.has_stopped = self.has_drained and answer["step"] != "restored"
        if not self.targets:
            raise StepFailed("coordinator", "no host is to be changed")

    def check_backup(self) -> None:
        if self._backup and not self.facts.get("backup"):
            self.journal.perform(
                "check backup",
                "backup",
                lambda: self._database("checked", directory=self._backup.get("directory")),
                _message,
            )

    def check_migration(self) -> None:
        """The database answers, and the linter has no objection."""
        if self.phase:
            phase = self.phase
            self.journal.perform("check migration", "migration", lambda: self._judged(phase), _message)

    # The page, the traffic, the service

    def show_page(self) -> None:
        self._note("page on")
        self.downtime.begin()
        self._on_all_balancers("page on", "lb_page", state="present", **self.common["rollout_page"])

    def remove_page(self) -> None:
        self._note("page off")
        self._on_all_balancers("page off", "lb_page", state="absent")

    def drain(self) -> None:
        """Marked on all nodes at once: the page is up, so no host has to stay."""
        self.has_drained = True
        self._note("drain", limit=self.common["rollout_recreate_limit"])
        self._on_all_balancers(
            "drain",
            "lb_member",
            members=self._members,
            state="drained",
            expected_states=["in_service", "drained"],
            guard={"allow_outage": True},
            timeout=self._seconds("rollout_drain_timeout"),
            on_timeout=self.common["rollout_drain_on_timeout"],
        )

    def put_in_service(self) -> None:
        """Behind the page, so that it never gives way to an empty pool."""
        self._note("serve")
        self._on_all_balancers(
            "serve",
            "lb_member",
            members=self._members,
            state="in_service",
            expected_states=["in_service", "drained"],
            timeout=self._seconds("rollout_restore_timeout"),
        )

    def stop(self) -> None:
        """Stopped and seen to be: one instance that still writes would spoil the backup and the migration."""
        self.has_stopped = True
        self._note("stop")
        self._on_all_hosts("stop", "start", self.targets, "service_stop", self._stop_options)

    def _stop_options(self, now: Settings, version: str) -> Result:
        return {
            "unit": now["rollout_unit"] or None,
            "stop_command": now["rollout_stop_command"] or None,
            "timeout": now["rollout_step_timeout"],
            "claim": self.claim,
        }

    def update(self, versions: Versions) -> None:
        self._note("update")
        self._on_all_hosts("update", "release", versions, "release", self._release_options)

    def _release_options(self, now: Settings, version: str) -> Result:
        # It is stopped already; a command that stops it once more may fail.
        start = {"start_command": now["rollout_start_command"]}
        restart = {"restart": now["rollout_unit"]} if now["rollout_unit"] else start
        return {
            "state": "active",
            "path": now["rollout_release_path"],
            "version": version,
            "shared": now["rollout_shared_paths"],
            "keep": now["rollout_keep_releases"],
            "allow_bad": True,
            "restart_timeout": now["rollout_step_timeout"],
            "claim": self.claim,
            **restart,
        }

    # The database

    @property
    def _backup(self) -> Result:
        return dict(self.common["rollout_backup"] or {})

    def back_up(self) -> None:
        """Kept from the first run on, as long as nobody but a migration can have written since."""
        if not self._backup or self.facts.get("backup"):
            return
        self._note("backup")
        options = {name: self._backup[name] for name in ("directory", "keep", "scratch") if name in self._backup}
        made = self.journal.perform("backup", "backup", lambda: self._database("present", **options), _message)
        self.facts["backup"] = {name: made[name] for name in ("path", "size", "checksum")}
        self._note("backup")

    def migrate(self) -> None:
        if not self.phase:
            return
        phase = self.phase
        if self.judged and not self.facts.get("migrated"):
            self.facts.update(database_version=self.judged.seen["version"])
        self.facts["migrated"] = True
        self._note("migrate")
        self.journal.perform("migrate", "migration", lambda: self._migrated(phase), _message)

    def restore_database(self) -> None:
        """Only where the migration has begun, and as it declares to need it."""
        way = self.common["rollout_recreate_restore"]
        if not self.phase or not self.facts.get("migrated") or way == "none":
            return
        if way == "down":
            phase = self.phase
            self.journal.perform("restore database", "migration", lambda: self._down(phase), _message)
        else:
            backup = self.facts.get("backup") or {}
            options = {name: backup[name] for name in ("path", "checksum") if backup.get(name)}
            self.journal.perform("restore database", "backup", lambda: self._database("restored", **options), _message)
        self.facts["migrated"] = False
        self._note("update")

    def _database(self, state: str, **options: t.Any) -> Result:
        given = {"state": state, "database_url": self.common["rollout_migrations"]["database_url"], **options}
        if state == "restored":
            given["claim"] = self.claim
        return self._called(str(self._backup.get("host") or "localhost"), "database_backup", given)

    def _judged(self, phase: Phase) -> Result:
        """While users are still served: reading and judging takes longer than many a migration."""
        self.judged = judged = _refused_as_step(lambda: drive.judge_first(self.migration(phase)))
        pending = ", ".join(judged.seen["pending"])
        return {"msg": f"{phase.database}: {f'would apply {pending}' if pending else 'nothing is pending'}"}

    def _migrated(self, phase: Phase) -> Result:
        it = self.migration(phase)
        it.judged = self.judged
        return _refused_as_step(lambda: drive.migrate(it))

    def _down(self, phase: Phase) -> Result:
        options = {**phase.tool_options, "state": "reverted", "claim": self.claim}
        options["target"] = self.facts.get("database_version") or ""
        return self._called(phase.host, "migration", options)

    # Whether it works

    def wait_until_healthy(self, versions: Versions) -> None:
        self._note("health")
        place = str(self.common["rollout_health_from"])
        self.journal.perform("health", "health", lambda: self._healthy(PLACES.get(place, place), versions), _message)

    def _healthy(self, place: str, versions: Versions) -> Result:
        """All hosts by one deadline; from the controller or a named host in one call, else each by itself."""
        options = {
            "successes": self.common["rollout_health_successes"],
            "min_healthy_time": self.common["rollout_min_healthy_time"],
            "timeout": self.common["rollout_healthy_deadline"],
            "interval": self.common["rollout_health_interval"],
        }
        aims = {
            name: targets.health_target(self._now(name, version)["rollout_health"], name)
            for name, version in versions.items()
        }
        if place != "host":
            return self._called(place, "health_wait", {**options, "targets": list(aims.values())})
        calls = [Invocation(name, "health_wait", {**options, "targets": [aim]}) for name, aim in aims.items()]
        return self._together("health", calls)

    def smoke_test(self, versions: Versions) -> None:
        """At the hosts themselves, behind the page."""
        if not self.common["rollout_smoke_tests"]:
            return
        self._note("smoke")
        place = str(self.common["rollout_health_from"])
        calls = []
        for name, version in versions.items():
            now = self._now(name, version)
            aim = targets.smoke_targets(now["rollout_health"], now["rollout_smoke_url"], name)
            options = {"requests": now["rollout_smoke_tests"], **({"targets": aim} if aim else {})}
            calls.append(Invocation(name if place == "host" else PLACES.get(place, place), "smoke_test", options))
        self.journal.perform("smoke test", "smoke", lambda: self._together("smoke", calls), _message)

    # Reports

    def report_done(self) -> None:
        seconds = self.downtime.end()
        self.facts["downtime"] = seconds
        estimate = f", last time {self.estimate:.1f} s" if self.estimate is not None else ""
        self.show(f"downtime {seconds:.1f} s, {self.downtime.measured_by}{estimate}")
        database = self.phase.database if self.phase else None
        lost = self.judged.lost if self.judged else ""
        restore = self.common["rollout_recreate_restore"]
        self.ledger.done(facts=self.facts, restore=restore, database=database, lost=lost or None)

    def report_failed(self, failure: StepFailed) -> bool:
        """Whether the rollout is rolled back: not once users were let in."""
        answer = self.ledger.failed(kind=failure.kind, error=failure.error)
        return bool(answer["go_back"])

    def report_restored(self) -> None:
        self.show(f"the old version serves again, after {self.downtime.end():.1f} s")
        self.ledger.restored(facts=self.facts)

    def report_stuck(self, failure: StepFailed) -> None:
        """The page stays up: it is not known what users would get behind it."""
        error = (
            f"{failure.error.rstrip('.')}; the maintenance page is still up. Fix this, then run recreate.yml again with "
            "-e rollout_resume=revert"
        )
        self.ledger.stuck(kind=failure.kind, error=error)

    # Calls

    @property
    def _members(self) -> list[str]:
        return [str(self._now(name, version)["rollout_member"]) for name, version in self.targets.items()]

    def _now(self, name: str, version: t.Any) -> Settings:
        return self.settings[name].of(str(version) if version else None)

    def _seconds(self, setting: str) -> float:
        return durations.seconds(setting, self.common[setting])

    def _note(self, step: str, **options: t.Any) -> None:
        """On record before it is begun. Nothing more is done for a run that has ended or lost its lease."""
        controller.leave_if_ended()
        self.ledger.note(step, self.facts, **options)

    def _on_all_balancers(self, step: str, module: str, **options: t.Any) -> None:
        calls = [on_balancer(one, module, claim=self.claim, **options) for one in self.common["rollout_balancers"]]
        self.journal.perform(step, "balancer", lambda: self._done_by_balancers(calls))

    def _done_by_balancers(self, calls: t.Sequence[Invocation]) -> Result:
        outcomes = self.executors.together(calls)
        lost = [one for one in outcomes if _is_lost(one)]
        if self.tolerates_lost_balancers and len(lost) < len(outcomes):
            for one in lost:
                self.show(
                    f"{node_of(one)} is left as it is, with its maintenance page if it shows one: {error_of(one)}"
                )
            outcomes = [one for one in outcomes if one not in lost]
        _refuse_failures("balancer", outcomes)
        return {"changed": True}

    def _on_all_hosts(
        self, step: str, kind: str, versions: Versions, module: str, options: t.Callable[[Settings, str], Result]
    ) -> None:
        unknown = [name for name, version in versions.items() if not version]
        if unknown:
            raise StepFailed(kind, f"no proven version is known for {', '.join(unknown)}")
        calls = [
            Invocation(name, module, options(self._now(name, version), str(plain(version))))
            for name, version in versions.items()
        ]
        self.journal.perform(step, kind, lambda: self._together(kind, calls))

    def _together(self, kind: str, calls: t.Sequence[Invocation]) -> Result:
        outcomes = self.executors.together(calls)
        _refuse_failures(kind, outcomes)
        return {"changed": True, "msg": f"{len(outcomes)} hosts"}

    def _called(self, place: str, module: str, options: Result) -> Result:
        (outcome,) = self.executors.together([Invocation(place, module, options)])
        _refuse_failures("", [outcome])
        return outcome.result


def _is_lost(outcome: Outcome) -> bool:
    """Its host does not answer, or a command there fails. What a guard or a drain refuses has a kind."""
    return bool(outcome.unreachable) or (outcome.failed and not outcome.result.get("kind"))


def _refuse_failures(kind: str, outcomes: t.Sequence[Outcome]) -> None:
    """StepFailed with every host or balancer that failed."""
    bad = [one for one in outcomes if one.failed]
    if bad:
        first = str(bad[0].result.get("kind") or "") or ("unreachable" if bad[0].unreachable else kind)
        raise StepFailed(first, " ".join(dict.fromkeys(_error_line(one) for one in bad)))


def _error_line(outcome: Outcome) -> str:
    error, host = error_of(outcome), outcome.invocation.host
    return error if host in error or host == "localhost" else f"{host}: {error}"


Done = t.TypeVar("Done")


def _refused_as_step(work: t.Callable[[], Done]) -> Done:
    try:
        return work()
    except RolloutError as error:
        raise StepFailed(str(error.result.get("kind") or ""), error.message) from None


def _message(result: t.Mapping[str, t.Any]) -> str:
    return str(result.get("msg") or "")
