# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""One member of a replicated service."""

from __future__ import annotations

import typing as t

PRIMARY, REPLICA = "primary", "replica"
KIND = "replica"
"""The kind of a failure to read a member."""


class Member(t.NamedTuple):
    """What it says of itself. *position* grows with every write, and is the same on a replica that has all of them."""

    role: str
    follows: bool
    """Whether a replica receives what the primary writes."""
    position: int
    cluster: str = ""
    """Members of one cluster say the same."""
    usable_sentinels: int | None = None
    """How many of those that decide on a failover are reachable from here; None where there are none."""
    needed_sentinels: int | None = None
    voters: int | None = None
    """How many members of the cluster vote; None if its service has no votes."""
    votes: bool = True
    objection: str = ""
    """Why the service itself reports that this member must stay in service."""

    @property
    def said(self) -> str:
        if self.voters is not None:
            return f"{'leader' if self.role == PRIMARY else 'member'} of a cluster of {self.voters}"
        if self.role == PRIMARY:
            return "primary"
        return "replica that follows the primary" if self.follows else "replica that does not follow the primary"
