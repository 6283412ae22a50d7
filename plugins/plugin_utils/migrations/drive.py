# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One phase of a migration, once a rollout. Read migrate() from top to bottom."""

from __future__ import annotations

import dataclasses
import time
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.plugin_utils import controller
from ansible_collections.steady.rollout.plugins.plugin_utils.coordinator import RecordedChange
from ansible_collections.steady.rollout.plugins.plugin_utils.migrations.lint import judged
from ansible_collections.steady.rollout.plugins.plugin_utils.migrations.lint.model import NORMAL, POOLER_PAUSED
from ansible_collections.steady.rollout.plugins.plugin_utils.migrations.settings import Phase
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.executor import Executor, Unreachable

Result = t.Dict[str, t.Any]
PROGRESS_EVERY = 15.0


@dataclasses.dataclass(frozen=True)
class Judged:
    """What was read and judged before users had to wait: where the database stands, and what is removed, in words."""

    seen: Result
    lost: str


@dataclasses.dataclass
class Migration:
    phase: Phase
    ledger: RecordedChange
    executor: Executor
    claim: Result
    hosts: t.Sequence[Result]
    show: t.Callable[[str], None]
    traffic: str = NORMAL
    now: t.Callable[[], float] = time.monotonic
    judged: Judged | None = None

    # The steps of migrate().

    def read(self) -> Result:
        """Where the database stands and what is pending, by the tool's word."""
        return self._call("read", with_sql=not self.phase.batch)

    def judge(self, seen: Result) -> str:
        """Refuses what is unsafe in this phase; returns what the statements remove, in words."""
        text = self.phase.batch or str(seen.get("sql") or "")
        if not self.phase.settings.get("lint", True):
            return ""
        options = {
            "database": self.phase.kind,
            "phase": self.phase.name,
            "transaction": self.phase.settings.get("transaction", True),
            "traffic": POOLER_PAUSED if self.phase.pooler and self.traffic == NORMAL else self.traffic,
            "squawk": not self.phase.batch,
        }
        report = judged.report_of(options, [(f"{self.phase.name} of {self.phase.database}", text)])
        for finding in report.findings:
            self.show(finding.text)
        if report.errors:
            raise RolloutError(
                f"{self.phase.database}: the linter found {len(report.errors)} unsafe statement"
                f"{'' if len(report.errors) == 1 else 's'} for the phase {self.phase.name}; the first: "
                f"{report.errors[0].text} Nothing was migrated."
            )
        return judged.removed_by(self.phase.kind, text)

    def claim_database(self, seen: Result) -> Result:
        return self.ledger.begun(**self._about(seen), hosts=list(self.hosts))

    def apply(self, interrupted: bool) -> Result:
        """What the run that was *interrupted* may have left paused is resumed."""
        options: Result = {"expected_pending": self.judged.seen["pending"]} if self.judged else {}
        if self.phase.pooler:
            options["pooler"] = {**self.phase.pooler, "resume": interrupted}
        return self._call("applied", **options)

    def copy(self) -> Result:
        """The backfill, in calls of some seconds each, with a line of progress now and then."""
        rows, shown_at = 0, self.now()
        while True:
            controller.leave_if_ended()
            done = self._call("batched")
            rows += int(done["rows"])
            if done["finished"]:
                return {**done, "msg": f"{self.phase.database}: {rows} rows changed, none is left", "changed": rows > 0}
            if self.now() - shown_at >= PROGRESS_EVERY:
                self.show(f"{self.phase.database}: {rows} rows changed so far")
                shown_at = self.now()

    def record(self, seen: Result, done: Result, lost: str) -> Result:
        about = self._about({"version": done.get("version") or seen.get("version")})
        return self.ledger.done(**{"lost": lost, **about}, applied=bool(done.get("changed")))

    def record_failure(self, seen: Result, error: RolloutError) -> None:
        version = error.result.get("version") or seen.get("version")
        self.ledger.failed(database=self.phase.database, phase=self.phase.name, version=version, error=error.message)

    def _about(self, seen: Result) -> Result:
        given = ("versions", "services", "keep_for", "lost", "irreversible")
        about = {name: self.phase.settings[name] for name in given if name in self.phase.settings}
        return {"database": self.phase.database, "phase": self.phase.name, "version": seen.get("version"), **about}

    def _call(self, state: str, **options: t.Any) -> Result:
        given = {**self.phase.tool_options, "state": state, **options}
        if state != "batched":
            given.pop("batch", None)
        if state in ("applied", "batched"):
            given["claim"] = self.claim or None
        try:
            result = self.executor.call("migration", given)
        except Unreachable as error:
            raise RolloutError(error.message, kind="unreachable") from None
        if result.get("failed"):
            raise RolloutError(
                str(result.get("msg")), **{k: v for k, v in result.items() if k not in ("msg", "failed")}
            )
        return result


def migrate(it: Migration) -> Result:
    """Brings the database through one phase. Raises RolloutError; then no more was changed than the message says."""
    judged = it.judged or judge_first(it)
    seen, lost = judged.seen, judged.lost
    if not seen["pending"] and not seen.get("paused") and not it.phase.batch:
        return {"changed": False, "go": True, "msg": f"{it.phase.database}: nothing to {it.phase.name}"}
    answer = it.claim_database(seen)
    if not answer["go"]:
        return {"changed": False, "go": False, "msg": answer["msg"]}
    try:
        done = it.copy() if it.phase.batch else it.apply(bool(answer.get("interrupted")))
    except RolloutError as error:
        it.record_failure(seen, error)
        raise
    it.record(seen, done, lost)
    return {
        "changed": bool(done.get("changed")),
        "go": True,
        "msg": done["msg"],
        "blockers": done.get("blockers") or [],
    }


def rehearse(it: Migration) -> Result:
    """What migrate() would do, for check mode: reads and judges."""
    pending = judge_first(it).seen["pending"]
    would = f"would apply {', '.join(pending)}" if pending else f"nothing to {it.phase.name}"
    return {"changed": bool(pending), "go": True, "msg": f"{it.phase.database}: {would}"}


def judge_first(it: Migration) -> Judged:
    """Reads and judges, also ahead of migrate()."""
    seen = it.read()
    return Judged(seen, it.judge(seen) if seen["pending"] or it.phase.batch else "")
