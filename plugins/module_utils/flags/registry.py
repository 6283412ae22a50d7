# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The types of flag systems there are: one row each, and everything else is made from the rows.

That is the argument spec, the documentation of the option, README.md's table, and the suite that every type passes.
"""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import durations, typed_options
from ansible_collections.steady.rollout.plugins.module_utils.flags.contract import FlagSystem
from ansible_collections.steady.rollout.plugins.module_utils.flags.file import options as file_options
from ansible_collections.steady.rollout.plugins.module_utils.flags.flagd import options as flagd_options
from ansible_collections.steady.rollout.plugins.module_utils.flags.flagsmith import options as flagsmith_options
from ansible_collections.steady.rollout.plugins.module_utils.flags.launchdarkly import options as launchdarkly_options
from ansible_collections.steady.rollout.plugins.module_utils.flags.redis import options as redis_options
from ansible_collections.steady.rollout.plugins.module_utils.flags.split import options as split_options
from ansible_collections.steady.rollout.plugins.module_utils.flags.unleash import options as unleash_options
from ansible_collections.steady.rollout.plugins.module_utils.typed_options import Options, option

Settings = t.Dict[str, t.Any]
RunCommand = t.Callable[..., t.Tuple[int, str, str]]


class Row(t.NamedTuple):
    """One type."""

    title: str
    face: str
    """Its class, as 'module:Class' in this package."""
    options: Options
    """Beside the common ones. Types may share one; its documentation is then that of all."""
    required: tuple[str, ...]
    open: t.Callable[[Settings, RunCommand], FlagSystem]
    """Raises InputError where the settings cannot be right; connects to nothing yet."""


def _file(settings: Settings, run_command: RunCommand) -> FlagSystem:
    from ansible_collections.steady.rollout.plugins.module_utils.flags.file import backend

    return backend.open_file(settings, run_command)


def _flagd(settings: Settings, run_command: RunCommand) -> FlagSystem:
    from ansible_collections.steady.rollout.plugins.module_utils.flags.flagd import backend

    return backend.open_flagd(settings)


def _flagsmith(settings: Settings, run_command: RunCommand) -> FlagSystem:
    from ansible_collections.steady.rollout.plugins.module_utils.flags.flagsmith import backend

    return backend.open_flagsmith(settings)


def _launchdarkly(settings: Settings, run_command: RunCommand) -> FlagSystem:
    from ansible_collections.steady.rollout.plugins.module_utils.flags.launchdarkly import backend

    return backend.open_launchdarkly(settings)


def _redis(settings: Settings, run_command: RunCommand) -> FlagSystem:
    from ansible_collections.steady.rollout.plugins.module_utils.flags.redis import backend

    return backend.open_redis(settings)


def _split(settings: Settings, run_command: RunCommand) -> FlagSystem:
    from ansible_collections.steady.rollout.plugins.module_utils.flags.split import backend

    return backend.open_split(settings)


def _unleash(settings: Settings, run_command: RunCommand) -> FlagSystem:
    from ansible_collections.steady.rollout.plugins.module_utils.flags.unleash import backend

    return backend.open_unleash(settings)


TYPES = {
    "file": Row("a file of the application", "file.backend:File", file_options.OPTIONS, ("path",), _file),
    "flagd": Row("flagd's definition file", "flagd.backend:Flagd", flagd_options.OPTIONS, ("path",), _flagd),
    "flagsmith": Row("Flagsmith", "flagsmith.backend:Flagsmith", flagsmith_options.OPTIONS, (), _flagsmith),
    "launchdarkly": Row(
        "LaunchDarkly", "launchdarkly.backend:LaunchDarkly", launchdarkly_options.OPTIONS, (), _launchdarkly
    ),
    "redis": Row("Redis", "redis.backend:Redis", redis_options.OPTIONS, ("address",), _redis),
    "split": Row("Split", "split.backend:Split", split_options.OPTIONS, (), _split),
    "unleash": Row("Unleash", "unleash.backend:Unleash", unleash_options.OPTIONS, ("url",), _unleash),
}


def options() -> Options:
    """All options of a flag system, those of every type together."""
    common = {
        "type": option("The type of the flag system.", choices=sorted(TYPES), required=True),
        "timeout": option("How long one answer may take.", default="5"),
    }
    return typed_options.of_all_types("system", common, TYPES)


def arguments() -> dict[str, t.Any]:
    """The option ``system`` of every module that talks to one."""
    return typed_options.argument(options(), TYPES)


def open_system(settings: Settings, run_command: RunCommand) -> FlagSystem:
    """The flag system that the option describes; raises InputError where its settings cannot be right."""
    timeout = durations.positive("system.timeout", settings.get("timeout", "5"), most=60.0)
    return TYPES[settings["type"]].open({**settings, "timeout": timeout}, run_command)
