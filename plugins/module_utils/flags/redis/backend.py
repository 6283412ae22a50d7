# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""type=redis: a few keys for each flag, changed together and only where nobody else has changed them."""

from __future__ import annotations

import contextlib
import json
import os
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import documents
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.flags import contract
from ansible_collections.steady.rollout.plugins.module_utils.flags.contract import Conflict, Flag, FlagSystem, Wanted
from ansible_collections.steady.rollout.plugins.module_utils.flags.redis.protocol import Connection
from ansible_collections.steady.rollout.plugins.module_utils.http import tls
from ansible_collections.steady.rollout.plugins.module_utils.http.exchange import address_of

ENVIRONMENT = "STEADY_ROLLOUT_FLAG_PASSWORD"
PARTS = (
    "feature:{}",
    "rollout_percentage:{}",
    "kill_switch:{}",
    "kill_switch:{}:reason",
    "kill_switch:{}:killed_at",
    "feature:{}:about",
)
NOT_KILLED = (None, "", "0", "false")
COMPARE_AND_SET = """
for i, key in ipairs(KEYS) do
  local now = redis.call('GET', key)
  if ARGV[4 * i - 3] == '0' then
    if now then return 0 end
  elseif now ~= ARGV[4 * i - 2] then
    return 0
  end
end
for i, key in ipairs(KEYS) do
  if ARGV[4 * i - 1] == '0' then redis.call('DEL', key) else redis.call('SET', key, ARGV[4 * i]) end
end
return 1
"""
MOST_FLAGS = 10_000

Values = t.List[t.Optional[str]]


class Redis(FlagSystem):
    """*connect* opens a connection that is logged in."""

    capabilities = frozenset({contract.CAN_PERCENT, contract.CAN_GIVE_REASON, contract.CAN_COMPARE, contract.CAN_AUDIT})
    lacks: t.ClassVar[t.Mapping[str, str]] = {
        contract.CAN_SEGMENTS: "the keys hold a share of the users, not segments",
        contract.CAN_RULES: "the keys hold nothing but the flag",
        contract.CAN_LISTENERS: "Redis does not record which processes read a key; set instances",
    }

    def __init__(self, where: str, connect: t.Callable[[], t.ContextManager[Connection]], prefix: str) -> None:
        super().__init__(where)
        self._connect = connect
        self._prefix = prefix

    def read(self, name: str) -> Flag:
        with self._connect() as connection:
            found = connection.ask("MGET", *self._keys(name))
        if not isinstance(found, list) or len(found) != len(PARTS):
            raise RolloutError(f"{self.where}: gave an unexpected reply to a read of '{name}'; is it Redis?")
        return flag_of(self.where, name, [one if one is None else str(one) for one in found])

    def names(self) -> list[str]:
        found: set[str] = set()
        with self._connect() as connection:
            for begin in ("feature:", "kill_switch:"):
                found.update(self._scanned(connection, f"{self._prefix}{begin}"))
        return sorted(found)

    def apply(self, flag: Flag, wanted: Wanted) -> None:
        before: Values = json.loads(flag.revision)
        words: list[str] = []
        for old, new in zip(before, values_of(before, wanted)):
            words += ["0" if old is None else "1", old or "", "0" if new is None else "1", new or ""]
        keys = self._keys(flag.name)
        with self._connect() as connection:
            done = connection.ask("EVAL", COMPARE_AND_SET, str(len(keys)), *keys, *words)
        if done != 1:
            raise Conflict(
                f"{self.where}: somebody else has changed '{flag.name}' since it was read; nothing was changed."
            )

    def _keys(self, name: str) -> list[str]:
        return [self._prefix + part.format(name) for part in PARTS]

    def _scanned(self, connection: Connection, begin: str) -> t.Iterator[str]:
        cursor, seen = "0", 0
        while True:
            answer = connection.ask("SCAN", cursor, "MATCH", f"{_literal(begin)}*", "COUNT", "1000")
            if not (isinstance(answer, list) and len(answer) == 2 and isinstance(answer[1], list)):
                raise RolloutError(f"{self.where}: gave an unexpected reply to SCAN; is it Redis?")
            names = [str(key)[len(begin) :] for key in answer[1]]
            yield from (name for name in names if name and ":" not in name)
            seen += len(names)
            cursor = str(answer[0])
            if cursor == "0":
                return
            if seen > MOST_FLAGS:
                raise RolloutError(
                    f"{self.where}: more than {MOST_FLAGS} keys begin with '{begin}'; name the flags to read."
                )


