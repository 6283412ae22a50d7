# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes the host out of rotation on every load balancer, and puts it back."""

from __future__ import annotations

import typing as t

from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.steady.rollout.plugins.plugin_utils.roll import lines
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.nodes import Nodes
from ansible_collections.steady.rollout.plugins.plugin_utils.roll.steps.calls import HostCalls

Result = t.Dict[str, t.Any]


class Traffic(HostCalls):
    def add_to_pools(self) -> None:
        """Adds the host, drained, to pools that do not have it: it gets no requests before it is proven."""
        if self.now["rollout_balancers"] and boolean(self.now["rollout_add_members"], strict=False):
            address = str(self.now["rollout_member_address"])
            self.journal.perform("add", "balancer", lambda: self._nodes().add(address), lines.added)

    def drain(self) -> None:
        if not self.now["rollout_balancers"]:
            return
        is_ours = self.admission.get("drained_by_us") or self._last("add").get("added")
        expected = ["in_service", "drained"] if is_ours else ["in_service"]
        self.journal.perform("drain", "drain", lambda: self._drain(expected, self._is_unchanged), lines.drained)

    @property
    def _is_unchanged(self) -> bool:
        """Not one that an earlier run has left, whose state is not known, and not one that is rolled back from a bad version."""
        return self.admission.get("direction") == "forward" and not self.admission.get("drained_by_us")

    def mark_changing(self) -> None:
        """Before the first step that could change the host: a restore timer must not put it back from here on."""
        if self.timers and self.now["rollout_balancers"]:
            self.journal.perform("mark changing", "balancer", lambda: self._nodes().mark_changing())

    def drain_again(self) -> None:
        """A host that may be back on some node is drained again before it is changed."""
        if self.now["rollout_balancers"] and self.journal.find("restore"):
            self.journal.perform("drain", "drain", lambda: self._drain(["in_service", "drained"]), lines.drained)

    def _drain(self, expected_states: list[str], restorable: bool = False) -> Result:
        timeout = self._seconds("rollout_drain_timeout")
        options = {"timeout": timeout, "on_timeout": self.now["rollout_drain_on_timeout"]}
        result = self._nodes().drain(options, expected_states, self.admission.get("guard"), timeout, restorable)
        return {**result, "out_since": self.wall_clock() - result["out_for"]}

    def put_back_in_service(self) -> None:
        if self.now["rollout_balancers"]:
            self.journal.perform("restore", "restore", self._put_back, lines.restored)

    def _put_back(self) -> Result:
        result = self._nodes().put_back(self._seconds("rollout_restore_timeout"), self.require_weight)
        return {**result, "in_rotation_at": self.wall_clock()}

    def _nodes(self) -> Nodes:
        return Nodes(self.executors, self.now["rollout_balancers"], self.now["rollout_member"], self.claim, self.timers)
