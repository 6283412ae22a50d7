# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who runs the playbook: AWX's word counts in AWX's jobs and nowhere else."""

from __future__ import annotations

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.plugin_utils import controller, identity

JOB = {"AWX_PRIVATE_DATA_DIR": "/runner", "JOB_ID": "42"}
ANA = {"awx_user_name": "ana", "awx_job_id": 42}


def test_in_a_job_it_is_whom_awx_names() -> None:
    found = identity.owner(ANA, JOB)
    assert (found["user"], found["given_by"], found["job"]) == ("ana", "AWX", "42")
    assert identity.approver({"tower_user_name": "ana", "tower_job_id": "42"}, JOB)["user"] == "ana"


@pytest.mark.parametrize("environment", [{}, {"JOB_ID": "42"}, {**JOB, "JOB_ID": "43"}])
def test_a_variable_at_a_terminal_names_nobody(environment: dict[str, str]) -> None:
    assert identity.owner(ANA, environment)["user"] == controller.owner()["user"]
    with pytest.raises(InputError) as refused:
        identity.approver(ANA, environment)
    assert refused.value.message == (
        "awx_user_name names 'ana', but this is not a job of AWX; approvals in another user's name are refused. Leave the variable out."
    )


def test_a_schedule_approves_nothing() -> None:
    with pytest.raises(InputError) as refused:
        identity.approver({"awx_job_id": 42}, JOB)
    assert refused.value.message == (
        "AWX names no user for this job (it was started by a schedule or a webhook); a user has to approve it."
    )


def test_the_environment_does_not_say_who_somebody_is(monkeypatch: pytest.MonkeyPatch) -> None:
    before = controller.owner()["user"]
    for name in ("USER", "LOGNAME", "SUDO_USER"):
        monkeypatch.setenv(name, "somebody-else")
    assert controller.owner()["user"] == before
