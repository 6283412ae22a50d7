# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Moments as servers of feature flags write them, in seconds since the epoch."""

from __future__ import annotations

import datetime
import re
import typing as t


def of_text(text: t.Any) -> float | None:
    """One such as 2026-03-01T10:00:00.000Z; None for anything else."""
    match = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?Z", str(text))
    if not match:
        return None
    try:
        found = datetime.datetime.strptime(match.group(1), "%Y-%m-%dT%H:%M:%S")
    except ValueError:
        return None
    return found.replace(tzinfo=datetime.timezone.utc).timestamp()


def of_milliseconds(given: t.Any) -> float | None:
    """One such as 1772359200000; None for anything else."""
    if not isinstance(given, (int, float)) or isinstance(given, bool) or not 0 < given < 10**14:
        return None
    return given / 1000
