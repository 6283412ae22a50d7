# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from ansible_collections.steady.rollout.plugins.plugin_utils.sessions import starting

PROGRAM = b"import os,sys;print(sys.argv[1:], os.environ.get('STEADY_ROLLOUT_RUN'), sys.path[:1] != [''])"


def run(line: str) -> subprocess.CompletedProcess[bytes]:
    words = ["/bin/sh", "-c", starting.in_shell(line)]
    return subprocess.run(words, input=PROGRAM, capture_output=True, check=False)


@pytest.mark.parametrize("interpreters", [[sys.executable], ["/does/not/exist", sys.executable]])
@pytest.mark.parametrize("tried", [False, True])
def test_the_program_comes_on_standard_input(interpreters: list[str], tried: bool) -> None:
    done = run(starting.command(interpreters, len(PROGRAM), "STEADY_ROLLOUT_RUN='a b'", tried))
    assert done.stdout == b"['steady-rollout-session'] a b True\n"


def test_without_python_one_sentence_is_said() -> None:
    done = run(starting.command(["/does/not/exist", "nor-this"], len(PROGRAM)))
    assert (done.returncode, done.stderr.decode().strip()) == (127, starting.NO_PYTHON)


@pytest.mark.parametrize("name", ["python3.6", "python3.7"])
def test_an_old_python_is_reported(name: str) -> None:
    interpreter = shutil.which(name)
    if interpreter is None or subprocess.run([interpreter, "-V"], capture_output=True, check=False).returncode:
        pytest.skip(f"{name} is not here")
    done = run(starting.command([interpreter], len(PROGRAM)))
    assert done.stdout == b""
    assert done.stderr.decode().startswith(f"{starting.TOO_OLD} {name[6:]}.")
