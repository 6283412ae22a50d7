# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the watch of a run does every few seconds: reads, reports to the ledger, and shows what is under way.

It decides nothing: the ledger's rules do, from what it reports.
"""

from __future__ import annotations

import dataclasses
import time
import typing as t

Row = t.Dict[str, t.Any]

INTERVAL = 2.0
"""Seconds from one observation to the next."""
SHOW_EVERY = 15.0
"""Seconds between two lines of progress."""
UNREACHABLE = "in progress: the coordinator does not answer; hosts in flight are finished, no other one starts"
SHOW_AFTER_SILENCE = 5.0
"""The same while the coordinator does not answer: to find that out takes ssh some ten seconds each time."""
NAMED = 6
"""Hosts in a line of progress."""


@dataclasses.dataclass(frozen=True)
class Run:
    """What is known of the run that is watched: whether it is there, and whether somebody has suspended it."""

    is_there: t.Callable[[], bool]
    is_suspended: t.Callable[[], bool]


@dataclasses.dataclass
class Watch:
    """*probe* gets the hosts to observe with the versions that they are to serve; *report* is rollout_watch.

    *report* returns None while the coordinator cannot be reached.
    """

    run: Run
    read_balancers: t.Callable[[], t.List[Row]]
    probe: t.Callable[[t.Mapping[str, str]], t.List[Row]]
    report: t.Callable[[t.List[Row], t.List[Row], float], t.Optional[Row]]
    show: t.Callable[[str], None]
    keep: t.Callable[[t.Sequence[str]], None] = lambda lines: None
    is_asked: t.Callable[[], bool] = lambda: False
    """*keep* gets what to tell the operator if the run is interrupted; *is_asked* once that is to be found out anew."""
    renew: t.Callable[[], None] = lambda: None
    lose: t.Callable[[str], None] = lambda reason: None
    """Called with every report that the run holds its lease, and once when it does not any more."""
    now: t.Callable[[], float] = time.monotonic
    sleep: t.Callable[[float], None] = time.sleep

    def until_the_run_is_over(self) -> None:
        observed: t.Mapping[str, str] = {}
        shown_at = self.now()
        while self.run.is_there():
            began = self.now()
            # A suspended run must not keep its lease: whoever suspended it may never let it go on.
            if not self.run.is_suspended():
                answer = self._observe(observed, began)
                if answer is not None:
                    if not answer["holds_lease"]:
                        self.lose(str(answer["reason"]))
                        self._show_holder(answer)
                        return
                    self.renew()
                    self.keep(answer["if_interrupted"])
                    observed = answer["observe"]
                    for message in answer["messages"]:
                        self.show(message)
                if self.now() - shown_at >= (SHOW_EVERY if answer else SHOW_AFTER_SILENCE):
                    shown_at = self.now()
                    self.show(progress(answer) if answer else UNREACHABLE)
            self._rest(began)

    def _observe(self, observed: t.Mapping[str, str], began: float) -> Row | None:
        balancers = self.read_balancers()
        hosts = self.probe(observed) if observed else []
        return self.report(balancers, hosts, self.now() - began)

    def _show_holder(self, answer: Row) -> None:
        """At the end of a run nobody holds the lease, which is as it should be."""
        if answer.get("holder"):
            self.show(str(answer["reason"]))

    def _rest(self, began: float) -> None:
        """In short naps: the end of the run is noticed at once, and so is its interruption."""
        while self.now() - began < INTERVAL and self.run.is_there() and not self.is_asked():
            self.sleep(min(0.2, INTERVAL))


def progress(answer: t.Mapping[str, t.Any]) -> str:
    """One line: who is at what for how long, and how far the rollout is."""
    done = f"{answer['done']} of {answer['total']} hosts done"
    flying = answer["in_flight"]
    if not flying:
        waiting = f", {answer['waiting']} waiting" if answer["waiting"] else ""
        return f"in progress: no host in flight{waiting}; {done}"
    named = ", ".join(_in_flight(host) for host in flying[:NAMED])
    more = f" and {len(flying) - NAMED} more" if len(flying) > NAMED else ""
    return f"in progress: {named}{more}; {done}"


def _in_flight(host: t.Mapping[str, t.Any]) -> str:
    return f"{host['host']} {host['step'] or 'admitted'} for {host['seconds']:.0f} s"


def observed_health(rows: t.Sequence[Row], wanted: t.Mapping[str, str]) -> list[Row]:
    """What a probe of the hosts says about the versions that they are to serve."""
    return [_health(row, wanted[row["name"]]) for row in rows if row["name"] in wanted]


def _health(row: Row, version: str) -> Row:
    if row["healthy"] and row["version"] not in (None, version):
        return {"name": row["name"], "healthy": False, "why": f"answers as {row['version']}, expected {version}"}
    return {"name": row["name"], "healthy": row["healthy"], "why": row.get("why") or ""}
