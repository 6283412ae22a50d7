# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two others approve a plan before it starts; the requester's own, a stranger's and a forged name do not count."""

from __future__ import annotations

import re
import typing as t

import pytest
from fleet.world.rolling import Ended, Rolling
from fleet.world.shop import Shop

from ansible_collections.steady.rollout.plugins.plugin_utils import controller

NOT_APPROVED = 22
ME = controller.owner()["user"]
APPROVERS = ", ".join(sorted(["ana", "ben", "cem", ME]))
SETTINGS: dict[str, t.Any] = {"rollout_approvals_required": 2, "rollout_approvers": ["ana", "ben", "cem", ME]}


class Awx:
    """Runs playbooks as AWX does for one of its users: extra variables, and what is in the environment of its jobs."""

    def __init__(self, rolling: Rolling, monkeypatch: pytest.MonkeyPatch) -> None:
        self._rolling, self._monkeypatch = rolling, monkeypatch

    def run(self, user: str, version: str = "", is_job: bool = True, **settings: t.Any) -> Ended:
        with self._monkeypatch.context() as context:
            context.setenv("ANSIBLE_CALLBACKS_ENABLED", "steady.rollout.outcome")
            if is_job:
                context.setenv("AWX_PRIVATE_DATA_DIR", "/runner")
                context.setenv("JOB_ID", "42")
            named = {"awx_user_name": user, "awx_job_id": 42} if user else {}
            return self._rolling.run(version, **{**SETTINGS, **named, **settings})


def test_a_rollout_waits_for_two_others_and_starts_with_their_approvals(
    shop: Shop, rolling: Rolling, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.lab.add_release("2.0.0")
    awx = Awx(rolling, monkeypatch)
    refused = awx.run("ana", "2.0.0")
    assert refused.exit_code == NOT_APPROVED, refused.output
    plan = found[1] if (found := re.search(r"approvals of plan ([0-9a-f]{12}) ", refused.output)) else ""
    assert plan, refused.output

    def approve(user: str, **options: t.Any) -> Ended:
        return awx.run(user, playbook="approve", rollout_plan=plan, **options)

    assert approve("ana").said(f"ana asked for plan {plan} and cannot approve it; somebody else has to.")
    assert approve("eve").said(f"eve may not approve plan {plan}; {APPROVERS} may.")
    assert approve("ben", is_job=False).said("awx_user_name names 'ben', but this is not a job of AWX;")
    assert approve("ben").said(f"plan {plan} is approved by ben (given by AWX) until")
    assert awx.run("ana", "2.0.0").said("2 approvals of plan " + plan + " (2.0.0) are needed, 1 given (ben).")
    assert approve("", is_job=False).said(f"plan {plan} is approved by {ME} until")
    assert shop.all_on("1.0.0")

    changed = awx.run("ana", "2.0.0", rollout_max_unavailable=1)
    assert changed.exit_code == NOT_APPROVED
    assert changed.said("Approvals of another plan do not count: this one is not what was approved.")

    done = awx.run("ana", "2.0.0")
    assert done.exit_code == 0, done.output
    assert done.said(f"plan {plan} is approved by ben, {ME}")
    assert shop.all_on("2.0.0"), shop.versions()
