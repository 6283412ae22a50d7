# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What a smoke test asks of every target, one step a request."""

from __future__ import annotations

import dataclasses
import typing as t
from urllib.parse import urlsplit

from ansible_collections.steady.rollout.plugins.module_utils.http import queries

BODY, HEADER, COOKIE, REGEX = "body", "headers", "cookies", "regex"


@dataclasses.dataclass(frozen=True)
class Keep:
    """A value to keep under *name*.

    What *query* or *pattern* finds in the body, or the header or cookie called *key*.
    """

    name: str
    place: str
    source: str
    query: queries.Query | None = None
    key: str = ""
    pattern: t.Pattern[str] | None = None


@dataclasses.dataclass(frozen=True)
class Step:
    """One request and what counts as a good answer. Texts may hold places for kept values; times are seconds."""

    name: str
    method: str
    url: str
    timeout: float
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    body: t.Any = None
    body_format: str = "raw"
    status: tuple[int, ...] = (200,)
    expect: str | None = None
    contains: str | None = None
    expect_headers: dict[str, str] = dataclasses.field(default_factory=dict)
    latency: float | None = None
    tries: int = 1
    pause: float = 1.0
    keep: tuple[Keep, ...] = ()
    follow_redirects: bool = False
    secret: bool = False

    @property
    def is_confidential(self) -> bool:
        """Whether the answer may hold what must not be shown: a value to keep may be in it under another name."""
        return self.secret or any(keep.source in (BODY, REGEX) for keep in self.keep)


@dataclasses.dataclass(frozen=True)
class Target:
    """Where the steps go: *url* is what comes before their paths, empty where they name whole addresses themselves."""

    name: str = ""
    url: str = ""

    @property
    def origin(self) -> str:
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"


@dataclasses.dataclass(frozen=True)
class Plan:
    """Everything that a call asks for, checked."""

    steps: tuple[Step, ...]
    targets: tuple[Target, ...]
    stop_on_failure: bool = True
    validate_certs: bool = True
    ca_path: str | None = None
