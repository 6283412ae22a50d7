# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Any module with any values: an answer or one clear sentence, and nothing half done (invariants 19 and 20).

STEADY_LONG runs all of the series. STEADY_SEED repeats one that failed.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import random
import shutil
import signal
import traceback
import types
import typing as t

import pytest
from support import hostile
from support.cores import params_of
from support.fuzzing import NAMES, Sandbox, module, serving

from ansible_collections.steady.rollout.plugins.module_utils.balancers import registry
from ansible_collections.steady.rollout.plugins.module_utils.call import Call, perform
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError

SEED = os.environ.get("STEADY_SEED", "1")
CALLS = 5000 if os.environ.get("STEADY_LONG") else 1080
EACH = -(-CALLS // len(NAMES))
LONGEST = 20
"""Seconds for a call: all that may wait in it is given a fraction of a second."""
WAITS = ("timeout", "window", "interval", "seconds", "max_seconds", "warm_up")
"""Options whose defaults are minutes, or to wait for as long as it takes."""
MOST_SHOWN = 5


class TooLong(BaseException):
    """Not an Exception, so that nothing takes it for an error of its own."""


@contextlib.contextmanager
def alarm(seconds: int) -> t.Iterator[None]:
    def ring(number: int, frame: types.FrameType | None) -> None:
        raise TooLong("".join(traceback.format_stack(frame)[-4:]))

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture
def sandbox(tmp_path: pathlib.Path) -> t.Iterator[Sandbox]:
    with serving() as url:
        yield Sandbox(tmp_path, url)


@pytest.mark.parametrize("name", NAMES)
def test_any_values(name: str, sandbox: Sandbox, counts: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("HOME", str(sandbox.directory))
    monkeypatch.chdir(sandbox.directory)
    found: list[str] = []
    for number in range(EACH):
        seed = f"{SEED} {name} {number}"
        rng = random.Random(seed)
        monkeypatch.setattr(registry, "open_balancer", sandbox.open_balancer(rng))
        options = hostile.mutated(rng, sandbox.call(name, rng), module(name).SPEC["argument_spec"])
        counts["calls"] += 1
        kind, what = outcome(name, options, sandbox, rng)
        if kind:
            counts[kind] += 1
            found.append(f"{kind} ({seed!r}): {options!r:.600}\n{what}")
    assert not found, "\n\n".join([f"{len(found)} of {EACH}", *found[:MOST_SHOWN]])


def outcome(name: str, options: dict[str, t.Any], sandbox: Sandbox, rng: random.Random) -> tuple[str, str]:
    """What was wrong with a call; nothing where it answered or refused."""
    tested = module(name)
    try:
        params = params_of(tested, options)
    except Exception:
        return "", ""  # Ansible's own validator refuses, in whatever words
    before = sandbox.state()
    params = {**params, **{option: 0.05 for option in WAITS if _is_left_open(tested, option, params)}}
    call = Call(params, rng.random() < 0.1, False, lambda text: None, sandbox.run_command(rng))
    try:
        with alarm(LONGEST):
            json.dumps(perform(tested.core, call))
    except RolloutError as error:
        json.dumps(error.result)
        if isinstance(error, InputError) and sandbox.state() != before:
            return "partial_changes", f"{error.message}\n{before}\n{sandbox.state()}"
        if not error.message.strip() or "\x1b" in error.message or "\0" in error.message:
            return "tracebacks", f"an error that nobody can read: {error.message!r}"
    except TooLong as late:
        return "over_deadline", str(late)
    except Exception:
        return "tracebacks", traceback.format_exc(limit=-4)
    return "", ""


def _is_left_open(tested: t.Any, option: str, params: dict[str, t.Any]) -> bool:
    """Whether it is an option of the module, a time, and as it is where nobody gives it."""
    found = tested.SPEC["argument_spec"].get(option)
    return found is not None and found["type"] != "dict" and params.get(option) == found.get("default")


def test_nothing_was_written_elsewhere(sandbox: Sandbox, counts: dict[str, int]) -> None:
    """A value that is executed somewhere would leave a file of that name."""
    assert not (pathlib.Path.cwd() / "x").exists()
    assert shutil.which("touch")
