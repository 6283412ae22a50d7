# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients of a name in Route 53: what a resolver and those behind it would do, as an HTTP proxy on loopback.

It is a fake: it looks at the records of support.aws at each request, as if no answer were ever cached, and takes them
in exact turn by their weights. A record's value is looked up in *addresses*.
"""

from __future__ import annotations

import typing as t

from support.aws import FakeAws
from support.http_proxy import Address, Proxy, Request, Turns, plain


class Resolver(Proxy):
    """The weighted records of *name* in *zone* (an id)."""

    def __init__(self, aws: FakeAws, zone: str, name: str, addresses: t.Mapping[str, Address]) -> None:
        super().__init__()
        self._aws = aws
        self._zone = zone
        self._name = name
        self._addresses = addresses
        self._turns = Turns()

    async def answer(self, request: Request) -> bytes:
        with self._aws.lock:
            weights = self._aws.route53.weights(self._zone, self._name)
        if not weights:
            return plain(502, "no such name")
        if not any(weights.values()):
            weights = dict.fromkeys(weights, 1)
        return await self.forward(request, self._addresses[self._turns.next(weights)])
