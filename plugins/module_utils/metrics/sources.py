# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The sources that a user describes, by name; "balancer" is there without being described."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.metrics import (
    alertmanager,
    cloudwatch,
    command,
    http,
    json_http,
    prometheus,
)
from ansible_collections.steady.rollout.plugins.module_utils.metrics.model import Source

BALANCER = "balancer"
TYPE = "type"
Settings = t.Dict[str, t.Any]
RunCommand = t.Callable[..., t.Tuple[int, str, str]]
WORDS = {str: "a text", dict: "a dictionary", list: "a list", bool: "true or false", int: "a number", float: "a number"}


class Type(t.NamedTuple):
    """The settings of one type, with the types that their values may have, and how to open it."""

    settings: dict[str, tuple[type, ...]]
    open: t.Callable[[str, Settings, float, RunCommand], Source]
    words: Settings
    """What metrics of such a source are like where the user does not say."""


TYPES: dict[str, Type] = {
    "prometheus": Type(
        prometheus.SETTINGS, lambda where, given, every, run: prometheus.open_prometheus(where, given, every), {}
    ),
    "cloudwatch": Type(
        cloudwatch.SETTINGS, lambda where, given, every, run: cloudwatch.open_cloudwatch(where, given), {}
    ),
    "json": Type(json_http.SETTINGS, lambda where, given, every, run: json_http.open_json(where, given), {}),
    "command": Type(
        command.SETTINGS, lambda where, given, every, run: command.open_command(where, given, run), {"minimum": 1}
    ),
    "alertmanager": Type(
        alertmanager.SETTINGS,
        lambda where, given, every, run: alertmanager.open_alertmanager(where, given),
        {"limit": "<= 0", "minimum": 1, "max_failures": 0, "critical": True},
    ),
}


def opened(given: t.Mapping[str, t.Any], interval: float, run_command: RunCommand) -> dict[str, Source]:
    """The sources by name, without the balancers. *interval* in seconds between two polls. Raises InputError."""
    return {name: _opened(name, one, interval, run_command) for name, one in given.items()}


def type_of(name: str, given: t.Mapping[str, t.Any]) -> str:
    """The type of the source that a metric names; raises InputError where there is no such source."""
    if name == BALANCER:
        return BALANCER
    if name not in given:
        raise InputError(
            f"metrics: there is no source '{name}'; there are {', '.join([BALANCER, *given])}. Define it in sources."
        )
    return _type(name, given[name])


def secrets(given: t.Any) -> set[str]:
    """The values within the option sources that must not be shown, whatever its form."""
    if not isinstance(given, t.Mapping):
        return set()
    described = [one for one in given.values() if isinstance(one, t.Mapping)]
    found = {secret for one in described for secret in http.secrets(one)}
    environments = [one.get("environment") for one in described]
    return found | {str(value) for one in environments if isinstance(one, t.Mapping) for value in one.values() if value}


def _opened(name: str, given: t.Any, interval: float, run_command: RunCommand) -> Source:
    if name == BALANCER:
        raise InputError(f"sources: '{BALANCER}' is built in; give yours another name.")
    kind = TYPES[_type(name, given)]
    where = f"sources.{name}"
    settings = {key: value for key, value in given.items() if key != TYPE and value is not None}
    for key, value in settings.items():
        if key not in kind.settings:
            raise InputError(f"{where}: '{key}' is not a setting; the settings are {', '.join(kind.settings)}.")
        settings[key] = _typed(f"{where}.{key}", value, kind.settings[key])
    return kind.open(where, settings, interval, run_command)


def _type(name: str, given: t.Any) -> str:
    found = given.get(TYPE) if isinstance(given, t.Mapping) else None
    if not isinstance(found, str) or found not in TYPES:
        raise InputError(f"sources.{name}: type is {found!r}, not one of {', '.join(TYPES)}.")
    return found


def _typed(where: str, value: t.Any, types: tuple[type, ...]) -> t.Any:
    """The value in one of the types; templates make texts of numbers and of true and false."""
    if isinstance(value, types) and not (isinstance(value, bool) and bool not in types):
        return value
    if bool in types and str(value).strip().lower() in ("true", "yes", "false", "no"):
        return str(value).strip().lower() in ("true", "yes")
    if (int in types or float in types) and not isinstance(value, (bool, list, dict)):
        try:
            return int(value) if float not in types else float(value)
        except ValueError:
            pass
    if str in types and isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    raise InputError(f"{where}: {_shown(where, value)} is not {' or '.join(sorted({WORDS[one] for one in types}))}.")


def _shown(where: str, value: t.Any) -> str:
    secret = where.endswith((".password", ".token", ".headers", ".url"))
    return "what is given" if secret else repr(value)
