# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has happened to a host so far, step by step.

The user's own steps are task files, which only Ansible can run: the action plugin ends before one and is called again
after it. The rollout of the host is then played again from its top: a step that is in the journal already returns, or
raises, what it did the first time, and the first step that is not is performed. So the rollout of a host reads from top
to bottom, whatever interrupts it.
"""

from __future__ import annotations

import dataclasses
import time
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError

Result = t.Dict[str, t.Any]


class StepFailed(Exception):
    """A step did not succeed; *kind* is one of the ledger's kinds of failures, empty for the kind of the step."""

    def __init__(self, kind: str, error: str, result: Result | None = None) -> None:
        super().__init__(error)
        self.kind = kind
        self.error = error
        self.result = result or {}


class HookDue(Exception):
    """The next step is a task file of the user's."""

    def __init__(self, step: str, path: str) -> None:
        super().__init__(step)
        self.step = step
        self.path = path


class RunOver(Exception):
    """This run may not change anything any more: it has ended, or another one has taken over."""


@dataclasses.dataclass
class Entry:
    """One step: its name, seconds it took, and what it returned or how it failed."""

    step: str
    seconds: float = 0.0
    summary: str = ""
    result: Result = dataclasses.field(default_factory=dict)
    failure: dict[str, str] | None = None

    def outcome(self) -> Result:
        if self.failure:
            raise StepFailed(self.failure["kind"], self.failure["error"], self.result)
        return self.result


class Journal:
    """*before_step* is called before a step is performed and may raise to end the run; *show* gets every new entry."""

    def __init__(
        self,
        recorded: t.Sequence[t.Mapping[str, t.Any]],
        before_step: t.Callable[[str], None] = lambda step: None,
        show: t.Callable[[Entry], None] = lambda entry: None,
        now: t.Callable[[], float] = time.monotonic,
    ) -> None:
        self.entries = [Entry(**entry) for entry in recorded]
        self._replayed = 0
        self.before_step = before_step
        self._show = show
        self._now = now

    def perform(
        self,
        step: str,
        kind: str,
        work: t.Callable[[], Result],
        summary: t.Callable[[Result], str] = lambda result: "",
    ) -> Result:
        """The result of *work*, which is done only once. Raises StepFailed where it fails, of *kind* unless it says otherwise."""
        if self._is_recorded(step):
            return self._replay().outcome()
        self.before_step(step)
        started = self._now()
        entry = Entry(step)
        try:
            entry.result = work()
            entry.summary = summary(entry.result)
        except StepFailed as failed:
            entry.failure, entry.result = {"kind": failed.kind or kind, "error": failed.error}, failed.result
        except RolloutError as error:
            entry.failure = {"kind": str(error.result.get("kind") or kind), "error": error.message}
        except (RunOver, HookDue):
            raise
        except Exception as error:
            # Whatever goes wrong in the collection itself, a host that was drained must be returned.
            entry.failure = {"kind": kind, "error": f"internal error: {type(error).__name__}: {error}"}
        entry.seconds = round(self._now() - started, 3)
        self._add(entry)
        return entry.outcome()

    def hook(self, step: str, path: str) -> None:
        """Raises HookDue until the outcome of the user's task file is on record, and StepFailed where it failed."""
        if not self._is_recorded(step):
            self.before_step(step)
            raise HookDue(step, path)
        self._replay().outcome()

    def record_hook(self, step: str, failure: dict[str, str] | None, seconds: float) -> None:
        """The outcome of the task file that was asked for last."""
        self.entries.append(Entry(step, seconds, "", {}, failure))
        self._show(self.entries[-1])

    @property
    def last(self) -> Entry | None:
        """The step that was performed or replayed last."""
        return self.entries[self._replayed - 1] if self._replayed else None

    @property
    def last_failure(self) -> Entry | None:
        """The last step that failed among those performed or replayed."""
        return next((entry for entry in reversed(self.entries[: self._replayed]) if entry.failure), None)

    def find(self, step: str) -> Entry | None:
        """The last entry of that step."""
        return next((entry for entry in reversed(self.entries) if entry.step == step), None)

    def dumped(self) -> list[dict[str, t.Any]]:
        return [dataclasses.asdict(entry) for entry in self.entries]

    def _is_recorded(self, step: str) -> bool:
        if self._replayed == len(self.entries):
            return False
        recorded = self.entries[self._replayed].step
        if recorded != step:
            raise RolloutError(
                f"The journal of this host has '{recorded}' where '{step}' is next; run the playbook again."
            )
        return True

    def _replay(self) -> Entry:
        self._replayed += 1
        return self.entries[self._replayed - 1]

    def _add(self, entry: Entry) -> None:
        self.entries.append(entry)
        self._replayed += 1
        self._show(entry)