def flag_of(where: str, name: str, values: Values) -> Flag:
    """The flag that these values of PARTS make; raises RolloutError where they make none."""
    state, percent, kill, reason, killed_at, about = values
    killed = kill not in NOT_KILLED
    known = documents.parsed_or_none(about or "")
    known = known if isinstance(known, dict) else {}
    if state not in (None, "on", "off"):
        raise RolloutError(
            f"{where}: 'feature:{name}' is '{state:.60}', neither on nor off. Nothing was changed; correct the key."
        )
    return Flag(
        name,
        exists=state is not None or percent is not None or killed,
        on=state == "on" and not killed,
        percent=_percent(where, name, percent, state),
        killed=killed,
        reason=(reason or "") if killed else "",
        killed_at=_number(killed_at) if killed else None,
        kind=str(known.get("kind") or ""),
        description=str(known.get("description") or ""),
        created=_number(known.get("created")),
        changed=_number(known.get("changed")),
        stale=known.get("stale") is True,
        revision=json.dumps(values),
    )


def values_of(before: Values, wanted: Wanted) -> Values:
    """What the keys are to hold."""
    if wanted.state == contract.ABSENT:
        return [None] * len(PARTS)
    known = documents.parsed_or_none(before[-1] or "")
    first = {"kind": wanted.kind, "description": wanted.description, "created": wanted.at}
    about = json.dumps({**(known if isinstance(known, dict) else first), "changed": wanted.at}, sort_keys=True)
    if wanted.state == contract.ON:
        return ["on", str(wanted.percent), None, None, None, about]
    if wanted.state == contract.KILLED:
        return ["off", before[1], "1", wanted.reason, f"{wanted.at:.3f}", about]
    return ["off", before[1], None, None, None, about]


def _percent(where: str, name: str, text: str | None, state: str | None) -> int:
    if text is None:
        return 100 if state == "on" else 0
    if not (text.isascii() and text.isdigit() and int(text) <= 100):
        raise RolloutError(
            f"{where}: 'rollout_percentage:{name}' is '{text:.60}', not a whole number from 0 to 100. Nothing was changed; "
            "correct the key."
        )
    return int(text)


def _number(value: t.Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _literal(text: str) -> str:
    """For a pattern of SCAN."""
    return "".join(f"\\{letter}" if letter in "*?[]\\" else letter for letter in text)


def open_redis(settings: dict[str, t.Any]) -> Redis:
    """Raises InputError where the settings cannot be right."""
    address = address_of(settings["address"])
    if address is None:
        raise InputError(f"system.address: '{settings['address']:.120}' is neither host:port nor the path of a socket.")
    where = f"redis at {address.path or address.shown_host}"
    password = settings.get("password") or os.environ.get(ENVIRONMENT) or ""
    user, database = settings.get("user") or "", settings.get("database") or 0
    try:
        context = (
            tls.context(settings.get("validate_certs", True), settings.get("ca_path")) if settings.get("tls") else None
        )
    except OSError as error:
        raise InputError(f"system.ca_path: cannot be used ({error.strerror or error}).") from None

    @contextlib.contextmanager
    def connect() -> t.Iterator[Connection]:
        with Connection(where, address, context, settings["timeout"]) as connection:
            if password:
                connection.ask("AUTH", *([user] if user else []), password)
            if database:
                connection.ask("SELECT", str(database))
            yield connection

    return Redis(where, connect, settings.get("prefix") or "")
