# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who runs this playbook: the person at the terminal or, in an AWX job, the user that AWX names."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.plugin_utils import controller

PREFIXES = ("awx", "tower")
OF_A_JOB = ("AWX_PRIVATE_DATA_DIR", "JOB_ID")
"""What AWX sets in the environment of every job."""
AWX = "AWX"


def owner(task_vars: t.Mapping[str, t.Any], environment: t.Mapping[str, str] | None = None) -> dict[str, t.Any]:
    """The process that runs, with its person. Variables that only look like AWX's are not taken for AWX's word."""
    environment = os.environ if environment is None else environment
    here = controller.owner()
    named = _named(task_vars)
    if not named or not _is_job(task_vars, environment):
        return here
    return {**here, "user": named, "given_by": AWX, "job": environment["JOB_ID"]}


def approver(task_vars: t.Mapping[str, t.Any], environment: t.Mapping[str, str] | None = None) -> dict[str, t.Any]:
    """The same, where it matters who it is: an AWX user named outside of AWX is refused."""
    environment = os.environ if environment is None else environment
    if _named(task_vars) and not _is_job(task_vars, environment):
        raise InputError(
            f"awx_user_name names '{_named(task_vars):.80}', but this is not a job of AWX; approvals in "
            "another user's name are refused. Leave the variable out."
        )
    if _is_job(task_vars, environment) and not _named(task_vars):
        raise InputError(
            "AWX names no user for this job (it was started by a schedule or a webhook); a user has to approve it."
        )
    return owner(task_vars, environment)


def _named(task_vars: t.Mapping[str, t.Any]) -> str:
    return next(
        (str(task_vars[f"{prefix}_user_name"]) for prefix in PREFIXES if task_vars.get(f"{prefix}_user_name")), ""
    )


def _is_job(task_vars: t.Mapping[str, t.Any], environment: t.Mapping[str, str]) -> bool:
    job = next((str(task_vars[f"{prefix}_job_id"]) for prefix in PREFIXES if task_vars.get(f"{prefix}_job_id")), "")
    return all(environment.get(name) for name in OF_A_JOB) and job == environment["JOB_ID"]
