# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.journal import StepFailed
from ansible_collections.steady.rollout.plugins.plugin_utils.veto.asking import Answer, Opinion
from ansible_collections.steady.rollout.plugins.plugin_utils.veto.consent import Consent
from ansible_collections.steady.rollout.plugins.plugin_utils.veto.rules import Rule

GO = {"verdict": "go", "direction": "forward", "remaining": ["db3"], "target": {"version": "2"}}
STOP = {"verdict": "stop", "reason": "db2 was left unchanged", "target": {"version": "2"}}
SET = Rule("set", "quorum", {"max_out": 2}, ("db1", "db2"))


class Scene:
    """Answers of the ledger and of the rules in turn; the last one stays."""

    def __init__(
        self, opinions: t.Sequence[str], admits: t.Sequence[t.Any] = (GO,), defers: t.Sequence[t.Any] = ()
    ) -> None:
        self.opinions, self.admits, self.defers = list(opinions), list(admits), list(defers)
        self.calls: list[t.Any] = []
        self.lines: list[str] = []
        self.now = 0.0

    def admit(self, limit: float, **options: t.Any) -> t.Any:
        self.calls.append(("admit", options))
        return self.admits.pop(0) if len(self.admits) > 1 else self.admits[0]

    def defer(self, objection: str, **options: t.Any) -> t.Any:
        self.calls.append(("defer", objection, options))
        return self.defers.pop(0) if self.defers else {"verdict": "wait"}

    def ask(self, host: str, remaining: t.Sequence[str], is_before_drain: bool) -> Opinion:
        self.calls.append(("ask", list(remaining), is_before_drain))
        said = self.opinions.pop(0) if len(self.opinions) > 1 else self.opinions[0]
        return Opinion([Answer("es", not said, said, "turn" not in said)])

    def rules_of(self, host: str) -> list[Rule]:
        return [SET]

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def consent(self, switches_over: bool = False) -> Consent:
        scene = t.cast("t.Any", self)
        return Consent("db2", scene, scene, 60.0, 10.0, switches_over, self.lines.append, lambda: self.now, self.sleep)


def test_no_rule_objects() -> None:
    scene = Scene([""])
    assert scene.consent().admitted(600.0) == GO
    assert scene.calls == [
        ("admit", {"quorums": [{"name": "set", "hosts": ["db1", "db2"], "max_out": 2}]}),
        ("ask", ["db3"], True),
    ]
    assert scene.lines == []


def test_the_slot_is_given_back_and_admission_asked_for_again() -> None:
    scene = Scene(["yellow", "yellow", ""])
    assert scene.consent(switches_over=True).admitted(600.0) == GO
    assert [call[0] for call in scene.calls] == ["admit", "ask", "defer", "admit", "ask", "defer", "admit", "ask"]
    assert scene.calls[1] == ("ask", ["db3"], False)
    assert scene.calls[2] == ("defer", "es: yellow", {"wait": "60.0", "poll": "10.0", "counts": True})
    assert scene.lines == ["db2  objection  es: yellow"]


def test_waiting_for_a_turn_does_not_count() -> None:
    scene = Scene(["not its turn", ""])
    scene.consent().admitted(600.0)
    assert scene.calls[2][2]["counts"] is False


def test_an_objection_that_lasts_ends_it() -> None:
    scene = Scene(["yellow"], defers=[{"verdict": "wait"}, STOP])
    assert scene.consent().admitted(600.0) == STOP
    assert scene.lines == ["db2  objection  es: yellow", "db2 was left unchanged"]


@pytest.mark.parametrize("answer", [STOP, {"verdict": "gate", "gate": {"stage": 1}}, {**GO, "direction": "recover"}])
def test_no_rule_is_read_for_a_host_that_is_not_taken_out(answer: dict[str, t.Any]) -> None:
    scene = Scene(["yellow"], admits=[answer])
    assert scene.consent().admitted(600.0) == answer
    assert [call[0] for call in scene.calls] == ["admit"]


def test_after_the_users_steps_the_host_keeps_its_slot_while_it_is_asked_again() -> None:
    scene = Scene(["db2 is still the primary", ""])
    assert scene.consent().confirmed() == {"verdict": "go"}
    assert scene.calls == [("ask", [], True)] * 2
    assert scene.now == 10.0


def test_who_still_objects_after_them_has_the_last_word() -> None:
    scene = Scene(["db2 is still the primary"], defers=[STOP])
    assert scene.consent().confirmed() == STOP
    assert scene.now == 60.0
    assert scene.calls[-1] == (
        "defer", "es: db2 is still the primary", {"wait": "60.0", "poll": "10.0", "counts": True, "last_word": True}
    )  # fmt: skip


def test_rules_that_cannot_be_used_fail_the_host_before_it_is_taken_out() -> None:
    class Wrong(Scene):
        def rules_of(self, host: str) -> list[Rule]:
            raise InputError("rollout_veto[0]: its type 'x' is not one of them.")

    scene = Wrong([""])
    with pytest.raises(StepFailed) as caught:
        scene.consent().admitted(600.0)
    assert (caught.value.kind, caught.value.error) == (
        "step", "rollout_veto cannot be used: rollout_veto[0]: its type 'x' is not one of them."
    )  # fmt: skip
    assert scene.calls == []
