# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rollout of one host, from staging to its report, and its rollback. Read it from top to bottom.

Each line of these functions is a step of host_steps.HostSteps. A step that is done is not done again (journal.py), which
lets the user's own task files run between two of them.
"""

from __future__ import annotations

from ansible_collections.steady.rollout.plugins.plugin_utils.roll.host_steps import HostSteps
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.journal import StepFailed
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.ledger import COORDINATOR


def roll(host: HostSteps) -> None:
    """Brings one host to its target. Nothing in here leaves a host drained without saying so in the ledger."""
    try:
        host.stage_before_admission()
        host.connect_before_admission()
        direction = host.admit()
    except StepFailed as failure:
        if failure.kind != COORDINATOR:
            host.report_failed(failure)
        return
    if direction == "forward":
        go_forward(host)
    elif direction == "back":
        go_back(host)
    elif direction == "recover":
        recover(host)


def judge_last_stage(host: HostSteps) -> None:
    """Once no host is left to be admitted, the gate of the last stage falls to the end of the run."""
    try:
        host.judge_last_stage()
    except StepFailed as failure:
        host.show(f"The gate of the last stage could not be judged: {failure.error}")


def go_forward(host: HostSteps) -> None:
    try:
        host.fence_older_runs()
        host.wait_for_interrupted_run()
        host.stage()
        host.run_hook("before_drain")
        if host.is_objected_to():
            return
        host.add_to_pools()
        host.drain()
        host.mark_changing()
        host.run_hook("after_drain")
        host.record_intent()
        bring_to_target(host)
        restore(host)
        host.report_proven()
    except StepFailed as failure:
        roll_back(host, failure)


def bring_to_target(host: HostSteps) -> None:
    """Updated and healthy. It is drained, so another try costs time and no request (rollout_retries)."""
    try:
        update(host)
        host.wait_until_healthy()
        host.smoke_test()
        host.fail_on_purpose()
    except StepFailed as failure:
        if not host.tries_again(failure):
            raise
        bring_to_target(host)


def roll_back(host: HostSteps, failure: StepFailed) -> None:
    """A host that failed on its way forward: back to the version that was proven on it, and back into service."""
    verdict = host.report_failed(failure)
    if not verdict.go_back:
        return
    try:
        host.aim_at(verdict.target)
        if verdict.was_changed and not host.serves_target_again():
            host.drain_again()
            host.record_intent()
            host.stage_if_missing()
            update(host)
        host.wait_until_healthy()
        restore(host)
        host.report_reverted()
    except StepFailed as second:
        host.report_stuck(second)


def go_back(host: HostSteps) -> None:
    """A host that is in service on the version to leave: the rollback of the whole rollout, or one that was asked for."""
    try:
        host.fence_older_runs()
        host.wait_for_interrupted_run()
        host.stage_if_missing()
        host.run_hook("before_drain")
        if host.is_objected_to():
            return
        host.drain()
        host.mark_changing()
        host.run_hook("after_drain")
        host.record_intent()
        update(host)
        host.wait_until_healthy()
        restore(host)
        host.report_reverted()
    except StepFailed as failure:
        host.report_stuck(failure)


def recover(host: HostSteps) -> None:
    """A host that an interrupted run left drained: returned if it is healthy; nothing is installed."""
    try:
        host.fence_older_runs()
        host.wait_for_interrupted_run()
        host.wait_until_healthy()
        restore(host)
        host.report_proven()
    except StepFailed as failure:
        host.report_stuck(failure)


def update(host: HostSteps) -> None:
    host.run_hook("before_update")
    if not host.run_hook("update"):
        host.activate_release()
    host.run_hook("after_update")


def restore(host: HostSteps) -> None:
    host.run_hook("before_restore")
    host.put_back_in_service()
    host.run_hook("after_restore")
