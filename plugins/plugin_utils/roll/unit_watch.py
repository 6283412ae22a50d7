# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ends a wait for health early where systemd shows that the service will not become healthy, and reports what it logged."""

from __future__ import annotations

import threading
import typing as t

from ansible_collections.steady.rollout.plugins.plugin_utils.roll.journal import StepFailed

Result = t.Dict[str, t.Any]
Read = t.Callable[[int], t.Optional[Result]]
"""What unit_info says, with so many lines of the journal; None where it cannot be read."""

LOOK_EVERY = 2.0
"""Seconds."""
CRASHES = 3
"""A service that systemd restarted so often while it was waited for is in a crash loop."""
LINES = 20
JOURNAL = "unit_journal"
"""In the result of the step that failed: lines, which are shown below it and in no sentence."""


def wait_with_unit(work: t.Callable[[], Result], read: Read, look_every: float = LOOK_EVERY) -> Result:
    """The result of *work*; raises StepFailed of kind health as soon as the unit has failed for good.

    *work* cannot be cancelled: it goes on in a thread of its own, whose end nobody waits for then.
    """
    done: list[Result] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            done.append(work())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    before = None
    while True:
        thread.join(look_every)
        if not thread.is_alive():
            break
        unit = read(0)
        if unit is None:
            continue
        before = unit["restarts"] if before is None else before
        if unit["has_failed"] or unit["restarts"] - before >= CRASHES:
            raise _explained(StepFailed("health", "the service does not stay up"), read(LINES))
    if not failed:
        return done[0]
    if isinstance(failed[0], StepFailed):
        raise _explained(failed[0], read(LINES))
    raise failed[0]


def _explained(failure: StepFailed, unit: Result | None) -> StepFailed:
    error = f"{failure.error.rstrip('.')}."
    if unit is None:
        return StepFailed(failure.kind, error, failure.result)
    result = {**failure.result, JOURNAL: unit["journal"]}
    return StepFailed(failure.kind, f"{error} {unit['msg']}.", result)
