# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""A Redis server and the Sentinel beside it."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.call import Call
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.flags.redis.protocol import Connection, Refused, Reply
from ansible_collections.steady.rollout.plugins.module_utils.http.exchange import Address
from ansible_collections.steady.rollout.plugins.module_utils.replicas.model import KIND, PRIMARY, REPLICA, Member

ROLES = {"master": PRIMARY, "slave": REPLICA}
USABLE = re.compile(r"OK (\d{1,6}) usable Sentinels")
NO_QUORUM = "NOQUORUM"
FIGURE = re.compile(r"\d{1,18}")


def read(call: Call, timeout: float) -> Member:
    given = call.params
    try:
        server = _asked(given, "", given["port"], timeout, [["INFO", "replication"]])[0]
        master, quorum = _sentinel(given, timeout)
    except RolloutError as error:
        raise RolloutError(error.message, kind=KIND) from error
    return member_of(server, master, quorum)


def _sentinel(given: t.Mapping[str, t.Any], timeout: float) -> tuple[Reply, Reply]:
    name = given["master"]
    master, quorum = _asked(
        given,
        "sentinel_",
        given["sentinel_port"],
        timeout,
        [["SENTINEL", "MASTER", name], ["SENTINEL", "CKQUORUM", name]],
    )
    return master, quorum


def _asked(
    given: t.Mapping[str, t.Any], option: str, port: int, timeout: float, commands: t.Sequence[t.Sequence[str]]
) -> list[Reply]:
    """The answers; one that is a refusal with NOQUORUM is an answer too."""
    address = Address(host=given["address"], port=port)
    user, password = given.get(f"{option}user"), given.get(f"{option}password")
    with Connection(address.shown_host, address, None, timeout, option) as server:
        if password:
            server.ask("AUTH", *([user] if user else []), password)
        return [_answered(server, command) for command in commands]


def _answered(server: Connection, command: t.Sequence[str]) -> Reply:
    try:
        return server.ask(*command)
    except Refused as refused:
        if NO_QUORUM not in refused.message:
            raise
        return refused.message


def member_of(server: Reply, master: Reply, quorum: Reply) -> Member:
    """Raises RolloutError where an answer is not understood."""
    info = dict(line.split(":", 1) for line in str(server).split("\r\n") if ":" in line)
    role = ROLES.get(info.get("role", ""))
    if role is None:
        raise _not_understood("Redis", info.get("role", server))
    follows = info.get("master_link_status") == "up" and info.get("master_sync_in_progress", "0") == "0"
    position = info.get("master_repl_offset" if role == PRIMARY else "slave_repl_offset", "")
    if not FIGURE.fullmatch(position):
        raise _not_understood("Redis", f"an offset of {position}")
    known, address = _known(master)
    return Member(role, role == REPLICA and follows, int(position), address, _usable(quorum), known)


def _known(master: Reply) -> tuple[int, str]:
    """How many sentinels a failover needs: those of the quorum, and more than half of all to elect one of them."""
    words = [str(word) for word in master] if isinstance(master, list) else []
    fields = dict(zip(words[::2], words[1::2]))
    others, quorum = fields.get("num-other-sentinels", ""), fields.get("quorum", "")
    if not FIGURE.fullmatch(others) or not FIGURE.fullmatch(quorum) or not fields.get("ip"):
        raise _not_understood("Sentinel", master)
    return max(int(quorum), (int(others) + 1) // 2 + 1), f"{fields['ip']}:{fields.get('port')}"


def _usable(quorum: Reply) -> int:
    found = USABLE.match(str(quorum))
    if found:
        return int(found.group(1))
    if NO_QUORUM in str(quorum):
        return 0
    raise _not_understood("Sentinel", quorum)


def _not_understood(who: str, said: t.Any) -> RolloutError:
    return RolloutError(f"{who} gave an unexpected answer: {said!r:.80}.", kind=KIND)
