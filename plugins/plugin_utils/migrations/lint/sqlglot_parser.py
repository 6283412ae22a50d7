# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one place that uses sqlglot: tokens and trees. Trees are read by their nodes' keys, so nothing else imports it."""

from __future__ import annotations

import logging
import re
import sys
import types
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.plugin_utils.migrations.lint.model import MYSQL

Node = t.Any
WORDS = re.compile(r"'(?:[^']|'')*'|[\w.$\"`-]+|\S")


class CannotParse(Exception):
    """Why the text could not be read, in a few words."""


class Token(t.NamedTuple):
    word: str
    start: int
    end: int
    is_end: bool


def tokens(text: str, database: str) -> list[Token]:
    """Raises CannotParse."""
    sqlglot = _sqlglot()
    try:
        found = sqlglot.tokenize(text, read=_dialect(database))
    except sqlglot.errors.SqlglotError as error:
        raise CannotParse(_first_line(error)) from error
    return [_token(text, one) for one in found]


def tree(text: str, database: str) -> Node:
    """The statement's tree; raises CannotParse."""
    sqlglot = _sqlglot()
    try:
        found = [one for one in sqlglot.parse(text, read=_dialect(database)) if one is not None]
    except (sqlglot.errors.SqlglotError, RecursionError) as error:
        raise CannotParse(_first_line(error)) from error
    if len(found) != 1:
        raise CannotParse(f"{len(found)} statements where one was expected")
    return found[0]


def _token(text: str, one: t.Any) -> Token:
    raw = text[one.start : one.end + 1]
    if one.token_type.name == "STRING" and len(raw) < len(one.text) + 2 and not raw.startswith("$"):
        # The rest of a statement that sqlglot does not look into, all in one; its start is that of its last word.
        words = WORDS.findall(one.text)
        return Token(
            " ".join(word.strip('"`').upper() for word in words), one.end + 1 - len(one.text), one.end + 1, False
        )
    if one.token_type.name == "IDENTIFIER":
        word = raw.strip('"`').replace(" ", "_")
    elif raw[:1] in "'$":
        word = "'...'"
    else:
        word = raw.upper()
    return Token(word, one.start, one.end + 1, one.token_type.name == "SEMICOLON")


def _dialect(database: str) -> str:
    return "mysql" if database == MYSQL else "postgres"


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n", 1)[0].rstrip(".") or type(error).__name__


def _sqlglot() -> types.ModuleType:
    try:
        import sqlglot
        import sqlglot.errors
    except ImportError as error:
        raise RolloutError(
            f"Linting migrations needs the Python package sqlglot on the controller, for {sys.executable}, and it is "
            f"not there. Install it ('{sys.executable} -m pip install sqlglot'), or set rollout_migration_lint: false."
        ) from error
    logging.getLogger("sqlglot").setLevel(logging.CRITICAL)
    return sqlglot
