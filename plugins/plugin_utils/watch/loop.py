# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the watch of a run does every few seconds: reads, reports to the ledger, and shows what is under way.

It decides nothing: the ledger's rules do, from what it reports. Reading and reporting wait for other machines; neither
may keep the other from its turn, nor the next line of progress from being shown.
"""

from __future__ import annotations

import dataclasses
import time
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import versions
from ansible_collections.steady.rollout.plugins.module_utils.plurals import counted
from ansible_collections.steady.rollout.plugins.plugin_utils.background import NAP, Pending, in_thread
from ansible_collections.steady.rollout.plugins.plugin_utils.restore_timers.calls import HEARTBEAT
from ansible_collections.steady.rollout.plugins.plugin_utils.watch.missed import with_missed_failures
from ansible_collections.steady.rollout.plugins.plugin_utils.watch.portions import Portions

Row = t.Dict[str, t.Any]
Readings = t.Tuple[t.List[Row], t.List[Row]]
"""What the balancers and what the probes of the hosts say."""

INTERVAL = 2.0
"""Seconds from one observation to the next."""
SHOW_EVERY = 15.0
"""Seconds between two lines of progress."""
UNREACHABLE = "in progress: the coordinator does not answer; hosts in flight are finished, no other one starts"
ENDS_WITHIN = 10.0
"""Seconds that a run whose lease nobody holds has to end by itself: its last play has released it."""
DEAD_FOR = 10.0
"""Seconds that a run goes on without a worker that is gone: one that was interrupted ends its workers, and then itself."""
IDLE_FOR = 30.0
"""Seconds without any worker, with hosts in flight, after which Ansible waits for one that was killed."""
LONG_AGO = 0.0
"""For what was read before the coordinator has said what time it is."""
NAMED = 6
"""Hosts in a line of progress."""


@dataclasses.dataclass(frozen=True)
class Run:
    """What is known of the run that is watched: whether it is there, and whether somebody has suspended it."""

    is_there: t.Callable[[], bool]
    is_suspended: t.Callable[[], bool]
    lost_hosts: t.Callable[[], t.List[str]] = list
    """Those whose worker was killed."""
    has_workers: t.Callable[[], bool] = lambda: True
    end: t.Callable[[], None] = lambda: None


@dataclasses.dataclass
class Watch:
    """*probe* gets the hosts to observe with the versions that they are to serve; *report* is rollout_watch.

    *report* returns None while the coordinator cannot be reached. Its last argument is when the reading began, by the
    coordinator's clock: how long a report takes to get there is not known, and a host may be proven meanwhile.
    """

    run: Run
    read_balancers: t.Callable[[], t.List[Row]]
    probe: t.Callable[[t.Mapping[str, str]], t.List[Row]]
    report: t.Callable[[t.Optional[t.List[Row]], t.List[Row], t.Optional[float]], t.Optional[Row]]
    show: t.Callable[[str], None]
    keep: t.Callable[[t.Sequence[str]], None] = lambda lines: None
    is_asked: t.Callable[[], bool] = lambda: False
    """*keep* gets the message for an interrupted run; *is_asked* returns true once that is to be read again."""
    renew: t.Callable[[], None] = lambda: None
    lose: t.Callable[[str], None] = lambda reason: None
    """Called with every report that the run holds its lease, and once when it does not any more."""
    members: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    """The name of each host in its pool."""
    beat: t.Callable[[], None] | None = None
    """The heartbeat for the restore timers; None where none is armed."""
    begin: t.Callable[[t.Callable[[], t.Any]], Pending[t.Any]] = in_thread
    now: t.Callable[[], float] = time.monotonic
    sleep: t.Callable[[float], None] = time.sleep

    def __post_init__(self) -> None:
        self._answer: Row | None = None
        self._answered_at = self._read_at = self._shown_at = self.now()
        self._reading: Pending[Readings] | None = None
        self._beating: Pending[None] | None = None
        self._beaten_at: float | None = None
        self._began_reading = LONG_AGO
        self._ahead: float | None = None
        """By how much the coordinator's clock is ahead of this one, at the least: an answer takes time to get here."""
        self._busy_at = self._complete_at = self.now()
        self._is_interrupted = False
        self._before: list[Row] = []
        self._proven_before: set[str] = set()
        self._proven: set[str] = set()
        self._portions = Portions()

    def until_the_run_is_over(self) -> None:
        # Before anything is read: from here on no step has to hold the lease in advance.
        goes_on = self.run.is_suspended() or self._report(None, [], None)
        while goes_on and self.run.is_there():
            began = self.now()
            # A suspended run must not keep its lease: whoever suspended it may never let it go on.
            if not self.run.is_suspended():
                self._beat_if_due()
                goes_on = self._observe()
                self._end_what_waits_for_ever()
            self._rest(began)

    def _beat_if_due(self) -> None:
        """One at a time; nothing waits for it. What comes of it is seen where the timers are: they restore, or not."""
        is_due = self._beaten_at is None or self.now() - self._beaten_at >= HEARTBEAT
        if self.beat is not None and is_due and (self._beating is None or self._beating.is_over()):
            self._beaten_at, self._beating = self.now(), self.begin(self.beat)

    def _observe(self) -> bool:
        """False once the run does not hold its lease any more. Balancers that do not answer stop no heartbeat."""
        self._is_interrupted = self._is_interrupted or self.is_asked()
        observed = self._answer["observe"] if self._answer else {}
        if self._reading is None:
            self._began_reading = LONG_AGO if self._ahead is None else self.now() + self._ahead
            self._proven = {self.members.get(host, host) for host in observed}
            probed = self._portions.next(observed)
            self._reading = self.begin(lambda: (self.read_balancers(), self.probe(probed) if probed else []))
        if not self._wait_for(self._reading, INTERVAL):
            return self.run.is_there() and self._report(None, [], None)
        balancers, hosts = self._reading.result()
        self._reading, self._read_at = None, self.now()
        self._portions.add(hosts)
        # Proven before the reading before this one began: nobody has worked on them in between.
        seen = with_missed_failures(balancers, self._before, self._proven_before)
        self._before, self._proven_before = balancers, self._proven
        return self._report(seen, hosts, self._began_reading)

    def _report(self, balancers: list[Row] | None, hosts: list[Row], read_at: float | None) -> bool:
        reporting = self.begin(lambda: self.report(balancers, hosts, read_at))
        if not self._wait_for(reporting):
            return False
        answer: Row | None = reporting.result()
        if answer is None:
            self._note_unreachable()
            return True
        if answer.get("is_over"):
            # The next service of the release has a watch of its own, and the same mark.
            return False
        if not answer["holds_lease"]:
            self._lose(answer)
            return False
        self.renew()
        if balancers is not None:
            self.keep(answer["if_interrupted"])
        self._answer, self._answered_at = answer, self.now()
        self._ahead = answer["now"] - self._answered_at
        for message in answer["messages"]:
            self.show(message)
        return True

    def _wait_for(self, pending: Pending[t.Any], seconds: float | None = None) -> bool:
        """Whether it ended in time; False at the end of the run, too."""
        began = self.now()
        while not pending.is_over():
            if not self.run.is_there() or (seconds is not None and self.now() - began >= seconds):
                return False
            self.sleep(NAP)
            self._show_if_due()
        self._show_if_due()
        return True

    def _note_unreachable(self) -> None:
        if self._answer is not None:
            self._answer = None
            self._show_now()

    def _show_if_due(self) -> None:
        if self.now() - self._shown_at >= SHOW_EVERY and not self.run.is_suspended():
            self._show_now()

    def _show_now(self) -> None:
        self._shown_at = self.now()
        if self._answer is None:
            self.show(UNREACHABLE)
            return
        unread = self.now() - self._read_at
        since = f"; no answer from load balancers or hosts for {unread:.0f} s" if unread >= SHOW_EVERY else ""
        self.show(progress(self._answer, self.now() - self._answered_at) + since)

    def _lose(self, answer: Row) -> None:
        """At the end of a run nobody holds the lease, and nothing may be written while Ansible removes the run's files."""
        if answer.get("holder"):
            self.show(str(answer["reason"]))
        else:
            began = self.now()
            while self.run.is_there() and self.now() - began < ENDS_WITHIN:
                self.sleep(NAP)
        if self.run.is_there():
            self.lose(str(answer["reason"]))

    def _end_what_waits_for_ever(self) -> None:
        """Ansible does not notice that a worker was killed: the run ends, and the next one resumes the rollout."""
        lost = self.run.lost_hosts()
        flying = [str(host["host"]) for host in (self._answer or {}).get("in_flight") or []]
        if not lost:
            self._complete_at = self.now()
        if not flying or self.run.has_workers():
            self._busy_at = self.now()
        if self._is_interrupted:
            return
        if self.now() - self._complete_at >= DEAD_FOR:
            self._end_run(
                f"The worker process of {', '.join(lost)} was killed, and Ansible would wait for it for ever."
            )
        elif self.now() - self._busy_at >= IDLE_FOR:
            self._end_run(f"No worker process of this run is left, and Ansible waits for ever for {', '.join(flying)}.")

    def _end_run(self, why: str) -> None:
        self.show(f"{why} The run ends now; run the same playbook again to resume or roll back.")
        self.sleep(1.0)  # The line goes through the run's own process.
        self.run.end()
        self._busy_at = self._complete_at = self.now()

    def _rest(self, began: float) -> None:
        """In short naps: the end of the run is noticed at once, and so is its interruption."""
        while self.now() - began < INTERVAL and self.run.is_there() and not self.is_asked():
            self.sleep(min(0.2, INTERVAL))
            self._show_if_due()


