#!/usr/bin/python
# -*- coding: utf-8 -*-

# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: replica_info
short_description: Read the role of a member of a replicated service
version_added: 0.1.0
description:
  - Reads what one member of a replicated service says of itself, such as whether it is the primary and whether it follows.
    Whether a member may be taken out of service is decided from the answers of all, see C(rollout_veto) of
    P(steady.rollout.rollout#role).
author:
  - The steady.rollout maintainers (@steady-rollout)
extends_documentation_fragment:
  - steady.rollout.attributes
attributes:
  check_mode:
    support: full
    details:
      - This module changes nothing.
  diff_mode:
    support: N/A
    details:
      - This module changes nothing.
  idempotent:
    support: full
options:
  type:
    description: What the service is. V(redis_sentinel) is a Redis with a Sentinel beside it.
    type: str
    choices: [postgresql, redis_sentinel]
    required: true
  timeout:
    description: How long it may take to answer.
    type: str
    default: "10"
  url:
    description:
      - For V(postgresql), the address of a database, such as V(postgresql://user:password@127.0.0.1:5432/postgres). The
        default is the server's socket. Its user needs to be a member of C(pg_monitor).
    type: str
  as_user:
    description: For V(postgresql), which system user asks over the socket where the module runs as root.
    type: str
    default: postgres
  master:
    description: For V(redis_sentinel), what Sentinel calls the group of servers.
    type: str
    default: mymaster
  address:
    description: For V(redis_sentinel), where the Redis and the Sentinel of this member listen.
    type: str
    default: 127.0.0.1
  port:
    description: For V(redis_sentinel), the port of the Redis.
    type: int
    default: 6379
  user:
    description: For V(redis_sentinel), the user at the Redis, where it has more than one.
    type: str
  password:
    description: For V(redis_sentinel), the password at the Redis.
    type: str
  sentinel_port:
    description: For V(redis_sentinel), the port of the Sentinel.
    type: int
    default: 26379
  sentinel_user:
    description: For V(redis_sentinel), the user at the Sentinel, where it has more than one.
    type: str
  sentinel_password:
    description: For V(redis_sentinel), the password at the Sentinel.
    type: str
"""

EXAMPLES = r"""
- name: Read which of the servers is the primary
  steady.rollout.replica_info:
    type: postgresql
  register: replica

- name: Switch over before the primary is restarted
  ansible.builtin.command: /usr/local/bin/switch-over
  when: replica.role == 'primary'
  changed_when: true
"""

RETURN = r"""
role:
  description: V(primary) or V(replica).
  type: str
  returned: success
follows:
  description: Whether a replica receives what the primary writes. Always false for a primary.
  type: bool
  returned: success
position:
  description: Up to where it has the primary's writes, in bytes.
  type: int
  returned: success
cluster:
  description: What all members of one cluster say the same of, such as PostgreSQL's system identifier.
  type: str
  returned: success
usable_sentinels:
  description: For O(type=redis_sentinel), how many Sentinels this one reaches, itself included.
  type: int
  returned: success
needed_sentinels:
  description: For O(type=redis_sentinel), how many of them a failover needs.
  type: int
  returned: success
msg:
  description: Its role in words.
  type: str
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.steady.rollout.plugins.module_utils.call import run_as_module
from ansible_collections.steady.rollout.plugins.module_utils.replicas.core import core

SPEC = {
    "argument_spec": {
        "type": {"type": "str", "choices": ["postgresql", "redis_sentinel"], "required": True},
        "timeout": {"type": "str", "default": "10"},
        "url": {"type": "str", "no_log": True},
        "as_user": {"type": "str", "default": "postgres"},
        "master": {"type": "str", "default": "mymaster"},
        "address": {"type": "str", "default": "127.0.0.1"},
        "port": {"type": "int", "default": 6379},
        "user": {"type": "str"},
        "password": {"type": "str", "no_log": True},
        "sentinel_port": {"type": "int", "default": 26379},
        "sentinel_user": {"type": "str"},
        "sentinel_password": {"type": "str", "no_log": True},
    },
    "supports_check_mode": True,
}


def main() -> None:
    run_as_module(AnsibleModule(**SPEC), core)


if __name__ == "__main__":
    main()
