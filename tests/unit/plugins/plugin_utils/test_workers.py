# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import pathlib
import subprocess
import sys

import pytest

from ansible_collections.steady.rollout.plugins.plugin_utils import controller, workers


@pytest.fixture(autouse=True)
def directory(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.setattr(workers.slots, "run_directory", lambda: str(tmp_path))
    return tmp_path / workers.HOSTS


def test_a_worker_that_is_at_work_or_done_is_not_missed(directory: pathlib.Path) -> None:
    with workers.at_work_on("app1"):
        assert [one["host"] for one in workers._at_work()] == ["app1"]
        assert workers.died() == []
    assert list(directory.iterdir()) == []


def test_looking_for_the_dead_made_a_directory_that_the_run_was_about_to_remove(directory: pathlib.Path) -> None:
    assert workers.died() == []
    assert not directory.exists()


def test_a_worker_that_failed_is_done() -> None:
    with pytest.raises(ZeroDivisionError), workers.at_work_on("app1"):
        raise ZeroDivisionError
    assert list(workers._at_work()) == []


def test_a_killed_worker_went_undetected(directory: pathlib.Path) -> None:
    assert workers.died() == []
    directory.mkdir()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as worker:
        noted = {"host": "app2", "pid": worker.pid, "started": controller.started(worker.pid)}
        (directory / str(worker.pid)).write_text(json.dumps(noted))
        assert workers.died() == []
        worker.kill()
        worker.wait()
    assert workers.died() == ["app2"]
