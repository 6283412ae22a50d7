# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The core of replica_info: what one member of a replicated service says of itself. Judging it is for the caller."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import durations
from ansible_collections.steady.rollout.plugins.module_utils.call import Call
from ansible_collections.steady.rollout.plugins.module_utils.replicas import etcd, postgresql, rabbitmq, redis_sentinel
from ansible_collections.steady.rollout.plugins.module_utils.replicas.model import Member

READERS: dict[str, t.Callable[[Call, float], Member]] = {
    "etcd": etcd.read,
    "postgresql": postgresql.read,
    "rabbitmq": rabbitmq.read,
    "redis_sentinel": redis_sentinel.read,
}


def core(call: Call) -> dict[str, t.Any]:
    """RolloutError where the member does not answer, or not in a way that is understood."""
    timeout = durations.positive("timeout", call.params["timeout"])
    member = READERS[call.params["type"]](call, timeout)
    return {"changed": False, **member._asdict(), "msg": member.said}
