# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""A member of an etcd cluster, asked by etcdctl on its own host (3.4 and later)."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.call import Call
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.migrations.programs import Programs
from ansible_collections.steady.rollout.plugins.module_utils.replicas.model import KIND, PRIMARY, REPLICA, Member

FILES = {"ca_path": "ETCDCTL_CACERT", "cert_path": "ETCDCTL_CERT", "key_path": "ETCDCTL_KEY"}
NO_MEMBER = 0
"""The leader's member ID if there is none."""


def read(call: Call, timeout: float) -> Member:
    given = call.params
    secrets = [str(given["password"])] if given.get("password") else []
    programs = Programs(call.run_command, environment_of(given, timeout), secrets, limit=timeout + 1)
    status = programs.checked(["etcdctl", "endpoint", "status", "--write-out=json"], kind=KIND).out
    members = programs.checked(["etcdctl", "member", "list", "--write-out=json"], kind=KIND).out
    return member_of(status, members)


def environment_of(given: t.Mapping[str, t.Any], timeout: float) -> dict[str, str]:
    """What etcdctl takes from its environment; a password on its command line would be seen by other users."""
    found = {
        "ETCDCTL_API": "3",
        "ETCDCTL_ENDPOINTS": str(given["endpoint"]),
        "ETCDCTL_DIAL_TIMEOUT": f"{timeout:g}s",
        "ETCDCTL_COMMAND_TIMEOUT": f"{timeout:g}s",
        **{variable: str(given[name]) for name, variable in FILES.items() if given.get(name)},
    }
    if given.get("user"):
        found["ETCDCTL_USER"] = str(given["user"])
    if given.get("password"):
        found["ETCDCTL_PASSWORD"] = str(given["password"])
    return found


def member_of(status: str, members: str) -> Member:
    """What etcdctl has printed. Raises RolloutError where that is something else."""
    try:
        state = json.loads(status)[0]["Status"]
        header = state["header"]
        itself, cluster = _number(header["member_id"]), _number(header["cluster_id"])
        leader = _number(state.get("leader", NO_MEMBER))
        position = _number(state.get("raftAppliedIndex", state["raftIndex"]))
        learners = {_number(one["ID"]): one.get("isLearner") is True for one in json.loads(members)["members"]}
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise RolloutError(
            f"etcdctl: expected the JSON of version 3.4 or later, found {status.strip()!r:.80}. Check which etcdctl is installed.",
            kind=KIND,
        ) from error
    if itself not in learners:
        raise RolloutError(
            "etcd does not list this member as one of its cluster. Check 'etcdctl member list'; it may have been removed.",
            kind=KIND,
        )
    return Member(
        role=PRIMARY if leader == itself else REPLICA,
        follows=leader != NO_MEMBER and not state.get("errors"),
        position=position,
        cluster=str(cluster),
        voters=sum(not is_learner for is_learner in learners.values()),
        votes=not learners[itself],
        objection=", ".join(str(one) for one in state.get("errors") or ()),
    )


def _number(value: t.Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(value)
    return value
