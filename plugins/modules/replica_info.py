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
  - Reads the state of one member of a replicated service, such as whether it is the primary and whether it follows one.
    Whether a member may be taken out of service is decided from the state of all members, see C(rollout_veto) of
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
    description:
      - What the service is. V(redis_sentinel) is a Redis with a Sentinel beside it. V(etcd) is read with C(etcdctl), and V(rabbitmq)
        with C(rabbitmqctl) and C(rabbitmq-queues), which only the users C(root) and C(rabbitmq) can run.
    type: str
    choices: [etcd, postgresql, rabbitmq, redis_sentinel]
    required: true
  timeout:
    description: How long to wait for an answer.
    type: str
    default: "10"
  url:
    description:
      - For V(postgresql), the address of a database, such as V(postgresql://user:password@127.0.0.1:5432/postgres). The
        default is the server's socket. The user must be a member of C(pg_monitor).
    type: str
  as_user:
    description: For V(postgresql), the system user that connects over the socket if the module runs as root.
    type: str
    default: postgres
  master:
    description: For V(redis_sentinel), the name of the monitored master in Sentinel's configuration.
    type: str
    default: mymaster
  address:
    description: For V(redis_sentinel), the address of this member's Redis and Sentinel.
    type: str
    default: 127.0.0.1
  port:
    description: For V(redis_sentinel), the port of Redis.
    type: int
    default: 6379
  user:
    description: For V(redis_sentinel), the Redis ACL user; the default user if not set. For V(etcd), the user, if authentication is enabled.
    type: str
  password:
    description: For V(redis_sentinel), the password for Redis. For V(etcd), the password of O(user).
    type: str
  sentinel_port:
    description: For V(redis_sentinel), the port of Sentinel.
    type: int
    default: 26379
  sentinel_user:
    description: For V(redis_sentinel), the Sentinel ACL user; the default user if not set.
    type: str
  sentinel_password:
    description: For V(redis_sentinel), the password for Sentinel.
    type: str
  endpoint:
    description: For V(etcd), the client URL of this member.
    type: str
    default: http://127.0.0.1:2379
  ca_path:
    description: For V(etcd), the file of the certificate authority that signed its certificate.
    type: path
  cert_path:
    description: For V(etcd), the file of the client certificate.
    type: path
  key_path:
    description: For V(etcd), the file of the client certificate's key.
    type: path
  node:
    description: For V(rabbitmq), the name of the node, such as V(rabbit@db1). RabbitMQ's default if not set.
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
  description: V(primary) or V(replica). The leader of an etcd cluster is V(primary); every node of RabbitMQ is V(replica).
  type: str
  returned: success
follows:
  description:
    - Whether a replica receives what the primary writes. Always false for a primary.
    - For O(type=etcd), whether the member has a leader and reports no errors. For O(type=rabbitmq), whether all nodes are running
      and none is partitioned from the cluster, as seen from this node.
  type: bool
  returned: success
position:
  description: The position in the primary's writes that it has reached, in bytes; for O(type=etcd) in log entries.
  type: int
  returned: success
cluster:
  description: An identifier that all members of one cluster share, such as PostgreSQL's system identifier.
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
voters:
  description: For O(type=etcd) and O(type=rabbitmq), how many members of the cluster vote.
  type: int
  returned: success
votes:
  description: Whether this member votes. A learner of etcd does not.
  type: bool
  returned: success
objection:
  description: Why the service itself reports that this member must stay in service, or what is wrong with it; empty otherwise.
  type: str
  returned: success
msg:
  description: The role in words.
  type: str
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.steady.rollout.plugins.module_utils.call import run_as_module
from ansible_collections.steady.rollout.plugins.module_utils.replicas.core import core

SPEC = {
    "argument_spec": {
        "type": {"type": "str", "choices": ["etcd", "postgresql", "rabbitmq", "redis_sentinel"], "required": True},
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
        "endpoint": {"type": "str", "default": "http://127.0.0.1:2379"},
        "ca_path": {"type": "path"},
        "cert_path": {"type": "path"},
        "key_path": {"type": "path", "no_log": False},
        "node": {"type": "str"},
    },
    "supports_check_mode": True,
}


def main() -> None:
    run_as_module(AnsibleModule(**SPEC), core)


if __name__ == "__main__":
    main()
