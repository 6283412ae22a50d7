# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Testers' requests that go to a target of their own, and the maintenance page: what a type of load balancer offers for them."""

from __future__ import annotations

import abc
import dataclasses
import re
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError

HEADER, COOKIE = "header", "cookie"
# What every make takes without quoting: neither spaces nor anything that means something in a pattern of AWS.
VALUE = re.compile(r"^[A-Za-z0-9._~:@/+=-]{1,64}\Z")
NAMES = {HEADER: re.compile(r"^[A-Za-z0-9-]{1,40}\Z"), COOKIE: re.compile(r"^[A-Za-z0-9_-]{1,40}\Z")}
NOT_BY_THESE = ("cookie", "host", "connection")


@dataclasses.dataclass(frozen=True)
class Selector:
    """Requests with a header or a cookie of this name and exactly this value."""

    kind: str
    name: str
    """A header's in small letters: case means nothing there."""
    value: str

    @classmethod
    def given(cls, header: str | None, cookie: str | None, value: str) -> Selector:
        """Raises InputError."""
        kind, name = (HEADER, header.lower()) if header else (COOKIE, cookie or "")
        if not NAMES[kind].match(name):
            raise InputError(f"{kind}: '{name}' cannot be its name; up to 40 letters, digits and - can.")
        if kind == HEADER and name in NOT_BY_THESE:
            raise InputError(f"header: '{name}' has a meaning of its own. Choose another one, or a cookie.")
        if not VALUE.match(value):
            raise InputError(f"value: '{value}' cannot be sent everywhere; up to 64 letters, digits and ._~:@/+=- can.")
        return cls(kind, name, value)

    def __str__(self) -> str:
        return f"{self.kind} {self.name}={self.value}"

    @property
    def cookie_pattern(self) -> str:
        """A regular expression that finds the cookie in a header 'Cookie' with others."""
        return rf"^(.*; *)?{self.name}={_escaped(self.value)}(;.*)?$"


def _escaped(text: str) -> str:
    """For regular expressions of every make: re.escape would escape characters that some do not know escaped."""
    return re.sub(r"([.+])", r"\\\1", text)


class RoutingFiles(t.NamedTuple):
    """Where routes and pages are kept; None where that is not set."""

    route: str | None = None
    page: str | None = None

    @classmethod
    def given(cls, settings: t.Mapping[str, t.Any]) -> RoutingFiles:
        return cls(settings.get("route_file"), settings.get("page_file"))


NO_ROUTING_FILES = RoutingFiles()


class Seen(t.NamedTuple):
    """Where testers' requests go now."""

    target: str
    """Empty where they go by the weights, as everybody's do."""
    kept: bool = True
    """It stays so after a reload or restart."""


class Routes(abc.ABC):
    """The routes of one pool on one node. Every method raises what those of Balancer raise."""

    notes: tuple[str, ...] = ()

    @abc.abstractmethod
    def read(self, testers: Selector) -> Seen:
        """What is in force."""

    @abc.abstractmethod
    def resolve(self, target: str) -> str:
        """The target by the name that reading gives; raises InputError unless the load balancer has it."""

    @abc.abstractmethod
    def require_admin(self) -> None:
        """Raises RolloutError unless routes may be changed; changes nothing."""

    @abc.abstractmethod
    def send(self, testers: Selector, target: str) -> None:
        """Makes their requests go there; an empty target ends it. Accepted is not reached: read it back."""


@dataclasses.dataclass(frozen=True)
class Page:
    """A maintenance page: what clients get with status 503."""

    body: str
    content_type: str
    retry_after: int | None
    """Seconds; None where Retry-After cannot be sent."""


class Shown(t.NamedTuple):
    """What clients get now."""

    page: Page | None
    """None where there is no maintenance page."""
    kept: bool = True
    """It stays so after a reload or restart."""


class Pages(abc.ABC):
    """The maintenance page of one pool on one node. Every method raises what those of Balancer raise."""

    notes: tuple[str, ...] = ()

    @property
    @abc.abstractmethod
    def longest(self) -> int:
        """Bytes that a body may have."""

    @abc.abstractmethod
    def read(self) -> Shown:
        """What is in force."""

    @abc.abstractmethod
    def require_admin(self) -> None:
        """Raises RolloutError unless it may be changed; changes nothing."""

    @abc.abstractmethod
    def show(self, page: Page | None) -> None:
        """Shows the page, or takes it away. Accepted is not reached: read it back."""

    def fitted(self, page: Page) -> Page:
        """The page as this make can show it; raises InputError where it cannot."""
        size = len(page.body.encode())
        if size > self.longest:
            raise InputError(
                f"body: the page has {size} bytes; this load balancer can show {self.longest}. Make it shorter, or let "
                "it load the rest from elsewhere."
            )
        return page
