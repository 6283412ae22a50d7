# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Reads the tables of one backend: all of it, or of a few servers what costs little in a large one.

'show servers state' always lists the whole backend and is cheap: 1 ms of HAProxy's at 1,000 servers. 'show stat' costs 7 ms
there, or next to nothing for one server by its number.
"""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import quoted
from ansible_collections.steady.rollout.plugins.module_utils.balancers.haproxy import state as haproxy_state
from ansible_collections.steady.rollout.plugins.module_utils.balancers.haproxy.protocol import (
    LEVEL_HINT,
    Cli,
    first_line,
)
from ansible_collections.steady.rollout.plugins.module_utils.balancers.haproxy.state import Row
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError


class Tables:
    """The tables of the backend *pool*. Its number and its servers' are kept, and checked at each read."""

    def __init__(self, cli: Cli, pool: str) -> None:
        self._cli = cli
        self._pool = pool
        self._pool_id = ""
        self._numbers: dict[str, tuple[str, str]] = {}
        """Of the pool and of the server in it, by the server's name."""

    def whole(self, columns: t.Container[str] = ()) -> tuple[list[Row], list[Row]]:
        """Reads the pool by its number where a frontend bears the same name; a reload may renumber it."""
        for _dummy in range(3):
            commands = [f"show servers state {self._pool}", f"show stat {self._pool_id or self._pool} 6 -1"]
            replies = self._cli.ask(commands)
            state = self._pool_state(replies[0])
            if not state:
                return [], []
            pool_id = state[0]["be_id"]
            is_known, self._pool_id = pool_id == self._pool_id, pool_id
            stat = self._table(commands[1], replies[1], lambda text: haproxy_state.stat_rows(text, columns), is_known)
            if is_known or haproxy_state.has_backend(stat, pool_id):
                self._numbers = _numbers(state)
                return state, stat
        raise self._renumbered()

    def only(self, members: t.Sequence[str]) -> tuple[list[Row], dict[str, Row]]:
        """State and row of each, in one connection: of one process even while it is being reloaded.

        The rows are none where the pool has not all of them.
        """
        for _dummy in range(3):
            known = {name: self._numbers.get(name) for name in members}
            rows_asked = self._commands_for(members)
            state_reply, *replies = self._cli.ask([f"show servers state {self._pool}", *rows_asked])
            state = self._pool_state(state_reply, members)
            found = _numbers(state)
            if len(found) < len(members):
                return state, {}
            if found == known:
                return state, _rows_in(replies)
            self._numbers.update(found)
        raise self._renumbered()

    def rows(self, members: t.Sequence[str]) -> dict[str, Row]:
        """What 'show stat' says of each; nothing where a reload has renumbered the pool."""
        return _rows_in(self._cli.ask(self._commands_for(members)))

    def pools(self) -> list[str]:
        (reply,) = self._cli.ask(["show backend"])
        return [line for line in reply.splitlines() if line and not line.startswith("#")]

    def _commands_for(self, members: t.Sequence[str]) -> list[str]:
        known = [self._numbers[name] for name in members if name in self._numbers]
        return [f"show stat {pool} 4 {server}" for pool, server in known]

    def _renumbered(self) -> RolloutError:
        return RolloutError(
            f"{self._cli.where}: pool '{self._pool}' changes its number at every read. Is it being reloaded?"
        )

    def _pool_state(self, reply: str, only: t.Collection[str] = ()) -> list[Row]:
        if reply.lower().startswith("can't find backend"):
            raise InputError(
                f"{self._cli.where}: no pool '{self._pool}'; its pools are {quoted(self.pools()) or 'none'}."
            )
        return self._table(f"show servers state {self._pool}", reply, lambda text: haproxy_state.state_rows(text, only))

    def _table(
        self, command: str, reply: str, parse: t.Callable[[str], list[Row]], is_needed: bool = True
    ) -> list[Row]:
        try:
            return parse(reply)
        except haproxy_state.BadReply:
            if not is_needed:
                return []
            hint = f": {LEVEL_HINT}." if "permission denied" in reply.lower() else "."
            raise RolloutError(
                f"{self._cli.where}: HAProxy answered '{first_line(reply)}' to '{command}'{hint}"
            ) from None


def _numbers(state: t.Iterable[Row]) -> dict[str, tuple[str, str]]:
    return {row["srv_name"]: (row["be_id"], row["srv_id"]) for row in state}


def _rows_in(replies: t.Iterable[str]) -> dict[str, Row]:
    """By name of the server; nothing where one of the replies is no table."""
    try:
        return {
            row["svname"]: row for reply in replies for row in haproxy_state.stat_rows(reply, haproxy_state.OF_MEMBERS)
        }
    except haproxy_state.BadReply:
        return {}