def progress(answer: t.Mapping[str, t.Any], age: float = 0.0) -> str:
    """One line: who is at what for how long, and how far the rollout is; *age* is that of the answer."""
    done = f"{answer['done']} of {counted(answer['total'], 'host')} done"
    flying = answer["in_flight"]
    if answer.get("progress"):
        return f"in progress: {answer['progress']}"
    if not flying:
        waiting = f", {answer['waiting']} waiting" if answer["waiting"] else ""
        return f"in progress: no host in flight{waiting}; {done}"
    named = ", ".join(_in_flight(host, age) for host in flying[:NAMED])
    more = f" and {len(flying) - NAMED} more" if len(flying) > NAMED else ""
    return f"in progress: {named}{more}; {done}"


def _in_flight(host: t.Mapping[str, t.Any], age: float) -> str:
    return f"{host['host']} {host['step'] or 'admitted'} for {host['seconds'] + age:.0f} s"


def observed_health(rows: t.Sequence[Row], wanted: t.Mapping[str, str]) -> list[Row]:
    """What a probe of the hosts says about the versions that they are to serve."""
    return [_health(row, wanted[row["name"]]) for row in rows if row["name"] in wanted]


def _health(row: Row, version: str) -> Row:
    wanted, revision = versions.split(version)
    if row["healthy"] and row["version"] not in (None, wanted):
        return {"name": row["name"], "healthy": False, "why": f"answers as {row['version']}, expected {wanted}"}
    if row["healthy"] and revision and row["revision"] not in (None, revision):
        return {
            "name": row["name"],
            "healthy": False,
            "why": f"answers as revision {row['revision']}, expected {revision}",
        }
    return {"name": row["name"], "healthy": row["healthy"], "why": row.get("why") or ""}
