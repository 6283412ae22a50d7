# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Envoy, through the files that it reads its endpoints and routes from.

A pool is a cluster whose endpoints come from a file (EDS), or a route that splits traffic among clusters (RDS).
The administration interface is only read: it shows what Envoy made of the file.
"""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import Balancer
from ansible_collections.steady.rollout.plugins.module_utils.balancers.envoy.admin import HttpAdmin, parse_address
from ansible_collections.steady.rollout.plugins.module_utils.balancers.envoy.cluster import EnvoyCluster
from ansible_collections.steady.rollout.plugins.module_utils.balancers.envoy.file import WatchedFile
from ansible_collections.steady.rollout.plugins.module_utils.balancers.envoy.routes import EnvoyRoutes
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.waiting import Clock


def open_envoy(settings: dict[str, t.Any]) -> Balancer:
    """Raises InputError where the settings cannot be right; connects to nothing yet."""
    if settings["timeout"] <= 0:
        raise InputError(f"balancer.timeout: must be more than 0 s, is {settings['timeout']:g}.")
    given = [name for name in ("eds_file", "rds_file") if settings.get(name)]
    if len(given) != 1:
        raise InputError(
            "balancer: type=envoy needs exactly one of eds_file (the pool is a cluster, its members are endpoints) and "
            "rds_file (the pool is a route or virtual host, its members are clusters)."
        )
    where = f"{settings.get('host') or ''} {settings['admin']}".strip()
    admin = HttpAdmin(parse_address(settings["admin"]), where, settings["timeout"])
    file = WatchedFile(settings[given[0]], where, f"balancer.{given[0]}")
    make = EnvoyCluster if given == ["eds_file"] else EnvoyRoutes
    return make(settings["pool"], admin, file, settings["timeout"], Clock())
