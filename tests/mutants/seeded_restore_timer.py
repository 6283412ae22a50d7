# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Seeded bugs in the restore timer: it acts against a newer claim, on a changed host, too early, or not at all."""

from __future__ import annotations

from seeded import Mutant, of

UTILS = "plugins/module_utils/restore_timer/"
ROLL = "plugins/plugin_utils/roll/"
ON_HAPROXY = ("tests/integration/haproxy/test_restore_timer.py",)

MUTANTS: tuple[Mutant, ...] = (
    *of(
        UTILS + "rules.py",
        (
            "8 a timer acts against a newer claim",
            "    if standing is None or not timer.is_of(standing.ledger, standing.token):\n",
            "    if standing is None:\n",
        ),
        (
            "a run that was refused takes the timer from what was drained before",
            "    if any(pool.drained for pool in timer.pools):\n",
            "    if False:\n",
        ),
        ("a clock of before the reboot counts", "    if now.boot != timer.renewed.boot:\n", "    if False:\n"),
        ("a heartbeat is not waited for", "    if silent < timer.after:\n", "    if silent < 0:\n"),
        (
            "a host that is being changed is restored",
            "        return dataclasses.replace(self, pools=tuple(change(pool) for pool in self.pools))\n",
            "        return self\n",
        ),
        (
            "a mark is lost when the host is drained again",
            "if name not in known.drained + known.changing]",
            "if name not in known.drained]",
        ),
        (
            "what a run without a timer has changed is restored",
            "follows = before is not None and previous is not None and before.is_of(previous.ledger, previous.token)",
            "follows = before is not None",
        ),
        (
            "another ledger restores what it has not drained",
            "is_ours = before is not None and before.ledger == standing.ledger",
            "is_ours = before is not None",
        ),
    ),
    *of(
        UTILS + "restore.py",
        (
            "12 what somebody else has changed is restored",
            "for name in self._due if _own(state, name) == DRAINED}",
            "for name in self._due}",
        ),
        (
            "a mark that comes while the timer waits is overlooked",
            "        timer = record.read(self._look.path)\n        verdict = self._look.verdict(timer) if timer else None\n"
            "        self._due = verdict.restore.get(self._pool.name, ()) if verdict else ()\n",
            "        timer = record.read(self._look.path)\n        verdict = self._look.verdict(timer) if timer else None\n"
            "        self._due = self._pool.drained\n",
        ),
        (
            "a member that is back stays in the record",
            "self._look.note(timer, reports).without(self._pool.name, self._due)",
            "self._look.note(timer, reports)",
        ),
        tests=ON_HAPROXY,
    ),
    *of(
        UTILS + "core.py",
        (
            "a run that is alive changes a host that was put back",
            "        if restored:\n",
            "        if False:\n",
        ),
        (
            "a timer that had run out stays so",
            "        if not timer.is_scheduled:\n",
            "        if False:\n",
        ),
        tests=ON_HAPROXY,
    ),
    *of(
        "plugins/module_utils/pools/members/marking.py",
        (
            "a member that is back is drained by an operator and restored",
            "        record.note_returned(self._claim, self._balancer.where, self._balancer.pool, members)\n",
            "",
        ),
        (
            "what was drained without leave is restored",
            "            if self._request.restore_timer:\n",
            "            if True:\n",
        ),
        tests=ON_HAPROXY,
    ),
    *of(
        ROLL + "steps/traffic.py",
        (
            "a host that an earlier run left half-way is left to a timer",
            'return self.admission.get("direction") == "forward" and not self.admission.get("drained_by_us")',
            'return self.admission.get("direction") == "forward"',
        ),
        (
            "a host that goes back to leave a bad version is left to a timer",
            'return self.admission.get("direction") == "forward" and not self.admission.get("drained_by_us")',
            'return not self.admission.get("drained_by_us")',
        ),
    ),
    *of(
        ROLL + "nodes.py",
        (
            "a host is changed though a timer could not be notified",
            '        self._refuse_failures("balancer", marked, [])\n',
            "",
        ),
    ),
    *of(
        "plugins/plugin_utils/watch/loop.py",
        (
            "a suspended run gives heartbeats",
            "            if not self.run.is_suspended():\n                self._beat_if_due()\n",
            "            self._beat_if_due()\n            if not self.run.is_suspended():\n",
        ),
    ),
)
