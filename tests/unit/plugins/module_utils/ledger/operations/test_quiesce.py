# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of an interrupted run still works on a host: its modules, and never a service that they have started."""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import time
import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.module_utils import processes
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.operations.quiesce import (
    KILL_AFTER,
    processes_of,
    wait_until_quiesced,
)
from ansible_collections.steady.rollout.plugins.module_utils.ledger.session import Clock
from ansible_collections.steady.rollout.plugins.module_utils.processes import RUN_MARK

RUN = "2f6c"
MODULES = [
    ["/usr/bin/python3"],
    ["/usr/libexec/platform-python"],
    ["/usr/bin/python3", "/root/.ansible/tmp/ansible-tmp-1.2-3-4/AnsiballZ_command.py"],
    ["/usr/bin/python3", "-c", "import sys", "steady-rollout-session"],
    ["/usr/bin/python3", "/root/.ansible/tmp/ansible-tmp-1.2-3-4/async_wrapper.py", "j1", "300"],
    ["/root/.ansible/tmp/ansible-tmp-1.2-3-4/install.sh"],
]
SERVICES = [
    ["/usr/bin/python3", "/opt/shop/current/app.py", "--port=8080"],
    ["/usr/bin/java", "-jar", "/opt/shop/current/shop.jar"],
    ["/opt/shop/current/shop"],
    [],
]


@pytest.mark.parametrize("words", MODULES)
def test_a_module_of_the_run_is_at_work(tmp_path: pathlib.Path, words: list[str]) -> None:
    add_process(tmp_path, 7, words)
    assert processes_of(RUN, str(tmp_path)) == [(7, " ".join(words))]


@pytest.mark.parametrize("words", SERVICES)
def test_what_a_step_has_started_to_stay_is_not_waited_for(tmp_path: pathlib.Path, words: list[str]) -> None:
    add_process(tmp_path, 7, words)
    assert processes_of(RUN, str(tmp_path)) == []


def test_the_modules_of_other_runs_are_not_waited_for(tmp_path: pathlib.Path) -> None:
    add_process(tmp_path, 7, MODULES[0], run="2f6c-another")
    assert processes_of(RUN, str(tmp_path)) == []


def test_a_module_that_got_its_program_on_standard_input_is_found_and_waited_for() -> None:
    environment = {**os.environ, RUN_MARK: "real-run"}
    module = subprocess.Popen([sys.executable], stdin=subprocess.PIPE, env=environment)
    assert module.stdin is not None
    looks = []

    def sleep(seconds: float) -> None:
        looks.append(seconds)
        module.stdin.close()
        module.wait()

    answer = wait_until_quiesced({"interrupted_run": "real-run", "host": "app1"}, Clock(sleep=sleep), check_mode=False)
    assert len(looks) == 1
    assert (answer["is_quiesced"], answer["msg"]) == (True, "quiesced")


def test_what_does_not_end_in_time_is_named(tmp_path: pathlib.Path) -> None:
    add_process(tmp_path, 7, MODULES[2])
    clock = FakeClock()
    with pytest.raises(RolloutError) as raised:
        wait_until_quiesced({"interrupted_run": RUN, "timeout": 30.0}, clock, check_mode=False, proc=str(tmp_path))
    assert raised.value.message == (
        f"Modules of the interrupted run 2f6c are still at work on this host after 30 s (pid 7: "
        f"{' '.join(MODULES[2])}). Wait for them or end them, then run again."
    )


