# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests measured, for people: build/contract-traffic.json, {balancer: {series: figures}}."""

from __future__ import annotations

import fcntl
import json
import pathlib
import typing as t

RESULTS = pathlib.Path(__file__).resolve().parents[2] / "build" / "contract-traffic.json"


def record(backend: str, series: str, seen: t.Mapping[str, t.Any]) -> None:
    """Keeps what others, perhaps in other processes, have recorded."""
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.with_name(f".{RESULTS.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        known.setdefault(backend, {})[series] = dict(seen)
        RESULTS.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")
