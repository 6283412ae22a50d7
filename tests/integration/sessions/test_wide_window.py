# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fifty hosts at a time behind one balancer's host whose sshd has the usual limits: no step fails for want of a session."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

HOSTS, WINDOW = 200, 50
SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "support" / "wide_window.py"
REFUSED = ("drop", "exceeded", "no more sessions")


@pytest.mark.skipif(not os.environ.get("STEADY_LONG"), reason="of the long series: make test-long")
@pytest.mark.skipif(not shutil.which("haproxy", path="/usr/sbin:/usr/bin"), reason="haproxy missing")
def test_no_step_fails_in_a_window_of_fifty(tmp_path: pathlib.Path) -> None:
    """Of fifty, fourteen ended with rc 255, called a broken balancer."""
    report = tmp_path / "report.json"
    inside = ["unshare", "--net", "--pid", "--mount-proc", "--fork", "--kill-child", "sh", "-ec"]
    words = [sys.executable, str(SCRIPT), str(HOSTS), str(WINDOW), str(report)]
    subprocess.run([*inside, 'ip link set lo up; exec "$@"', "sh", *words], check=True, timeout=2400)
    seen = json.loads(report.read_text(encoding="utf-8"))
    assert seen["exit_code"] == 0, seen["output"]
    assert f"shop: all {HOSTS} hosts are in service on 2.0.0." in seen["output"]
    assert seen["events"]["proven"] == HOSTS, seen["events"]
    unwanted = {"failed", "lost", "stuck", "stopped", "drained_externally"}
    assert not unwanted & set(seen["events"]), seen["events"]
    assert not [line for line in seen["sshd"].splitlines() if any(word in line for word in REFUSED)]
