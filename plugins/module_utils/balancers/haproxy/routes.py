# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""HAProxy's routes for testers and its maintenance page: entries of maps that haproxy.cfg looks up at each request.

x-canary=green          a header, as key of a route; the value is a backend or a server
cookie:canary=green     a cookie
shop                    a pool, as key of a page; the value is retry:type:body, the last two in base64
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import re
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.balancers import routing
from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import quoted
from ansible_collections.steady.rollout.plugins.module_utils.balancers.haproxy.map import HAProxyMap
from ansible_collections.steady.rollout.plugins.module_utils.balancers.routing import (
    Page,
    Pages,
    Routes,
    Seen,
    Selector,
    Shown,
)
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError

# What fits into one buffer of HAProxy (16 kB) in base64, and as an answer with its head.
LONGEST_BODY = 8000
NOTE_ONE_LINE = (
    "HAProxy would show line breaks as %0A: each run of them is replaced by a space. Use <br> for a visible line break."
)


class HAProxyRoutes(Routes):
    """Testers' routes; *places* are the names that may be the target."""

    def __init__(
        self, where: str, table: HAProxyMap, places: t.Callable[[], list[str]], require_admin: t.Callable[[], None]
    ) -> None:
        self._where = where
        self._table = table
        self._places = places
        self._require_admin = require_admin

    def read(self, testers: Selector) -> Seen:
        entry = self._table.read(_key(testers))
        return Seen(entry.in_force or "", entry.in_force == entry.in_file)

    def resolve(self, target: str) -> str:
        places = self._places()
        if target not in places:
            raise InputError(
                f"{self._where}: there is neither a backend '{target}' nor such a server in the pool; there are "
                f"{quoted(places)}."
            )
        return target

    def require_admin(self) -> None:
        self._require_admin()
        self._table.require_writable()

    def send(self, testers: Selector, target: str) -> None:
        self._table.put(_key(testers), target or None)


class HAProxyPages(Pages):
    """The maintenance page of a pool."""

    longest = LONGEST_BODY

    def __init__(self, pool: str, table: HAProxyMap, require_admin: t.Callable[[], None]) -> None:
        self._pool = pool
        self._table = table
        self._require_admin = require_admin

    def read(self) -> Shown:
        entry = self._table.read(self._pool)
        return Shown(_decoded(entry.in_force), entry.in_force == entry.in_file)

    def require_admin(self) -> None:
        self._require_admin()
        self._table.require_writable()

    def show(self, page: Page | None) -> None:
        self._table.put(self._pool, _encoded(page) if page else None)

    def fitted(self, page: Page) -> Page:
        """Whatever HAProxy formats has no control characters left."""
        line = re.sub(r"[\x00-\x20\x7f]*[\x00-\x1f\x7f][\x00-\x20\x7f]*", " ", page.body.strip())
        if line != page.body.strip():
            self.notes = (NOTE_ONE_LINE,)
        return super().fitted(dataclasses.replace(page, body=line))


def _key(testers: Selector) -> str:
    prefix = "cookie:" if testers.kind == routing.COOKIE else ""
    return f"{prefix}{testers.name}={testers.value}"


def _encoded(page: Page) -> str:
    parts = (base64.b64encode(text.encode()).decode() for text in (page.content_type, page.body))
    return ":".join([str(page.retry_after), *parts])


def _decoded(text: str | None) -> Page | None:
    """Something else than a page of ours is shown all the same: it is a page that nobody asked for."""
    if text is None:
        return None
    retry_after, *parts = text.split(":")
    try:
        content_type, body = (base64.b64decode(part, validate=True).decode() for part in parts)
        return Page(body, content_type, int(retry_after))
    except (ValueError, binascii.Error):
        return Page(text, "", None)
