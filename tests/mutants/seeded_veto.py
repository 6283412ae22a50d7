# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Seeded bugs in rollout_veto: a host goes although somebody objects, cannot be asked, or is needed by the others."""

from __future__ import annotations

from seeded import Mutant, of

VETO = "plugins/plugin_utils/veto/"
READERS = "plugins/module_utils/replicas/"

MUTANTS: tuple[Mutant, ...] = (
    *of(
        VETO + "replicas.py",
        (
            "a member that cannot be read is left out",
            "    silent = [node for node in case.others if node.trouble]\n",
            "    silent = []\n",
        ),
        ("a replica that does not follow is enough", "if node.role == REPLICA and not node.follows]", "if False]"),
        ("the primary does not wait for the others", "if case.itself.role == PRIMARY and case.remaining:", "if False:"),
        ("the lag does not count", "        if lag > case.max_lag\n", "        if False\n"),
        ("two primaries are one", "    if len(primaries) > 1:\n", "    if False:\n"),
        ("nobody asks for a switchover", "if case.itself.role == PRIMARY and case.is_before_drain:", "if False:"),
        ("its own Sentinel stays", "    goes = 0 if case.itself.trouble else 1\n", "    goes = 0\n"),
    ),
    *of(
        VETO + "consensus.py",
        ("half is a majority", "voters // 2 + 1", "voters // 2"),
        (
            "a learner votes",
            "left, needed = sum(node.votes for node in case.others)",
            "left, needed = len(case.others)",
        ),
        ("what the service itself says is ignored", "if case.itself.objection else None", "if False else None"),
        ("members without a leader are enough", "[node for node in case.others if not node.follows]", "[]"),
        (
            "a member that lacks entries is enough",
            "        if newest - node.position > case.max_lag\n",
            "        if False\n",
        ),
        ("another cluster counts", "!= (known[0].cluster, known[0].voters)]", "!= (node.cluster, node.voters)]"),
    ),
    *of(
        VETO + "asking.py",
        (
            "who cannot be asked consents",
            '            judged = Judged(False, f"could not',
            '            judged = Judged(True, f"could not',
        ),
        ("one consent is enough", "return all(answer.consents for answer", "return any(answer.consents for answer"),
    ),
    *of(
        VETO + "consent.py",
        (
            "an objection is shown and forgotten",
            "            if opinion.consents:\n                return answer\n",
            "            return answer\n",
        ),
    ),
    *of(
        READERS + "etcd.py",
        ("a member without a leader follows", "follows=leader != NO_MEMBER and not", "follows=not"),
        ("an alarm is no reason", 'and not state.get("errors")', ""),
    ),
    *of(
        READERS + "rabbitmq.py",
        ("a check that failed is one without critical queues", "    if not named:\n", "    if False:\n"),
        (
            "a node that is down is not missed",
            "    missing = sorted(set(nodes) - set(running))\n",
            "    missing = []\n",
        ),
    ),
)
