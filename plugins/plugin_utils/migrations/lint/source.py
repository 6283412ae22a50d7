# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file of SQL as statements, with their lines, and the comments that accept a finding."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.steady.rollout.plugins.plugin_utils.migrations.lint import sqlglot_parser
from ansible_collections.steady.rollout.plugins.plugin_utils.migrations.lint.model import MYSQL, Statement

ACCEPTED = re.compile(r"^\s*(?:--|#)\s*lint:\s*allow\s+([a-z_]+)\s+because\s+(\S.*?)\s*$", re.MULTILINE | re.IGNORECASE)
UP = re.compile(r"^--\s*migrate:up\b(.*)$", re.MULTILINE)
DOWN = re.compile(r"^--\s*migrate:down\b.*$", re.MULTILINE)
CLIENT_COMMAND = re.compile(r"^[ \t]*(\\\S.*|DELIMITER\b.*|SOURCE\b.*)$", re.MULTILINE | re.IGNORECASE)
NO_TRANSACTION = re.compile(r"\btransaction\s*:\s*false\b", re.IGNORECASE)
OPTION = {"ALGORITHM": "algorithm", "LOCK": "lock"}


def forward_part(text: str) -> tuple[str, bool | None]:
    """What is run on the way forward, at its lines, and whether in a transaction, where the file itself says it (dbmate)."""
    up, down = UP.search(text), DOWN.search(text)
    if not up:
        return text, None
    end = down.start() if down and down.start() > up.start() else len(text)
    blank = re.sub(r"[^\n]", " ", text[: up.end()])
    return blank + text[up.end() : end], not NO_TRANSACTION.search(up.group(1))


def statements(text: str, database: str) -> list[Statement]:
    """All statements; what cannot be split is one statement with its problem."""
    client = CLIENT_COMMAND.search(text)
    if client:
        line = _line(text, client.start(1))
        problem = f"'{client.group(1).split()[0]}' is a command of the client, and may include or delimit anything"
        return [Statement(text.strip()[:200], "", line, _accepted(text), problem=problem)]
    try:
        tokens = sqlglot_parser.tokens(text, database)
    except sqlglot_parser.CannotParse as error:
        return [Statement(text.strip()[:200], "", 1, _accepted(text), problem=str(error))]
    found: list[tuple[str, list[sqlglot_parser.Token], int]] = []
    begin, group = 0, list[sqlglot_parser.Token]()
    for token in tokens:
        if token.is_end:
            found.append((text[begin : token.end], group, begin))
            begin, group = token.end, []
        else:
            group.append(token)
    found.append((text[begin:], group, begin))
    return [_statement(text, whole, group, database) for whole, group, dummy in found if group]


def _statement(text: str, whole: str, group: list[sqlglot_parser.Token], database: str) -> Statement:
    start, end = group[0].start, group[-1].end
    options: dict[str, str] = {}
    body = text[start:end]
    if database == MYSQL:
        body, options = _without_options(text, group)
    words = _words(group)
    return Statement(body, words, _line(text, start), _accepted(whole), _line(text, end - 1), **options)


def _words(group: list[sqlglot_parser.Token]) -> str:
    text = " ".join(token.word for token in group)
    return text.replace(" . ", ".").replace(" ( ", "(").replace(" )", ")")


def _without_options(text: str, group: list[sqlglot_parser.Token]) -> tuple[str, dict[str, str]]:
    """MySQL's ALGORITHM= and LOCK= apart: the parser takes them at some places only."""
    cuts, options = [], {}
    for number, token in enumerate(group):
        name = OPTION.get(token.word)
        after = group[number + 1 : number + 3]
        if not name or not number or len(after) < 2 or after[0].word != "=":
            continue
        options[name] = after[1].word
        before = group[number - 1]
        cuts.append((before.start if before.word == "," else token.start, after[1].end))
    body, position = "", group[0].start
    for begin, end in cuts:
        body += text[position:begin] + " "
        position = end
    return body + text[position : group[-1].end], options


def _accepted(text: str) -> dict[str, str]:
    return {
        rule.lower(): reason.rstrip(".") for rule, reason in t.cast("list[tuple[str, str]]", ACCEPTED.findall(text))
    }


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1
