# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json

import pytest

from ansible_collections.steady.rollout.plugins.plugin_utils.sessions import protocol


def test_login_noise_before_the_greeting_is_skipped() -> None:
    for noise in (b"Welcome to app1", b"", b"17", b'{"state": "ready"}', b'{"steady": "other", "state": "ready"}'):
        assert protocol.greeting(noise, "n1") is None
    assert protocol.greeting(b'{"steady": "n1", "state": "need"}', "n1") == {"steady": "n1", "state": "need"}


@pytest.mark.parametrize(
    "answer",
    [
        {"id": 1, "result": {}, "warnings": []},
        {"id": 1, "error": {"message": "no", "result": {}}, "warnings": ["w"]},
        {"id": 1, "crash": {"what": "KeyError: 'x'", "traceback": ""}},
        {"pong": 3},
        {"ended": "the host has gone"},
    ],
)
def test_an_answer_is_read(answer: dict[str, object]) -> None:
    assert protocol.parsed(json.dumps(answer).encode()) == answer


@pytest.mark.parametrize(
    "line",
    [
        b"{}",
        b"[]",
        b'{"id": "1", "result": {}}',
        b'{"id": 1, "result": []}',
        b'{"id": 1, "result": {}, "warnings": 1}',
        b'{"id": 1, "result": {}, "error": {}}',
        b'{"id": 1, "error": {"message": 1, "result": {}}}',
        b'{"id": 1, "crash": {}}',
        b'{"ended": 1}',
    ],
)
def test_what_is_no_answer_is_refused(line: bytes) -> None:
    with pytest.raises(protocol.BadAnswer) as refused:
        protocol.parsed(line)
    assert refused.value.message == f"the session answered {line!r}, which is not an answer"


def test_what_is_not_json_is_refused() -> None:
    with pytest.raises(protocol.BadAnswer) as refused:
        protocol.parsed(b"Killed")
    assert refused.value.message == "the session answered b'Killed', which is not JSON"


def test_lines_come_in_pieces() -> None:
    assert protocol.split_lines(b"a\nb\nc") == ([b"a", b"b"], b"c")
    assert protocol.split_lines(b"c") == ([], b"c")


def test_an_endless_line_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "LONGEST", 1 << 20)
    with pytest.raises(protocol.BadAnswer, match="more than 1 MB in one line"):
        protocol.split_lines(b"x" * ((1 << 20) + 1))


def test_a_request_is_one_line() -> None:
    line = protocol.request_line(1, protocol.request("m:f", {"text": "a\nb é"}, [["path"]], True, False))
    assert line.count(b"\n") == 1
    assert json.loads(line)["params"] == {"text": "a\nb é"}
