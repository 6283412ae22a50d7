# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""May this member of a cluster that needs a majority be drained now? Decided from the state of all members, as a pure function.

Unknown state is an objection: a member that does not answer may be the one that is needed.
"""

from __future__ import annotations

from ansible_collections.steady.rollout.plugins.module_utils.plurals import are
from ansible_collections.steady.rollout.plugins.plugin_utils.veto.replicas import (
    Case,
    Judged,
    objects,
    turn,
    unread,
)


def judge(case: Case) -> Judged:
    """The leader is last, which avoids elections; a member may go only if the rest is a majority that has all writes."""
    for rule in (unread, _one_cluster, _objected_to, _in_contact, turn, _lag, _majority):
        objection = rule(case)
        if objection is not None:
            return objection
    others = sum(node.votes for node in case.others)
    return Judged(True, f"without {case.asker}, {others} of {_voters(case)} voting members remain, which is a majority")


def _one_cluster(case: Case) -> Judged | None:
    """A member with a different list of members counts as one of another cluster."""
    known = [node for node in case.nodes if not node.trouble]
    strange = [node.name for node in known if (node.cluster, node.voters) != (known[0].cluster, known[0].voters)]
    if strange:
        return objects(f"{', '.join(strange)} {are(len(strange))} not in the same cluster as {known[0].name}")
    return None


def _objected_to(case: Case) -> Judged | None:
    return objects(f"{case.asker}: {case.itself.objection}") if case.itself.objection else None


def _in_contact(case: Case) -> Judged | None:
    wrong = [node for node in case.others if not node.follows]
    return objects("; ".join(f"{one.name}: {one.objection or 'no leader'}" for one in wrong)) if wrong else None


def _lag(case: Case) -> Judged | None:
    """A member that lacks many entries votes, but no write is accepted until it has them."""
    newest = max(node.position for node in case.nodes)
    late = [
        f"{node.name} is {newest - node.position} entries behind; the maximum is {case.max_lag:.0f} (max_lag)"
        for node in case.others
        if newest - node.position > case.max_lag
    ]
    return objects("; ".join(late)) if late else None


def _majority(case: Case) -> Judged | None:
    voters = _voters(case)
    left, needed = sum(node.votes for node in case.others), voters // 2 + 1
    if not case.itself.trouble and not case.itself.votes:
        return None
    if left >= needed:
        return None
    return objects(
        f"without {case.asker}, {left} of {voters} voting members would remain, and a majority is {needed}; check that all hosts of "
        "the cluster are listed"
    )


def _voters(case: Case) -> int:
    return next(node.voters or 0 for node in case.others)
