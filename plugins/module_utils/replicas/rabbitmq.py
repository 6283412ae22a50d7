# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""A node of a RabbitMQ cluster, asked by RabbitMQ's own programs on its host (3.8 and later)."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.call import Call
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.migrations.programs import Programs, Said, failed
from ansible_collections.steady.rollout.plugins.module_utils.replicas.model import KIND, REPLICA, Member

CHECK = "check_if_node_is_quorum_critical"
IS_CRITICAL = 69
"""EX_UNAVAILABLE: the exit status of a check that fails, and of a node that does not answer."""
JSON = ("--formatter", "json", "--silent")


def read(call: Call, timeout: float) -> Member:
    node = ("--node", str(call.params["node"])) if call.params.get("node") else ()
    programs = Programs(call.run_command, {}, [], limit=timeout)
    status = programs.checked(["rabbitmqctl", *node, "cluster_status", *JSON], kind=KIND)
    check = programs.run(["rabbitmq-queues", *node, CHECK, *JSON], kind=KIND)
    return member_of(status.out, critical_queues(check))


def critical_queues(check: Said) -> list[str]:
    """The queues that would lose their quorum without this node. Raises RolloutError where that is not known.

    A check that fails is printed as an error, in JSON too.
    """
    if check.code == 0:
        return []
    try:
        queues = json.loads(check.err)["queues"] if check.code == IS_CRITICAL else []
        named = [str(one["readable_name"]) for one in queues]
    except (ValueError, LookupError, TypeError):
        named = []
    if not named:
        raise failed(check, KIND)
    return named


def member_of(status: str, critical: t.Sequence[str]) -> Member:
    """What rabbitmqctl has printed. Raises RolloutError where that is something else."""
    try:
        state = json.loads(status)
        nodes = [*_names(state["disk_nodes"]), *_names(state.get("ram_nodes") or [])]
        running = _names(state["running_nodes"])
        partitions = dict(state.get("partitions") or {})
    except (ValueError, LookupError, TypeError) as error:
        raise RolloutError(
            f"rabbitmqctl: expected the JSON of version 3.8 or later, found {status.strip()!r:.80}. Check which RabbitMQ is "
            "installed.",
            kind=KIND,
        ) from error
    missing = sorted(set(nodes) - set(running))
    troubles = [
        *(f"{name} is not running" for name in missing),
        *(f"{name} is partitioned from the cluster" for name in sorted(partitions)),
        *(f"{name} would lose its quorum" for name in critical),
    ]
    return Member(
        role=REPLICA,
        follows=not missing and not partitions,
        position=0,
        cluster=",".join(sorted(nodes)),
        voters=len(nodes),
        objection=", ".join(troubles),
    )


def _names(value: t.Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ValueError(value)
    return value
