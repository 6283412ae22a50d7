# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os
import threading
import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.module_utils import in_progress
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.remote import serve

CORE = "ansible_collections.steady.rollout.plugins.module_utils.ledger.dispatch:rollout_info"


class Ends:
    """A service in a thread, and the controller's ends of its channel."""

    def __init__(self, silence: float = 30.0) -> None:
        incoming, self.to = os.pipe()
        self._back, outgoing = os.pipe()
        self._answers = os.fdopen(self._back, "rb")
        self.why = ""
        service = serve.Service(incoming, outgoing, silence)
        self.thread = threading.Thread(target=self._run, args=(service,), daemon=True)
        self.thread.start()

    def _run(self, service: serve.Service) -> None:
        self.why = service.run()

    def ask(self, *messages: t.Any) -> list[t.Any]:
        os.write(self.to, b"".join(json.dumps(message).encode() + b"\n" for message in messages))
        return [json.loads(self._answers.readline()) for _message in messages]

    def ended(self) -> str:
        self.thread.join(30)
        return self.why


def test_a_core_is_run() -> None:
    call = {"id": 7, "core": CORE, "params": {"ledger": None, "service": None}, "paths": []}
    (answer,) = Ends().ask({**call, "check_mode": True, "diff": False})
    assert answer["id"] == 7
    assert sum(word in answer for word in ("result", "error", "crash")) == 1


def test_a_ping_is_answered() -> None:
    assert Ends().ask({"ping": 3}) == [{"pong": 3}]


@pytest.mark.parametrize("core", ["os:system", "ansible_collections.steady.rollout.plugins.module_utils.call:a.b"])
def test_only_cores_are_run(core: str) -> None:
    call = {"id": 1, "core": core, "params": {}, "paths": [], "check_mode": False, "diff": False}
    (answer,) = Ends().ask(call)
    assert answer == {"id": 1, "crash": {"what": f"Refused: {core} is none of the collection's cores", "traceback": ""}}


def test_a_bug_comes_back_as_a_crash() -> None:
    call = {"id": 1, "core": CORE, "params": {}, "paths": [["nothing"]], "check_mode": False, "diff": False}
    assert Ends().ask(call) == [{"id": 1, "crash": {"what": "KeyError: 'nothing'", "traceback": ""}}]


def test_it_ends_with_its_channel() -> None:
    ends = Ends()
    os.close(ends.to)
    assert ends.ended() == "the channel is closed"


def test_it_ends_on_a_request_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "LONGEST", 10)
    ends = Ends()
    os.write(ends.to, b"x" * 11)
    assert ends.ended() == "a request is too long"


def test_it_ends_when_the_controller_is_silent() -> None:
    """After a network that is cut no end of the channel is ever seen."""
    assert Ends(silence=0.05).ended() == "nothing was received for 0.05 s"


def test_one_wait_is_cut_and_the_session_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker that waited has been killed, and others use the same session."""
    waits = threading.Event()

    def wait(_message: t.Any) -> t.Any:
        waits.set()
        while True:
            in_progress.pause(0.001)

    monkeypatch.setattr(serve.Service, "_answer", staticmethod(wait))
    ends = Ends()
    os.write(ends.to, b'{"id": 4}\n')
    waits.wait(30)
    (answer,) = ends.ask({"cut": 4})
    assert answer["id"] == 4
    assert answer["crash"]["what"].endswith("The connection to the controller has ended; nothing more is changed.")
    assert ends.ask({"ping": 1}) == [{"pong": 1}]
    os.write(ends.to, b'{"cut": 4}\n')
    assert ends.ask({"ping": 2}) == [{"pong": 2}]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"x\n", "a request is not JSON"),
        (b"1\n", "a request is not an object"),
        (b"{}\n", "a request has no number"),
    ],
)
def test_it_ends_on_nonsense(line: bytes, said: str) -> None:
    ends = Ends()
    os.write(ends.to, line)
    assert ends.ended() == said


def test_paths_are_those_of_this_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/deploy")
    params = {"path": "~/a", "many": [{"file": "$HOME/b"}]}
    assert serve.expanded(params, [["path"], ["many", 0, "file"]]) == {
        "path": "/home/deploy/a",
        "many": [{"file": "/home/deploy/b"}],
    }


def test_a_change_in_progress_is_finished_and_no_other_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_progress, "_state", {"changes": 0, "closed": 0})
    began, may_end = threading.Event(), threading.Event()

    def change() -> None:
        with in_progress.change():
            began.set()
            may_end.wait(30)

    worker = threading.Thread(target=change)
    worker.start()
    began.wait(30)
    assert not in_progress.closed(0.01)
    may_end.set()
    assert in_progress.closed(30)
    with pytest.raises(in_progress.RolloutError) as refused, in_progress.change():
        pass
    assert refused.value.message == "The connection to the controller has ended; nothing more is changed."
    worker.join(30)
