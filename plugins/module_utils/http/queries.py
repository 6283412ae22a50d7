# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""JMESPath on an answer, without needing the package for a plain path such as C(build.version)."""

from __future__ import annotations

import re
import socket
import sys
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError

PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")


class Query:
    """One expression, ready to be asked."""

    def __init__(self, expression: str, search: t.Callable[[t.Any], t.Any]) -> None:
        self.expression = expression
        self._search = search

    def __call__(self, document: t.Any) -> t.Any:
        """What the expression finds in *document*; None where it finds nothing or does not fit."""
        try:
            return self._search(document)
        except (ValueError, TypeError, ArithmeticError):
            # The expression itself was compiled before: what is wrong is the type of something in the document.
            return None


def compiled(target: str, option: str, expression: str | None, where: str = "targets") -> Query | None:
    """The query for an option of one of the elements of *where*; InputError where it is not JMESPath or jmespath is not installed."""
    if expression is None:
        return None
    if PLAIN.fullmatch(expression):
        return Query(expression, lambda document: _walk(document, expression.split(".")))
    try:
        import jmespath
    except ImportError:
        raise InputError(
            f"{where}: {option} of '{target}' needs the Python package jmespath on {socket.gethostname()}, for "
            f"{sys.executable}, and it is not there. Install it ('{sys.executable} -m pip install jmespath') or run "
            "the task on a host that has it."
        ) from None
    try:
        return Query(expression, jmespath.compile(expression).search)
    except ValueError as error:
        raise InputError(
            f"{where}: {option} of '{target}' is not valid JMESPath: \"{expression}\" ({_first_line(error)})."
        ) from None


def _walk(document: t.Any, names: list[str]) -> t.Any:
    for name in names:
        if not isinstance(document, dict):
            return None
        document = document.get(name)
    return document


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(" :.")
