# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Envoy's administration interface: questions over HTTP, on TCP or a unix socket. Nothing is changed through it."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import socket
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import documents
from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import Unreachable
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.http import exchange as client
from ansible_collections.steady.rollout.plugins.module_utils.http.exchange import Address

LARGEST_ANSWER = 32 * 1024 * 1024
"""Bytes; three thousand members come to a few MB."""
Statistics = t.Dict[str, t.Any]


class Admin(t.Protocol):
    """Something that answers questions to Envoy's administration interface."""

    where: str

    def ask(self, paths: t.Sequence[str]) -> list[t.Any]:
        """The JSON answer to each path; None where this Envoy has nothing under it."""


def parse_address(text: str) -> Address:
    """Reads '/path', 'host:port', '[::1]:port' and 'http://host:port'; raises InputError."""
    address = client.address_of(text)
    if address is None:
        raise InputError(
            f"balancer.admin: '{text}' is neither 'host:port' nor the absolute path of a unix socket; "
            "for example 127.0.0.1:9901, as in the 'admin' section of Envoy's configuration."
        )
    return address


class HttpAdmin:
    """The interface behind an address; *timeout* in seconds bounds each call as a whole.

    Each call has a connection of its own: one that is kept would go on asking the process that a hot restart
    left behind.
    """

    def __init__(self, address: Address, where: str, timeout: float) -> None:
        self.where = where
        self._address = address
        self._url = f"http://{address.shown_host}"
        self._timeout = timeout

    def ask(self, paths: t.Sequence[str]) -> list[t.Any]:
        with contextlib.closing(client.Connection(self._url, None, self._address)) as connection:
            deadline = client.Deadline(self._timeout)
            return [self._answer(connection, path, deadline) for path in paths]

    def _answer(self, connection: client.Connection, path: str, deadline: client.Deadline) -> t.Any:
        request = client.Request("GET", self._url + path, {}, None, None, largest=LARGEST_ANSWER)
        try:
            if not connection.is_usable:
                connection.open(deadline)
            reply = connection.ask(request, deadline)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Unreachable(f"{self.where}: {self._explain(error)}") from error
        body = reply.body
        if len(body) >= LARGEST_ANSWER:
            raise RolloutError(f"{self.where}: the answer to GET {_route(path)} is longer than {LARGEST_ANSWER} bytes.")
        if reply.status in (400, 404):
            return None
        if reply.status != 200:
            first = body.decode("utf-8", "replace").strip().split("\n")[0][:120]
            raise RolloutError(
                f"{self.where}: GET {_route(path)} was answered with status {reply.status} ('{first}'). Is this Envoy's "
                "administration interface, and does its 'allow_paths', if any, let this path through?"
            )
        return self._parsed(path, body)

    def _parsed(self, path: str, body: bytes) -> t.Any:
        try:
            return documents.parsed(body.decode("utf-8"))
        except ValueError:
            raise RolloutError(
                f"{self.where}: the answer to GET {_route(path)} is not JSON ({body[:60]!r}). "
                "Is this Envoy's administration interface?"
            ) from None

    def _explain(self, error: Exception) -> str:
        if isinstance(error, socket.timeout):
            return f"Envoy did not answer within {self._timeout:g} s. Is the process alive and the host reachable?"
        if isinstance(error, FileNotFoundError):
            return "no such socket. Is Envoy running, and is this the address in its 'admin' section?"
        if isinstance(error, PermissionError):
            return f"uid {os.geteuid()} may not open the socket. Use become, or the 'mode' of its pipe."
        if isinstance(error, ConnectionRefusedError):
            return "connection refused: nothing listens there. Is Envoy running, with an 'admin' section?"
        return f"cannot talk to Envoy: {getattr(error, 'strerror', None) or error!r}."


def server_version(admin: Admin) -> str:
    """Envoy's version, such as 1.40.0."""
    (info,) = admin.ask(["/server_info"])
    parts = (info or {}).get("version", "").split("/")
    return parts[1] if len(parts) > 1 else ""


def statistics(answer: t.Any) -> Statistics:
    """Name and value of every counter, gauge and text in an answer to /stats?format=json."""
    return {one["name"]: one.get("value", 0) for one in (answer or {}).get("stats", ()) if "name" in one}


def stats_name(name: str) -> str:
    """How a cluster's or route configuration's name reads within the names of its statistics."""
    return re.sub(r":/?/?", "_", name)


def _route(path: str) -> str:
    return path.split("?")[0]
