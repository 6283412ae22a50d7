# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The history keeps what a run tried after another one had taken its place."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.ledger.storage.records import Records

KIND = "refused_stale_run"
MOST = 200
"""Of one run: each kind of attempt on each host is recorded once, and a script that never gives up fills no disk."""
LONGEST = 300


def record(records: Records, params: dict[str, t.Any], now: float, operation: str) -> None:
    """Adds an event for a refused attempt; nothing for a run whose token is the newest, such as one that has ended."""
    service, run, token = params.get("service") or "", params.get("run"), params.get("token")
    lease = records.lease(service)
    if lease is None or token is None or token >= lease.token:
        return
    rollout = records.rollout_that_had(service, run)
    if rollout is None:
        return
    data = {
        "operation": operation,
        "token": token,
        "newest_token": lease.token,
        **{name: str(params[name])[:LONGEST] for name in ("step", "kind", "error") if params.get(name)},
    }
    records.add_event_once(now, service, KIND, rollout, run, params.get("host"), data, MOST)
