# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What is compared, how it is asked, and what came back. Times are seconds."""

from __future__ import annotations

import dataclasses
import ssl

BASELINE, CANDIDATE = "baseline", "candidate"


@dataclasses.dataclass(frozen=True)
class Recipe:
    """One kind of request; *body* as it is sent."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes | None = None
    status: tuple[int, ...] = (200,)


@dataclasses.dataclass(frozen=True)
class Group:
    """Hosts that do the same work: *urls* are their base URLs, asked in turn. *role* is BASELINE or CANDIDATE."""

    role: str
    name: str
    urls: tuple[str, ...]
    headers: dict[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Load:
    """How much: *rate* requests a second to each group for *seconds*, after *warm_up* seconds that do not count.

    That is one analysis; while its verdict is inconclusive another follows, up to *analyses* in all.
    """

    rate: float
    seconds: float
    warm_up: float
    connections: int
    timeout: float
    analyses: int = 1
    tls: ssl.SSLContext | None = None

    @property
    def measured(self) -> int:
        """Requests to each group that count, in one analysis."""
        return int(self.rate * self.seconds)

    @property
    def total(self) -> int:
        """Requests to each group in the first analysis."""
        return int(self.rate * self.warm_up) + self.measured


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What one request came to: a *problem* in words where it failed."""

    role: str
    counts: bool
    seconds: float
    problem: str | None = None


@dataclasses.dataclass(frozen=True)
class Policy:
    """What the candidate may be. Shares and quantiles are fractions of 1, times seconds.

    *slowdown*: how much longer than the baseline's its *quantile* may be; *negligible*: differences that never
    matter; *latency*: an absolute limit of its quantile; *failures*: how much bigger than the baseline's its share of
    failed requests may be; *confidence*: of each bound that a verdict rests on, at each analysis.
    """

    quantile: float = 0.95
    slowdown: float = 0.2
    negligible: float = 0.002
    latency: float | None = None
    failures: float = 0.01
    minimum: int = 100
    confidence: float = 0.95
