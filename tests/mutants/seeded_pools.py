# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Seeded bugs in what is done to pools, whichever balancer: guards, drains, splits, locks, and comparisons under load."""

from __future__ import annotations

from seeded import Mutant, of

POOLS = "plugins/module_utils/pools/"
LOAD = "plugins/module_utils/load/"

MUTANTS: tuple[Mutant, ...] = (
    *of(
        POOLS + "members/drain.py",
        (
            "a busy member is drained",
            "return Verdict.NOT_YET if member.busy or member.pending else Verdict.REACHED",
            "return Verdict.NOT_YET if member.pending else Verdict.REACHED",
        ),
        (
            "a member that is gone is waited for",
            "    if member is None:\n        return Verdict.IMPOSSIBLE\n    if state",
            "    if member is None:\n        return Verdict.NOT_YET\n    if state",
        ),
        (
            "13 a member put back by others is drained",
            "    if member.own not in contract.OUT_STATES:\n        return Verdict.IMPOSSIBLE\n",
            "",
        ),
        (
            "13 a member without weight serves",
            "(member.weight == 0 and not member.agent) or member.unrecoverable",
            "member.unrecoverable",
        ),
        (
            "13 what is up is in service",
            "return Verdict.REACHED if member.serving else Verdict.NOT_YET",
            "return Verdict.REACHED",
        ),
        (
            "a standby may be down",
            "is_fit = not member.inherited and member.operational in contract.FULLY_UP",
            "is_fit = not member.inherited",
        ),
        (
            "13 what a poll finds is not decided by all that a node shows",
            "is_over and (is_due or self._is_decided)",
            "is_over",
        ),
        (
            "a reload's gap is a failure",
            "if clock.now() >= until:\n                raise",
            "if True:\n                raise",
        ),
        (
            "a node that does not answer has answered",
            "        if self._unreachable:\n            seconds",
            "        if not self._unreachable:\n            seconds",
        ),
    ),
    *of(
        POOLS + "membership.py",
        (
            "what was saved of a removed member drains it again",
            "        if contract.CAN_SAVE in self._balancer.capabilities:\n            self._balancer.save()",
            "        pass",
        ),
        (
            "a member is removed that somebody put back in service",
            "if member.own not in contract.OUT_STATES and not self._check_mode:",
            "if False:",
        ),
        (
            "a member with another address is taken for the new one",
            "if there != self._wanted.address and not self._cannot:",
            "if False:",
        ),
        ("a node that still closes connections fails at once", "if waited >= self._timeout:", "if True:"),
        (
            "a type that cannot remove drains all the same",
            "            self.refuse_unable()\n            self._drain()",
            "            self._drain()",
        ),
    ),
    *of(
        POOLS + "members/change.py",
        ("check mode waits", "if self._request.wait and not self._call.check_mode:", "if self._request.wait:"),
        (
            "force where nothing can be forced",
            "if self._request.on_timeout == FORCE and CAN_END_SESSIONS not in",
            "if self._request.on_timeout != FORCE and CAN_END_SESSIONS not in",
        ),
        ("the guard is not waited for", "return self._request.guard_timeout", "return 0.0"),
        (
            "what is late is never reported",
            "if late and self._request.on_timeout != CONTINUE:",
            "if late and self._request.on_timeout == RESTORE:",
        ),
        ("what is lost is never reported", "        if lost:\n", "        if lost and late:\n"),
        (
            "sessions of members in service are cut",
            "if name in members and members[name].own in OUT_STATES]",
            "if name in members]",
        ),
        ("restore restores nothing", "if self._request.on_timeout == RESTORE:", "if self._request.on_timeout == FAIL:"),
        ("8 a claim lost while waiting is not noticed", "every_second=self._marking.require_claim)", ")"),
    ),
    *of(
        POOLS + "members/plan.py",
        (
            "12 what others drained is changed",
            "expected_states is not None and snapshot.members[name].own not in expected_states",
            "expected_states is not None and snapshot.members[name].own in expected_states",
        ),
        (
            "3 one more than may be out",
            "if len(out) <= guard.max_out_of_service:",
            "if len(out) <= guard.max_out_of_service + 1:",
        ),
        (
            "1 a zone may have one less",
            "if len(left) >= zone.min_in_service:",
            "if len(left) + 1 >= zone.min_in_service:",
        ),
        (
            "1 a zone's floor is not looked at",
            "if not leaving.intersection(zone.members):",
            "if leaving.intersection(zone.members):",
        ),
        ("what returns counts as leaving", "if state != IN_SERVICE]", "if state == IN_SERVICE]"),
    ),
    *of(
        POOLS + "members/request.py",
        ("force for what returns", 'if params["on_timeout"] == FORCE and IN_SERVICE in wanted.values():', "if False:"),
        ("any state is one", "if state not in ADMIN_STATES:", "if not state:"),
    ),
    *of(
        POOLS + "weights/split.py",
        ("shares need not add up", "if abs(total - 100) > SLACK:", "if total - 100 > SLACK:"),
        ("a share twice as large is near", "if achieved[name] > 2 * share:", "if achieved[name] > 20 * share:"),
        (
            "the servers of a group are not counted",
            "totals = {name: weight * servers[name] for name, weight in weights.items()}\n    return parts",
            "totals = {name: weight for name, weight in weights.items()}\n    return parts",
        ),
        (
            "a group without share gets weight",
            "return {name: best.get(name, 0) for name in shares}",
            "return {name: best.get(name, 1) for name in shares}",
        ),
        (
            "weights beyond the limits",
            "return min(max(weight, limits.lowest), limits.highest)",
            "return max(weight, limits.lowest)",
        ),
        (
            "the first guess will do",
            "return min(_within(rank(best)[0], wanted, servers, limits), key=rank)",
            "return best",
        ),
    ),
    *of(
        POOLS + "weights/plan.py",
        ("a member of two groups", "if both and name < other:", "if both and name > name:"),
        ("a drained member takes traffic", "return member.admin == IN_SERVICE and", "return"),
        (
            "a backup takes traffic",
            "and member.operational in TAKING and not member.backup",
            "and member.operational in TAKING",
        ),
        (
            "10 a group without a healthy member gets traffic",
            "if shares[name] > 0 and not any(",
            "if shares[name] > 0 and not all(",
        ),
        (
            "10 weights that fall go first",
            "changed.sort(key=lambda name: weights[name] < (found[name] or 0))",
            "changed.sort(key=lambda name: weights[name] > (found[name] or 0))",
        ),
        ("what has its weight is set again", "if found[name] != weight]", "if True]"),
    ),
    *of(
        POOLS + "setting.py",
        (
            "13 a setting that does not show is set",
            '        if state == (changes[0], True):\n            return ""\n',
            '        return ""\n',
        ),
        ("what is set is set again", "return None if state == (wanted, True) else (wanted,)", "return (wanted,)"),
    ),
    *of(
        POOLS + "pool_lock.py",
        ("two pools share a lock", '{balancer.where}\\n{balancer.pool}"', '{balancer.where}"'),
        (
            "the lock is not held",
            'stack.enter_context(claims.lock(directory, f"pool-{digest}", what))',
            'claims.lock(directory, f"pool-{digest}", what)',
        ),
    ),
    *of(
        LOAD + "verdict.py",
        ("load: nothing asked is good news", "    if silent:\n", "    if not silent:\n"),
        (
            "load: the best finding decides",
            "WORST_FIRST = (FAIL, NO_DATA, INCONCLUSIVE, PASS)",
            "WORST_FIRST = (PASS, INCONCLUSIVE, NO_DATA, FAIL)",
        ),
        ("load: failures are answers", "return self.requests - len(self.latencies)", "return 0"),
        ("load: both groups are one", "if outcome.role == role and outcome.counts]", "if outcome.counts]"),
        ("load: warm-up counts", "if outcome.role == role and outcome.counts]", "if outcome.role == role]"),
    ),
)
