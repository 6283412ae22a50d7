# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What a gate came to, for the result of the call and for the record."""

from __future__ import annotations

import dataclasses
import json
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.judge.model import WAIT, MetricResult, Verdict
from ansible_collections.steady.rollout.plugins.module_utils.ledger.messages import tables
from ansible_collections.steady.rollout.plugins.module_utils.ledger.storage.measurements import Watch
from ansible_collections.steady.rollout.plugins.module_utils.metrics import balancers, sources
from ansible_collections.steady.rollout.plugins.module_utils.metrics.model import Measurement
from ansible_collections.steady.rollout.plugins.module_utils.metrics.plan import Plan
from ansible_collections.steady.rollout.plugins.module_utils.metrics.policies import Decision

Rows = t.List[t.Dict[str, t.Any]]
HEAD = ("metric", "verdict", "canary", "baseline", "measurements", "why")


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What one poll came to. *judged* is None where nobody judged: the operator decided, or there was nothing to do."""

    decision: Decision
    judged: Verdict | None
    watch: Watch
    measurements: tuple[Measurement, ...] = ()
    steering: str = ""
    rows: tuple[dict[str, t.Any], ...] = ()
    """The metrics as the record has them, where the verdict was there already."""

    @property
    def is_over(self) -> bool:
        return self.decision.verdict != WAIT


def recorded(outcome: Outcome) -> Watch:
    """The gate as it is kept once it is over."""
    kept = {
        "reason": outcome.decision.reason,
        "judged": outcome.judged.verdict if outcome.judged else outcome.decision.verdict,
        "score": outcome.judged.score if outcome.judged else None,
        "metrics": _rows(outcome),
    }
    return dataclasses.replace(outcome.watch, result=json.dumps(kept))


def recalled(watch: Watch) -> Outcome:
    """The outcome of a gate that is over."""
    kept = json.loads(watch.result)
    judged = Verdict(kept["judged"], kept["reason"], (), kept["score"])
    return Outcome(Decision(watch.verdict or WAIT, kept["reason"]), judged, watch, rows=tuple(kept["metrics"]))


def result(outcome: Outcome, plan: Plan) -> dict[str, t.Any]:
    """What the module returns."""
    watch, judged = outcome.watch, outcome.judged
    elapsed = (watch.polled_at or watch.began_at) - watch.began_at
    rows = _rows(outcome)
    notes = [f"{name} is set aside: {why}." for name, why in plan.set_aside.items()] + _unseen(watch, plan)
    return {
        "changed": False,
        "verdict": outcome.decision.verdict,
        "judged": judged.verdict if judged else outcome.decision.verdict,
        "reason": outcome.decision.reason,
        "score": judged.score if judged else None,
        "metrics": rows,
        "table": table(rows),
        "steering": outcome.steering,
        "step": watch.step,
        "polls": watch.polls,
        "elapsed": round(elapsed, 1),
        "window": plan.window,
        "notes": notes,
        "msg": f"{watch.step}: {outcome.decision.verdict} after {elapsed:.0f} of {plan.window:.0f} s. {outcome.decision.reason}",
    }


def _unseen(watch: Watch, plan: Plan) -> list[str]:
    """What cannot be seen by counters alone, where latencies are judged by them."""
    timed = [one.name for one in plan.metrics if one.source == sources.BALANCER and one.query in balancers.TIMES]
    without = [node for node, page in json.loads(watch.books).items() if not page.get("logged_until")]
    if not timed or not without:
        return []
    return [
        f"{', '.join(timed)}: {', '.join(without)} has no request log, so that pages which became slower among slow downloads "
        "are not seen; give balancer.request_log."
    ]


def table(rows: Rows) -> list[str]:
    """The metrics for people."""
    if not rows:
        return []
    return tables.table(
        HEAD,
        [
            (
                row["name"] + ("" if row["decides"] else " (does not decide)"),
                row["verdict"],
                _figure(row, "canary"),
                _figure(row, "baseline"),
                row["figures"].get("measurements"),
                row["why"] or row["reason"],
            )
            for row in rows
        ],
    )


def _rows(outcome: Outcome) -> Rows:
    if outcome.judged is None or outcome.rows:
        return list(outcome.rows)
    measured = {one.metric: one for one in outcome.measurements}
    return [_row(one, measured.get(one.name)) for one in outcome.judged.metrics]


def _row(judged: MetricResult, measured: Measurement | None) -> dict[str, t.Any]:
    return {
        **judged.to_dict(),
        "source": measured.source if measured else "",
        "outcome": measured.outcome if measured else "",
        "why": measured.why if measured else "",
    }


def _figure(row: dict[str, t.Any], group: str) -> str:
    figure, requests = row["figures"].get(group), row["figures"].get(f"{group}_requests")
    if figure is None:
        return ""
    return f"{figure:g}{f' of {requests:,.0f}' if requests else ''}"
