# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rollout that stops all hosts behind a maintenance page, and its way back. Read it from top to bottom.

Each line is a step of steps.RecreateSteps and on record in the ledger before it is begun. A run that was killed is
repeated from the top: every step may be done twice, and the backup from before the first one is kept.
"""

from __future__ import annotations

from ansible_collections.steady.rollout.plugins.plugin_utils.recreate.steps import RecreateSteps
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.journal import StepFailed


def recreate(it: RecreateSteps) -> None:
    """Raises StepFailed only where nothing was touched."""
    it.begin()
    if it.is_rolling_back:
        go_back(it)
        return
    it.check_backup()
    it.check_migration()
    try:
        it.show_page()
        it.drain()
        it.stop()
        it.back_up()
        it.migrate()
        it.update(it.targets)
        it.wait_until_healthy(it.targets)
        it.smoke_test(it.targets)
        it.put_in_service()
        it.remove_page()
        it.report_done()
    except StepFailed as failure:
        if it.report_failed(failure):
            go_back(it)


def go_back(it: RecreateSteps) -> None:
    """The old version on all hosts, the database in a state that it can use; the page is taken down only once that is proven.

    A balancer that does not answer is left alone here: it cannot be changed, and the others need not wait for it.
    """
    it.tolerates_lost_balancers = True
    try:
        if it.has_stopped:
            it.show_page()
            it.drain()
            it.stop()
            it.restore_database()
            it.update(it.previous)
        if it.has_drained:
            it.wait_until_healthy(it.previous)
            it.put_in_service()
        it.remove_page()
        it.report_restored()
    except StepFailed as failure:
        it.report_stuck(failure)
