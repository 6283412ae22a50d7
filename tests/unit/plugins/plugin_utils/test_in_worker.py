# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import signal
import types
import typing as t

import pytest
from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase

from ansible_collections.steady.rollout.plugins.plugin_utils import controller, in_worker
from ansible_collections.steady.rollout.plugins.plugin_utils.in_worker import InWorkerAction

SILENCE = "Failed to connect to the host via ssh: ssh: connect to host 192.0.2.1 port 22: Connection timed out"


class OnLostHost(InWorkerAction):
    """An action whose host does not answer, whatever Ansible wants from it."""

    module = "release"

    def __init__(self, delegate_to: str | None = None) -> None:
        self._task = types.SimpleNamespace(delegate_to=delegate_to, args={})


@pytest.fixture(autouse=True)
def _lost(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_arguments: t.Any, **_options: t.Any) -> t.NoReturn:
        raise AnsibleConnectionFailure(SILENCE)

    for name in ("run", "cleanup"):
        monkeypatch.setattr(ActionBase, name, fails)
    monkeypatch.setattr(controller, "leave_if_ended", lambda: None)


@pytest.mark.parametrize(("delegate_to", "named"), [(None, "app1"), ("lb1", "lb1")])
def test_a_lost_host_is_a_failure_that_names_it(delegate_to: str | None, named: str) -> None:
    assert OnLostHost(delegate_to).run(task_vars={"inventory_hostname": "app1"}) == {
        "failed": True,
        "kind": "unreachable",
        "msg": f"{named} cannot be reached over ssh (connect to host 192.0.2.1 port 22: Connection timed out).",
    }


def test_what_cannot_be_removed_from_a_lost_host_does_not_change_the_answer() -> None:
    """Ansible calls it after the task, and took the task for UNREACHABLE then: the rollout went on to the next step."""
    OnLostHost().cleanup()


def test_a_service_that_a_command_leaves_behind_is_not_waited_for() -> None:
    """It keeps standard output open for as long as it runs."""
    status, stdout, stderr = in_worker.run_command(["sh", "-c", "sleep 60 & echo $!; echo warned >&2; exit 3"])
    os.kill(int(stdout), signal.SIGKILL)  # raises where it has ended
    assert (status, stderr) == (3, "warned\n")


def test_output_that_is_no_text_and_without_end() -> None:
    status, stdout, dummy = in_worker.run_command(["sh", "-c", "yes | head -c 20000000; printf '\\377end'"])
    assert (status, len(stdout), stdout[-4:]) == (0, in_worker.LARGEST_OUTPUT, "\ufffdend")


def test_a_command_reads_what_it_is_given() -> None:
    assert in_worker.run_command(["cat"], data="abc") == (0, "abc", "")
    assert in_worker.run_command(["cat"]) == (0, "", "")