def test_a_step_that_hung_left_its_processes_at_work() -> None:
    """What a module has started is ended with it, and a service of the same run stays."""
    environment = {**os.environ, RUN_MARK: "hung-run"}
    script = (
        "import subprocess, sys; print(subprocess.Popen(['sleep', '60']).pid, flush=True); import time; time.sleep(60)"
    )
    service = subprocess.Popen(["sleep", "60"], env=environment)
    fed = subprocess.Popen([sys.executable], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
    assert fed.stdin is not None
    assert fed.stdout is not None
    fed.stdin.write(f"{script}\n".encode())
    fed.stdin.close()
    child = int(fed.stdout.readline())
    try:
        assert state_of(child) not in ("", "Z")
        params = {"interrupted_run": "hung-run", "host": "app1", "terminate": True, "timeout": 30}
        clock = Clock(sleep=lambda seconds: reap(fed))
        assert wait_until_quiesced(params, clock, check_mode=False)["is_quiesced"] is True
        assert service.poll() is None
        assert ends(child)
    finally:
        for process in (service, fed):
            process.kill()
            process.wait()


def test_a_step_that_ignores_sigterm_is_killed() -> None:
    script = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    module = subprocess.Popen([sys.executable], env={**os.environ, RUN_MARK: "ignoring-run"}, **pipes)
    assert module.stdin is not None
    assert module.stdout is not None
    module.stdin.write(f"{script}\n".encode())
    module.stdin.close()
    module.stdout.readline()
    clock = clock_that_reaps(module)
    params = {"interrupted_run": "ignoring-run", "host": "app1", "terminate": True, "timeout": 30}
    try:
        answer = wait_until_quiesced(params, clock, check_mode=False)
        assert (answer["is_quiesced"], module.returncode) == (True, -signal.SIGKILL)
    finally:
        module.kill()
        module.wait()


def test_a_module_that_somebody_had_stopped_kept_the_next_run_waiting() -> None:
    """It would change the host whenever it is continued; it ends with what it has started, and so do sessions."""
    environment = {**os.environ, RUN_MARK: "stopped-run"}
    module = subprocess.Popen([sys.executable], stdin=subprocess.PIPE, env=environment)
    module.send_signal(signal.SIGSTOP)
    clock = clock_that_reaps(module)
    try:
        answer = wait_until_quiesced({"interrupted_run": "stopped-run", "host": "app1"}, clock, check_mode=False)
        assert (answer["is_quiesced"], module.returncode) == (True, -signal.SIGKILL)
    finally:
        module.kill()
        module.wait()


def test_a_module_whose_controller_was_stopped_before_it_sent_the_program_kept_the_next_run_waiting(
    tmp_path: pathlib.Path,
) -> None:
    """The interpreter would have run the program whenever the rest of it came."""
    module = subprocess.Popen([sys.executable], stdin=subprocess.PIPE, env={**os.environ, RUN_MARK: "unfed-run"})
    assert module.stdin is not None
    module.stdin.write(f"open({str(tmp_path / 'changed')!r}, 'w')\n".encode())
    module.stdin.flush()
    clock = clock_that_reaps(module)
    try:
        assert soon(lambda: processes.reads_its_input(module.pid))
        answer = wait_until_quiesced({"interrupted_run": "unfed-run", "host": "app1"}, clock, check_mode=False)
        assert (answer["is_quiesced"], module.returncode) == (True, -signal.SIGKILL)
        assert not (tmp_path / "changed").exists()
    finally:
        module.kill()
        module.communicate()


def test_a_module_that_has_its_program_is_left_to_finish(tmp_path: pathlib.Path) -> None:
    """It waits for a process that it has started, whose output it reads: only standard input says that nothing began."""
    script = "import subprocess; subprocess.run(['sleep', '60'], stdout=subprocess.PIPE)"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL}
    module = subprocess.Popen([sys.executable], env={**os.environ, RUN_MARK: "fed-run"}, **pipes)
    assert module.stdin is not None
    module.stdin.write(f"{script}\n".encode())
    module.stdin.close()
    params = {"interrupted_run": "fed-run", "host": "app1", "timeout": KILL_AFTER + 3}
    try:
        assert soon(lambda: module.pid in processes.parents().values())
        with pytest.raises(RolloutError, match="are still at work"):
            wait_until_quiesced(params, FakeClock(), check_mode=False)
        assert module.poll() is None
    finally:
        for child, parent in processes.parents().items():
            if parent == module.pid:
                os.kill(child, signal.SIGKILL)
        module.kill()
        module.wait()


def test_ending_a_step_leaves_the_runs_own_sessions_alone(tmp_path: pathlib.Path) -> None:
    add_process(tmp_path, 7, ["/usr/bin/python3", "-c", "x", "steady-rollout-session"])
    params = {"interrupted_run": RUN, "host": "app1", "terminate": True, "timeout": 1}
    assert wait_until_quiesced(params, FakeClock(), check_mode=False, proc=str(tmp_path))["is_quiesced"] is True


def clock_that_reaps(process: subprocess.Popen[bytes]) -> Clock:
    """A clock without waiting, by which the process is asked how it ended once it may have been killed."""
    fake = FakeClock()

    def sleep(seconds: float) -> None:
        fake.time += seconds
        if fake.time > KILL_AFTER:
            reap(process)

    return Clock(monotonic=lambda: fake.time, sleep=sleep)


def ends(pid: int) -> bool:
    """A process that got its signal may still be on its way out."""
    return soon(lambda: state_of(pid) in ("", "Z"))


def soon(is_so: t.Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 10
    while not is_so() and time.monotonic() < deadline:
        time.sleep(0.02)
    return is_so()


def state_of(pid: int) -> str:
    """Empty where there is no such process; Z where nobody has asked how it ended."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def reap(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(0.2)


def add_process(proc: pathlib.Path, pid: int, words: t.Sequence[str], run: str = RUN) -> None:
    folder = proc / str(pid)
    folder.mkdir()
    (folder / "environ").write_bytes(f"LANG=C\0{RUN_MARK}={run}\0".encode())
    (folder / "cmdline").write_bytes("".join(f"{word}\0" for word in words).encode())


class FakeClock(Clock):
    """Time passes only by sleeping."""

    def __init__(self) -> None:
        self.time = 0.0
        super().__init__(now=lambda: self.time, monotonic=lambda: self.time, sleep=self._pass)

    def _pass(self, seconds: float) -> None:
        self.time += seconds
