# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A process that is interrupted says so once, whichever signal it was, and its workers say nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

PROGRAM = """
import os, signal, sys, time
from ansible_collections.steady.rollout.plugins.plugin_utils.watch import at_exit
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
at_exit.call(lambda: print("called", flush=True))
worker = os.fork()
if worker == 0:
    os.write(1, b"worker\\n")
    time.sleep(60)
try:
    os.write(1, b"ready\\n")
    time.sleep(60)
except KeyboardInterrupt:
    os.kill(worker, signal.SIGTERM)
    print("worker ended by", os.waitpid(worker, 0)[1], flush=True)
    sys.exit(99)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_said_nothing(number: signal.Signals) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    begun = {process.stdout.readline(), process.stdout.readline()}
    process.send_signal(number)
    rest, dummy = process.communicate()
    assert begun == {"worker\n", "ready\n"}
    assert rest.splitlines() == [f"worker ended by {int(signal.SIGTERM)}", "called"]
    assert process.returncode == 99
