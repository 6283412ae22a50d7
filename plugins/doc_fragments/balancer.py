# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option that says which pool on which load balancer node."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  balancer:
    description:
      - One pool on one node of a load balancer.
      - Set it once for all modules of the group with C(module_defaults) and C(group/steady.rollout.balancer).
    type: dict
    required: true
    suboptions:
      type:
        description: The make of the load balancer.
        type: str
        choices:
          - envoy
          - haproxy
        default: haproxy
      host:
        description: The node's name, for messages only. The module talks to the socket on the host it runs on.
        type: str
        default: ""
      pool:
        description: The pool, which HAProxy calls a backend and Envoy a cluster.
        type: str
        required: true
      timeout:
        description: Seconds that the node may take for one answer.
        type: float
        default: 5.0
      socket:
        description:
          - HAProxy's admin socket, as an absolute path, V(host:port) or V(tcp://host:port).
          - It needs C(level admin) for anything but reading.
          - Required if O(balancer.type=haproxy).
        type: str
      master_socket:
        description:
          - The socket of HAProxy's master process (its option C(-S)), written like O(balancer.socket).
          - With it, sessions in processes that a reload left behind are counted. They cannot be seen otherwise.
        type: str
      state_file:
        description:
          - The file that HAProxy's C(server-state-file) names, on the host where the module runs.
          - It is rewritten after every change, so that a reload neither loses a drain nor brings an old one back.
        type: path
      admin:
        description:
          - Envoy's administration interface, as V(host:port) or as the absolute path of a unix socket. It is only read.
          - Required if O(balancer.type=envoy).
        type: str
      eds_file:
        description:
          - The file that Envoy reads the pool's members from, by the C(path_config_source) of a cluster of type C(EDS),
            on the host where the module runs. It is JSON, and is replaced by renaming.
          - A member's name is the C(hostname) of its endpoint where no other has the same, otherwise its address and port.
          - Exactly one of this and O(balancer.rds_file) is required if O(balancer.type=envoy).
        type: path
      rds_file:
        description:
          - The file that Envoy reads its routes from. The members are then the clusters among which the route, or the
            routes of the virtual host, named O(balancer.pool) split traffic by C(weighted_clusters).
          - For weights only, since a cluster cannot be drained.
        type: path
"""
