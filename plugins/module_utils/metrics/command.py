# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""A command on the host where the module runs: it prints a number, or JSON that the query looks into."""

from __future__ import annotations

import json
import shlex
import shutil
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import documents, durations
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.http import excerpts, targets
from ansible_collections.steady.rollout.plugins.module_utils.metrics import queries
from ansible_collections.steady.rollout.plugins.module_utils.metrics.json_http import expression
from ansible_collections.steady.rollout.plugins.module_utils.metrics.model import Moment, Question, Reply, Trouble
from ansible_collections.steady.rollout.plugins.module_utils.metrics.numbers import points

SETTINGS: dict[str, tuple[type, ...]] = {"command": (str, list), "timeout": (str,), "environment": (dict,)}
WHOLE = "@"
LONGEST_EXCERPT = 200
# What the program "timeout" exits with when it had to end the command, by TERM or by KILL.
ENDED = (124, 137)
RunCommand = t.Callable[..., t.Tuple[int, str, str]]


class Command:
    """One command. With $group or $members in its words it is run once for each group."""

    kind = "command"

    def __init__(self, argv: list[str], timeout: float, environment: dict[str, str], run_command: RunCommand) -> None:
        self._argv = argv
        self._timeout = timeout
        self._environment = environment
        self._run_command = run_command
        self._secrets = sorted(filter(None, environment.values()), key=len, reverse=True)
        self.asks_by_group = queries.asks_by_group(argv)

    def check(self, metric: t.Any, where: str) -> None:
        for raw in queries.leaves(metric.query):
            expression(raw or WHOLE, metric.name)

    def ask(self, question: Question, moment: Moment) -> Reply:
        argv = queries.filled(self._argv, question.group, moment)
        output = self._run(argv)
        found = expression(question.raw or WHOLE)(_document(output, argv[0], self._secrets))
        return Reply(f"{argv[0]} {question.raw or ''}".strip(), json.dumps(found), points(found, question.group))

    def _run(self, argv: list[str]) -> str:
        guarded = ["timeout", "-k", "1", f"{self._timeout:.3f}", *argv] if shutil.which("timeout") else argv
        try:
            status, output, errors = self._run_command(
                guarded, handle_exceptions=False, expand_user_and_vars=False, environ_update=self._environment
            )
        except (OSError, ValueError) as error:
            raise Trouble(f"command '{argv[0]}' could not be run ({error})") from error
        if len(guarded) > len(argv) and status in ENDED:
            raise Trouble(f"command '{argv[0]}' did not end within {self._timeout:g} s")
        if status:
            said = (errors.strip() or output.strip()).splitlines()
            last = targets.redacted(said[-1], self._secrets)[:LONGEST_EXCERPT] if said else ""
            raise Trouble(f"command '{argv[0]}' exited with {status}{f': {last}' if last else ''}")
        return output


def open_command(where: str, settings: dict[str, t.Any], run_command: RunCommand) -> Command:
    """Raises InputError where the settings cannot be right."""
    given = settings.get("command")
    try:
        argv = shlex.split(given) if isinstance(given, str) else [str(word) for word in given or ()]
    except ValueError:
        argv = []
    if not argv or not argv[0]:
        raise InputError(f"{where}: command is neither a list of words nor a line that splits into some.")
    timeout = durations.positive(f"{where}.timeout", settings.get("timeout", 30.0))
    environment = {str(name): str(value) for name, value in (settings.get("environment") or {}).items()}
    return Command(argv, timeout, environment, run_command)


def _document(output: str, program: str, secrets: t.Sequence[str]) -> t.Any:
    try:
        return documents.parsed(output)
    except ValueError:
        text = " ".join(output.split())
    try:
        # A plain number as programs print them, which JSON does not know: .5, 1e3, NaN.
        return float(text)
    except ValueError:
        shown = f"'{excerpts.masked(targets.redacted(text, secrets))[:60]}'" if text else "nothing"
        raise Trouble(f"command '{program}' printed {shown}, neither a number nor JSON") from None
