# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The options of type=envoy."""

from __future__ import annotations

from ansible_collections.steady.rollout.plugins.module_utils.typed_options import Options, option

POOL = "For V(envoy) a cluster, or with O(balancer.rds_file) a route or virtual host."
OPTIONS: Options = {
    "admin": option(
        "Envoy's administration interface, as V(host:port) or as the absolute path of a unix socket. It is only read.",
    ),
    "eds_file": option(
        "The file that Envoy reads the pool's members from, by the C(path_config_source) of a cluster of type C(EDS), on "
        "the host where the module runs. It is JSON, and is replaced by renaming.",
        "A member's name is the C(hostname) of its endpoint where no other has the same, otherwise its address and port.",
        "Set the cluster's C(common_lb_config.healthy_panic_threshold) to 0. Otherwise Envoy sends traffic to all members, "
        "drained ones too, when few are healthy, and a change that would lead there is refused.",
        "Set its C(common_lb_config.update_merge_window) to C(0s) too. Otherwise Envoys before 1.40 hold a change that "
        "follows another within a second back for as long, which is waited for.",
        "Exactly one of this and O(balancer.rds_file) is required if O(balancer.type=envoy).",
        type="path",
    ),
    "rds_file": option(
        "The file that Envoy reads its routes from. The members are then the clusters among which the route, or the routes "
        "of the virtual host, named O(balancer.pool) split traffic by C(weighted_clusters).",
        "For weights only, since a cluster cannot be drained.",
        type="path",
    ),
}
