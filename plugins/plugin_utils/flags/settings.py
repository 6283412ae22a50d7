# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""rollout_flags: which flags go with a rollout, where they are, and what becomes of them."""

from __future__ import annotations

import dataclasses
import json
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import durations
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.flags import planning, registry
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.flag_steps import Share, parsed_steps

Result = t.Dict[str, t.Any]
WHERE = "rollout_flags"
ON_HOSTS = ("file", "flagd")
"""Types whose flags are on the hosts of the fleet unless the settings say where."""
KNOWN = (
    "name",
    "system",
    "percent",
    "when_on",
    "at_end",
    "hosts",
    "instances",
    "instances_path",
    "seen_timeout",
    "allow_rules",
    "description",
)
WHEN_ON = ("refuse", "off")
STEPS = "steps"
AT_END = ("on", "leave", STEPS)
OF_THE_MODULE = ("instances", "instances_path", "seen_timeout", "allow_rules", "description")
SECRET = ("password", "token")
KEYS = {"flagsmith": ("environment",)}
"""Beside them, by type: an environment of Flagsmith goes by a key."""


@dataclasses.dataclass(frozen=True)
class FlagSetting:
    """One flag of a rollout; *hosts* are where the module runs."""

    name: str
    settings: Result
    hosts: tuple[str, ...]
    first: Share | None = None
    """The share of the first step, if it is released in steps."""

    @property
    def system(self) -> Result:
        return dict(self.settings["system"])

    @property
    def refuses(self) -> bool:
        return _word(self.settings.get("when_on", "refuse")) == "refuse"

    @property
    def goes_on(self) -> bool:
        return _word(self.settings.get("at_end", "on")) != "leave"

    @property
    def has_instances(self) -> bool:
        """Whether it is known which instances have to see it."""
        return bool(self.settings.get("instances"))

    @property
    def place(self) -> str:
        system = self.system
        return f"{system['type']} {system.get('url') or system.get('address') or system.get('path') or ''}".strip()

    def options(self, state: str, waits: bool) -> Result:
        """Of feature_flag; *waits* until the instances have seen it."""
        options = {name: self.settings[name] for name in OF_THE_MODULE if self.settings.get(name) is not None}
        if not waits:
            options.pop("instances", None)
        return {"name": self.name, "system": self.system, "state": state, **options, **self._share(state)}

    def _share(self, state: str) -> Result:
        if self.first is not None and state == "on":
            segments = {"segments": list(self.first.segments)} if self.first.segments else {}
            return {"percent": self.first.percent, **segments}
        return {"percent": self.settings["percent"]} if self.settings.get("percent") is not None else {}

    def command(self, state: str) -> str:
        """What to run by hand; keys have to be added."""
        hidden = (*SECRET, *KEYS.get(self.system["type"], ()))
        system = {name: value for name, value in self.system.items() if name not in hidden}
        words = json.dumps(
            {"name": self.name, "state": state, **(self._share(state) if state == "on" else {}), "system": system}
        )
        return f"ansible '{','.join(self.hosts)}' -m steady.rollout.feature_flag -a '{words}'"

    @property
    def next_command(self) -> str:
        """Continues with its steps; with the same inventory and settings."""
        return f"ansible-playbook steady.rollout.flag -e rollout_flag={self.name}"


def flags_of(given: t.Any, fleet: t.Sequence[str], steps: t.Any = None) -> list[FlagSetting]:
    """*steps* are those of rollout_flag_steps, where a flag may begin with them. Raises InputError where the settings cannot be right."""
    errors = settings_errors(given, steps)
    if errors:
        raise InputError(" ".join(errors))
    return [FlagSetting(str(one["name"]), dict(one), _hosts(one, fleet), _first(one, steps)) for one in given or []]


def _first(one: t.Mapping[str, t.Any], steps: t.Any) -> Share | None:
    return parsed_steps(steps)[0].share if steps is not None and one.get("at_end") == STEPS else None


def _hosts(one: t.Mapping[str, t.Any], fleet: t.Sequence[str]) -> tuple[str, ...]:
    given = one.get("hosts") or (fleet if one["system"]["type"] in ON_HOSTS else ("localhost",))
    return tuple(str(host) for host in given)


def settings_errors(given: t.Any, steps: t.Any = None) -> list[str]:
    """A sentence for everything that cannot be right, without the values: they hold keys. *steps* only where one begins with them."""
    if not given:
        return []
    if not isinstance(given, (list, tuple)) or not all(isinstance(one, t.Mapping) for one in given):
        return [
            f"{WHERE} must be a list of flags, such as [{{name: checkout_v2, system: {{type: redis, address: '10.0.0.5:6379'}}}}]."
        ]
    errors = [error for number, one in enumerate(given) for error in _errors_of(f"{WHERE}[{number}]", one)]
    names = [str(one.get("name")) for one in given]
    errors += [
        f"{WHERE}: '{name}' appears twice." for name in sorted({name for name in names if names.count(name) > 1})
    ]
    return [*errors, *_steps_errors(given, steps)]


def _steps_errors(given: t.Sequence[t.Mapping[str, t.Any]], steps: t.Any) -> t.Iterator[str]:
    if steps is not None and any(one.get("at_end") == STEPS for one in given):
        try:
            parsed_steps(steps)
        except InputError as error:
            yield error.message


def _errors_of(where: str, one: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    if not planning.NAME.fullmatch(str(one.get("name") or "")):
        yield f"{where}.name: expected a flag's name, found '{one.get('name')!s:.60}'."
    unknown = sorted(set(map(str, one)) - set(KNOWN))
    if unknown:
        yield f"{where} has no '{unknown[0]}'; there are {', '.join(KNOWN)}."
    system = one.get("system")
    kind = system.get("type") if isinstance(system, t.Mapping) else None
    if kind not in registry.TYPES:
        yield f"{where}.system: its type is none of {', '.join(registry.TYPES)}."
    for name, choices in (("when_on", WHEN_ON), ("at_end", AT_END)):
        # YAML reads a bare on or off as true or false.
        if one.get(name) is not None and _word(one[name]) not in choices:
            yield f"{where}.{name}: '{one[name]!s:.40}' is not one of {', '.join(choices)}."
    if one.get("at_end") == STEPS and one.get("percent") is not None:
        yield f"{where}: percent cannot be set with at_end=steps, where the first of rollout_flag_steps is used. Remove percent."


def _word(given: t.Any) -> str:
    return {True: "on", False: "off"}.get(given, str(given)) if isinstance(given, bool) else str(given)


def limit_of(given: t.Any) -> float:
    """How long a rollback may wait for all flags together."""
    return durations.positive("rollout_flags_timeout", given, most=60.0)
