# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""rollout_migrations: what each phase runs, where, and on which database."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.migrations.database import Database

Result = t.Dict[str, t.Any]
PHASES = ("expand", "migrate", "contract")
OF_THE_TOOL = (
    "tool",
    "commands",
    "program",
    "chdir",
    "directory",
    "database_url",
    "environment",
    "lock_timeout",
    "attempts",
    "pause",
    "timeout",
    "target",
    "batch",
    "batch_pause",
    "pooler",
)
OF_A_PHASE = (
    "target", "directory", "batch", "batch_pause", "versions", "services", "keep_for", "lost", "irreversible", "transaction",
    "pooler",
)  # fmt: skip
OF_ALL = ("host", "become", "name", "lint", *PHASES)
WHERE = "rollout_migrations"


@dataclasses.dataclass(frozen=True)
class Phase:
    """One phase with the settings of all phases underneath its own."""

    name: str
    settings: Result
    database: str
    """The database's name in the ledger: the same for every service that uses it."""
    kind: str

    @property
    def tool_options(self) -> Result:
        return {name: self.settings[name] for name in OF_THE_TOOL if self.settings.get(name) not in (None, "")}

    @property
    def host(self) -> str:
        return str(self.settings.get("host") or "localhost")

    @property
    def become(self) -> bool | None:
        given = self.settings.get("become")
        return None if given is None else bool(given)

    @property
    def pooler(self) -> Result:
        """What holds the queries meanwhile; empty without one."""
        return dict(self.settings.get("pooler") or {})

    @property
    def batch(self) -> str:
        return str(self.settings.get("batch") or "")


def phase_of(given: t.Any, name: str) -> Phase | None:
    """None where nothing is to be done in the phase. Raises InputError."""
    errors = settings_errors(given)
    if errors:
        raise InputError(" ".join(errors))
    if not given or name not in given:
        return None
    own = given[name] or {}
    settings = {**{key: value for key, value in given.items() if key not in PHASES}, **own}
    database = Database.from_url(f"{WHERE}.database_url", str(given["database_url"]))
    return Phase(name, settings, str(given.get("name") or database.shown), database.kind)


def settings_errors(given: t.Any) -> list[str]:
    """A sentence for everything that cannot be right, without the values: they hold passwords."""
    if not given:
        return []
    if not isinstance(given, t.Mapping):
        return [f"{WHERE} must be a dictionary with database_url, tool, and the phases expand, migrate and contract."]
    errors = [f"{WHERE}.{name} is needed." for name in ("database_url", "tool") if not given.get(name)]
    unknown = sorted(set(map(str, given)) - {*OF_THE_TOOL, *OF_ALL})
    if unknown:
        errors.append(f"{WHERE} has no '{unknown[0]}'; there are {', '.join(sorted({*OF_THE_TOOL, *OF_ALL}))}.")
    if not any(phase in given for phase in PHASES):
        errors.append(f"{WHERE} names no phase; give it expand, migrate or contract, such as expand: {{}}.")
    for phase in PHASES:
        errors += _phase_errors(phase, given.get(phase) or {})
    return errors


def _phase_errors(phase: str, own: t.Any) -> list[str]:
    if not isinstance(own, t.Mapping):
        return [f"{WHERE}.{phase} must be a dictionary, such as {{target: 7ad1e0c9b2f4}}."]
    unknown = sorted(set(map(str, own)) - set(OF_A_PHASE))
    if unknown:
        return [f"{WHERE}.{phase} has no '{unknown[0]}'; there are {', '.join(sorted(OF_A_PHASE))}."]
    return []
