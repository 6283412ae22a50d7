# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's end of a session, with a scripted process at the other end."""

from __future__ import annotations

import subprocess
import sys
import threading
import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.plugin_utils.sessions import protocol, session
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.pipes import Pipes
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.session import NoAnswer, Session, SessionEnded

ECHO = """
import json, sys
for line in sys.stdin:
    asked = json.loads(line)
    said = {"pong": asked["ping"]} if "ping" in asked else {"id": asked["id"], "result": {"core": asked["core"]}}
    print(json.dumps(said), flush=True)
"""
DEAF = "import time; time.sleep(60)"
"""Reads nothing and says nothing."""


def opened(program: str) -> Session:
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    return Session(Pipes(process))


def call(of: Session, core: str = "a:b", timeout: float | None = 30.0) -> dict[str, t.Any]:
    return of.call(protocol.request(core, {}, [], False, False), timeout)


@pytest.fixture
def talking() -> t.Iterator[Session]:
    made = opened(ECHO)
    yield made
    made.close()


@pytest.fixture
def silent() -> t.Iterator[Session]:
    made = opened(DEAF)
    yield made
    made._channel.kill()
    made.close()


def test_each_call_gets_its_own_answer(talking: Session) -> None:
    found: dict[str, str] = {}

    def ask(core: str) -> None:
        found[core] = call(talking, core)["result"]["core"]

    askers = [threading.Thread(target=ask, args=(core,)) for core in ("a:b", "c:d", "e:f")]
    for one in askers:
        one.start()
    for one in askers:
        one.join(30)
    assert found == {"a:b": "a:b", "c:d": "c:d", "e:f": "e:f"}


def test_a_call_may_take_no_longer_than_it_is_given(silent: Session) -> None:
    with pytest.raises(NoAnswer) as caught:
        call(silent, timeout=0.01)
    assert str(caught.value) == "no answer within 0.01 s"
    assert silent.ended == ""


def test_the_end_of_the_other_end_ends_the_call_that_waits() -> None:
    leaving = opened("import sys; sys.stdin.readline(); print('cannot go on', file=sys.stderr); sys.exit(3)")
    with pytest.raises(SessionEnded) as caught:
        call(leaving)
    assert str(caught.value) == "cannot go on"
    with pytest.raises(SessionEnded) as again:
        call(leaving)
    assert str(again.value) == "cannot go on"
    leaving.close()


def test_a_silent_session_was_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """The network is cut without a sign of it: pings are not answered, and the call that waits ends."""
    monkeypatch.setattr(session, "PING_EVERY", 0.01)
    gone = opened(DEAF)
    with pytest.raises(SessionEnded) as caught:
        call(gone)
    assert str(caught.value) == "no data received for 0.03 s"
    gone.close()


def test_nonsense_ends_the_session() -> None:
    talking_nonsense = opened("import sys; sys.stdin.readline(); print('hello', flush=True); sys.stdin.read()")
    with pytest.raises(SessionEnded) as caught:
        call(talking_nonsense)
    assert str(caught.value) == "the session answered b'hello', which is not JSON"
    talking_nonsense.close()


def test_a_closed_session_takes_no_call(talking: Session) -> None:
    with_nobody = opened(ECHO)
    with_nobody.close()
    with pytest.raises(SessionEnded) as caught:
        call(with_nobody)
    assert str(caught.value) == "it was closed"
