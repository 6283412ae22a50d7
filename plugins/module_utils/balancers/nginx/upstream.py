# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The servers of an upstream in nginx's configuration: found, and changed without touching anything else in the text.

nginx has one way to take a server out of rotation, 'down'. Everything else about a server is in the comment behind it:

    server 10.0.0.11:8080 weight=5;                             in service, named 10.0.0.11:8080
    server 10.0.0.12:8080 down; # member=app2                   drained, named app2
    server 10.0.0.13:8080 down; # member=app3 state=maintenance
    server 10.0.0.14:8080 down; # weight=0                      in service, without traffic
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.balancers import contract
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError

TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+)
      | (?P<comment>\#[^\n]*)
      | (?P<mark>[;{}])
      | (?P<word>"(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*' | (?:\\.|\$\{[^}]*\}|[^\s;{}\\])+)
    """,
    re.VERBOSE | re.DOTALL,
)
TRAILING_COMMENT = re.compile(r"[ \t]*#(?P<text>[^\n]*)")
# What needs no quotes in a line.
PLAIN = re.compile(r"[A-Za-z0-9_.:=/\[\]-]+\Z")
DOWN, BACKUP, WEIGHT = "down", "backup", "weight="
MEMBER_MARK, STATE_MARK, NO_WEIGHT_MARK = "member=", "state=", "weight=0"


class NotUnderstood(ValueError):
    """The text is not nginx configuration, or has what this reader does not know, such as Lua code."""


@dataclasses.dataclass(frozen=True)
class Server:
    """One 'server' line of an upstream; *start* and *end* are its place in the text, its comment included."""

    address: str
    parameters: tuple[str, ...]
    comment: tuple[str, ...]
    """The words of the comment behind it."""
    start: int = 0
    end: int = 0

    @property
    def name(self) -> str:
        marks = [word[len(MEMBER_MARK) :] for word in self.comment if word.startswith(MEMBER_MARK)]
        return marks[0] if marks else self.address

    @property
    def down(self) -> bool:
        return DOWN in self.parameters

    @property
    def backup(self) -> bool:
        return BACKUP in self.parameters

    @property
    def admin(self) -> str:
        if not self.down:
            return contract.IN_SERVICE
        if STATE_MARK + contract.MAINTENANCE in self.comment:
            return contract.MAINTENANCE
        if self._has_no_weight and STATE_MARK + contract.DRAINED not in self.comment:
            return contract.IN_SERVICE
        return contract.DRAINED

    @property
    def weight(self) -> int:
        return 0 if self.down and self._has_no_weight else self.configured_weight

    @property
    def configured_weight(self) -> int:
        given = [word[len(WEIGHT) :] for word in self.parameters if word.startswith(WEIGHT)]
        return int(given[-1]) if given and given[-1].isdigit() else 1

    @property
    def _has_no_weight(self) -> bool:
        return NO_WEIGHT_MARK in self.comment

    def with_admin(self, state: str) -> Server:
        return self._with(state, self.weight)

    def with_weight(self, weight: int) -> Server:
        """0 takes its traffic and keeps the weight that it had in the text."""
        return self._with(self.admin, weight)

    def _with(self, admin: str, weight: int) -> Server:
        parameters = [word for word in self.parameters if word != DOWN]
        if weight and weight != self.configured_weight:
            parameters = _weighted(parameters, f"{WEIGHT}{weight}")
        if admin != contract.IN_SERVICE or not weight:
            parameters.append(DOWN)
        comment = [word for word in self.comment if not word.startswith(STATE_MARK) and word != NO_WEIGHT_MARK]
        if not weight:
            comment.append(NO_WEIGHT_MARK)
        # A plain 'down' means drained; it is only said where another mark would mean something else.
        if admin == contract.MAINTENANCE or (admin == contract.DRAINED and not weight):
            comment.append(STATE_MARK + admin)
        return dataclasses.replace(self, parameters=tuple(parameters), comment=tuple(comment))

    def __str__(self) -> str:
        line = " ".join(("server", self.address, *self.parameters)) + ";"
        return f"{line} # {' '.join(self.comment)}" if self.comment else line


def upstreams(text: str) -> dict[str, list[Server]]:
    """The servers of every upstream in the text, by the upstream's name; raises NotUnderstood."""
    found: dict[str, list[Server]] = {}
    blocks: list[list[str]] = []
    for statement in statements(text):
        if statement.mark == "{":
            blocks.append(statement.words)
            if statement.words[:1] == ["upstream"] and len(statement.words) == 2:
                found.setdefault(statement.words[1], [])
        elif statement.mark == "}":
            if not blocks:
                raise NotUnderstood("there is an unmatched '}'")
            blocks.pop()
        elif blocks and blocks[-1][:1] == ["upstream"] and statement.words[:1] == ["server"]:
            found[blocks[-1][1]].append(_server(text, statement))
    if blocks:
        raise NotUnderstood(f"'{' '.join(blocks[-1])}' is not closed")
    return found


def changed(text: str, pool: str, change: t.Callable[[Server], Server]) -> str:
    """The text with *change* made to every server of the pool; what does not change keeps its form."""
    for server in reversed(upstreams(text)[pool]):
        new = change(server)
        if new != server:
            text = text[: server.start] + str(new) + text[server.end :]
    return text


def new_server(new: contract.NewMember) -> Server:
    """The line of a new member; raises InputError if it cannot be right."""
    words = new.parameters.split()
    for option, word in (
        ("member", new.name),
        ("address", new.address),
        *(("balancer.member_parameters", one) for one in words),
    ):
        if not PLAIN.match(word):
            raise InputError(
                f"{option}: expected only letters, digits and _ . : = / - in a 'server' line of nginx, found {word!r}."
            )
    comment = () if new.name == new.address else (MEMBER_MARK + new.name,)
    return Server(new.address, tuple(words), comment)


def added(text: str, pool: str, server: Server) -> str:
    """The text with another line behind the last server of the pool, indented like that."""
    last = upstreams(text)[pool][-1:]
    if not last:
        raise InputError(
            f"balancer.pool: upstream '{pool}' has no 'server' line; add the first one to the file, then run again."
        )
    begin = text.rfind("\n", 0, last[0].start) + 1
    indent = text[begin : last[0].start]
    rest = text[last[0].end :]
    # A comment would swallow what else stands on the line.
    end = "" if rest.startswith("\n") else "\n"
    return f"{text[: last[0].end]}\n{indent if not indent.strip() else ''}{server}{end}{rest}"


def removed(text: str, pool: str, name: str) -> str:
    """The text without the line of that server; what else stands on the line stays."""
    for server in reversed(upstreams(text)[pool]):
        if server.name == name:
            begin = text.rfind("\n", 0, server.start) + 1
            end = text.find("\n", server.end) + 1 or len(text)
            is_alone = not (text[begin : server.start] + text[server.end : end]).strip()
            text = text[:begin] + text[end:] if is_alone else text[: server.start] + text[server.end :]
    return text


def _weighted(parameters: list[str], weight: str) -> list[str]:
    if not any(word.startswith(WEIGHT) for word in parameters):
        return [*parameters, weight]
    return [weight if word.startswith(WEIGHT) else word for word in parameters]


class Statement(t.NamedTuple):
    """Words up to a mark: ';', '{' or '}'. *start* is where its first word begins, *end* where the mark ends."""

    words: list[str]
    mark: str
    start: int
    end: int


def statements(text: str) -> t.Iterator[Statement]:
    """All statements in order, comments left out; raises NotUnderstood."""
    words: list[str] = []
    start = position = 0
    while position < len(text):
        match = TOKEN.match(text, position)
        if not match:
            raise NotUnderstood(f"line {text.count(chr(10), 0, position) + 1} has a quote that does not end")
        if match.lastgroup == "word":
            if not words:
                start = position
            words.append(plain(match.group()))
        elif match.lastgroup == "mark":
            if match.group() != ";" or words:
                yield Statement(words, match.group(), start, match.end())
            words = []
        position = match.end()


def plain(word: str) -> str:
    """A word without its quotes."""
    return word[1:-1] if word[0] in "\"'" and word[-1] == word[0] and len(word) > 1 else word


def _server(text: str, statement: Statement) -> Server:
    if len(statement.words) < 2:
        raise NotUnderstood("a 'server' has no address")
    comment = TRAILING_COMMENT.match(text, statement.end)
    return Server(
        address=statement.words[1],
        parameters=tuple(statement.words[2:]),
        comment=tuple(comment.group("text").split()) if comment else (),
        start=statement.start,
        end=comment.end() if comment else statement.end,
    )
