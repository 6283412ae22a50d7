# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every core is spared, and what its results are spared (invariants 19 and 20)."""

from __future__ import annotations

import math
import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.call import Call, perform, run_as_module
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.printable import printable

ESCAPES = "\x1b]0;owned\x07\x1b[2Jok\u202egpj\x9b1m"
SHOWN = r"\x1b]0;owned\x07\x1b[2Jok\u202egpj\x9b1m"


def call(warn: t.Callable[[str], None] = lambda text: None, **params: t.Any) -> Call:
    return Call(params, False, False, warn, lambda *words, **options: (0, "", ""))


def test_terminal_escapes_of_a_host_reach_no_terminal() -> None:
    warnings: list[str] = []

    def core(asked: Call) -> dict[str, t.Any]:
        asked.warn(ESCAPES)
        return {"msg": ESCAPES, "targets": {ESCAPES: [{"body": ESCAPES, "status": 200}]}}

    assert perform(core, call(warnings.append)) == {"msg": SHOWN, "targets": {SHOWN: [{"body": SHOWN, "status": 200}]}}
    assert warnings == [SHOWN]


def test_a_failure_shows_no_terminal_escapes() -> None:
    def core(asked: Call) -> dict[str, t.Any]:
        raise RolloutError(ESCAPES, seen=[ESCAPES])

    with pytest.raises(RolloutError) as caught:
        perform(core, call())
    assert (caught.value.message, caught.value.result) == (SHOWN, {"seen": [SHOWN]})


def test_lines_and_letters_stay_as_they_are() -> None:
    assert printable("Grüße\tan\n東京 👋") == "Grüße\tan\n東京 👋"
    assert printable("\ud800") == r"\ud800"


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"timeout": math.nan}, "timeout: nan is not a finite number that fits in 64 bits."),
        ({"policy": {"limit": -math.inf}}, "policy.limit: -inf is not a finite number that fits in 64 bits."),
        ({"token": 2**70}, "token: an integer of 71 bits is not a finite number that fits in 64 bits."),
        ({"token": 10**5000}, "token: an integer of 16610 bits is not a finite number that fits in 64 bits."),
        ({"hosts": [{"age": math.inf}]}, "hosts.age: inf is not a finite number that fits in 64 bits."),
    ],
)
def test_numbers_that_no_option_can_mean(params: dict[str, t.Any], message: str) -> None:
    """timeout: .nan read as healthy after one look."""
    with pytest.raises(RolloutError) as caught:
        perform(lambda asked: {"reached": True}, call(**params))
    assert caught.value.message == message


def test_options_that_never_end() -> None:
    deep: list[t.Any] = []
    for _level in range(5000):
        deep = [deep]
    with pytest.raises(RolloutError) as caught:
        perform(lambda asked: {}, call(body=deep))
    assert caught.value.message == "body: nested deeper than 60 levels."


def test_text_that_nothing_can_write_is_replaced() -> None:
    assert perform(lambda asked: asked.params, call(reason="a\0b\ud800c")) == {"reason": "a\ufffdb\ufffdc"}


class FakeModule:
    check_mode = _diff = False
    params: t.ClassVar[dict[str, t.Any]] = {}
    warn = run_command = staticmethod(lambda *given: None)

    def fail_json(self, **result: t.Any) -> None:
        raise SystemExit(repr(result))


def test_a_failure_whose_result_has_a_message_of_its_own() -> None:
    """fail_json() got two values for 'msg', and the message was lost."""

    def core(asked: Call) -> dict[str, t.Any]:
        raise RolloutError("Why.", **{"msg": "Less.", "changed": False})

    with pytest.raises(SystemExit) as caught:
        run_as_module(t.cast("t.Any", FakeModule()), core)
    assert str(caught.value) == "{'msg': 'Why.', 'changed': False}"
