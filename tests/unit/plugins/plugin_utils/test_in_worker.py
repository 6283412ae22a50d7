# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import types
import typing as t

import pytest
from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase

from ansible_collections.steady.rollout.plugins.plugin_utils import controller
from ansible_collections.steady.rollout.plugins.plugin_utils.in_worker import InWorkerAction

SILENCE = "Failed to connect to the host via ssh: ssh: connect to host 192.0.2.1 port 22: Connection timed out"


class OnLostHost(InWorkerAction):
    """An action whose host does not answer, whatever Ansible calls."""

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
