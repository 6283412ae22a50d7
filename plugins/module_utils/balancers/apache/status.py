# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Apache's server-status page: how long what every process is doing has been going on.

The balancer-manager counts requests in flight in a number that can stay above 0 for ever: it is lowered without a
lock, and not at all for requests that a graceful restart left to the old processes. Without BalancerPersist those are
not counted in the first place. The status page shows since when every request runs, though not to which member.
"""

from __future__ import annotations

import html
import re
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.balancers.apache.manager import Site, fetch
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError

# Modes of a thread without a request that may have been sent on: waiting for a connection, no process, keeping an idle
# connection, starting, ending, reading a request's head.
IDLE_MODES = "_.KSIR"
LEAVING = "G"


class Activity(t.NamedTuple):
    """What one thread is doing."""

    mode: str
    """A letter such as W (answering) or G (anything in a process that a graceful restart left behind)."""
    seconds: int
    """Whole seconds since it began."""
    protocol: str
    request: str

    @property
    def leaving(self) -> bool:
        return self.mode == LEAVING

    def before(self, seconds: float) -> bool:
        """Whether it may have begun more than so many seconds ago.

        An HTTP/2 connection carries many requests and shows the time of the last change of any.
        """
        return self.protocol.lower().startswith("h2") or self.seconds >= int(seconds)


class StatusPage:
    """The page at a URL, in its form for people: the other has no times."""

    def __init__(self, site: Site, where: str) -> None:
        self._site = site
        self._where = where

    def activities(self) -> list[Activity]:
        """Everything that is being done, but for the answer to this very question."""
        answer = fetch(self._site, self._where)
        found = read_activities(answer.text) if answer.status == 200 else None
        if found is None:
            raise RolloutError(
                f"{self._where}: {self._site.url} was answered with status {answer.status} and is not a server-status page "
                "that lists requests. It needs 'SetHandler server-status', 'ExtendedStatus On', and access for this host."
            )
        own = f"GET {self._path} "
        return [one for one in found if not (one.request.startswith(own) and one.mode == "W" and one.seconds == 0)]

    @property
    def _path(self) -> str:
        return "/" + self._site.url.split("://", 1)[1].partition("/")[2]


def read_activities(text: str) -> list[Activity] | None:
    """Threads that are not idle; None where the page has no table of them."""
    for table in re.findall(r"<table.*?</table>", text, re.DOTALL):
        rows = [_cells(row) for row in re.split(r"<tr[^>]*>", table)[1:]]
        if rows and {"M", "SS", "Request"} <= set(rows[0]):
            found = (dict(zip(rows[0], row)) for row in rows[1:] if len(row) == len(rows[0]))
            return [_activity(row) for row in found if row["M"] not in IDLE_MODES]
    return None


def _activity(row: t.Mapping[str, str]) -> Activity:
    return Activity(row["M"], int(row["SS"]), row.get("Protocol", ""), row["Request"])


def _cells(row: str) -> list[str]:
    cells = re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row, re.DOTALL)
    return [html.unescape(re.sub(r"<[^>]*>", "", cell)).strip() for cell in cells]
