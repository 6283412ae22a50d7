# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""rollout_flags: what cannot be right, and what it means."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.flags import registry
from ansible_collections.steady.rollout.plugins.plugin_utils.flags import settings

REDIS = {"type": "redis", "address": "10.0.0.5:6379", "password": "open sesame"}
FILE = {"type": "file", "path": "/etc/shop/features.env"}
TYPES = ", ".join(registry.TYPES)
KNOWN = ", ".join(settings.KNOWN)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"name": "a"},
            "rollout_flags must be a list of flags, such as [{name: checkout_v2, system: {type: redis, address: "
            "'10.0.0.5:6379'}}].",
        ),
        ([{"system": REDIS}], "rollout_flags[0].name: expected a flag's name, found 'None'."),
        (
            [{"name": "a", "system": {"type": "post"}}],
            f"rollout_flags[0].system: its type is none of {', '.join(registry.TYPES)}.",
        ),
        ([{"name": "a"}], f"rollout_flags[0].system: its type is none of {', '.join(registry.TYPES)}."),
        ([{"name": "a", "system": REDIS, "share": 1}], f"rollout_flags[0] has no 'share'; there are {KNOWN}."),
        (
            [{"name": "a", "system": REDIS, "when_on": "go"}],
            "rollout_flags[0].when_on: 'go' is not one of refuse, off.",
        ),
        (
            [{"name": "a", "system": REDIS, "at_end": False}],
            "rollout_flags[0].at_end: 'False' is not one of on, leave, steps.",
        ),
        (
            [{"name": "a", "system": REDIS, "at_end": "steps", "percent": 10}],
            "rollout_flags[0]: percent cannot be set with at_end=steps, where the first of rollout_flag_steps is used. Remove percent.",
        ),
        ([{"name": "a", "system": REDIS}] * 2, "rollout_flags: 'a' appears twice."),
    ],
)
def test_what_cannot_be_right(given: t.Any, message: str) -> None:
    assert settings.settings_errors(given) == [message]
    with pytest.raises(InputError):
        settings.flags_of(given, ["app1"])


def test_a_bare_off_is_the_word_and_not_false() -> None:
    """YAML reads it as false."""
    (flag,) = settings.flags_of([{"name": "a", "system": REDIS, "when_on": False, "at_end": True}], [])
    assert (flag.refuses, flag.goes_on) == (False, True)


def test_defaults() -> None:
    redis, file = settings.flags_of([{"name": "a", "system": REDIS}, {"name": "b", "system": FILE}], ["app1", "app2"])
    assert (redis.refuses, redis.goes_on, redis.hosts) == (True, True, ("localhost",))
    assert (file.hosts, file.place) == (("app1", "app2"), "file /etc/shop/features.env")


def test_a_rollback_waits_for_no_instance() -> None:
    given = {"name": "a", "system": REDIS, "instances": ["http://app1/health"], "percent": 10}
    (flag,) = settings.flags_of([given], [])
    assert flag.options("on", waits=True) == {
        "name": "a", "system": REDIS, "state": "on", "instances": ["http://app1/health"], "percent": 10,
    }  # fmt: skip
    assert "instances" not in flag.options("off", waits=False)


def test_the_command_holds_no_key() -> None:
    (flag,) = settings.flags_of([{"name": "a", "system": REDIS}], [])
    assert flag.command("off") == (
        "ansible 'localhost' -m steady.rollout.feature_flag -a "
        '\'{"name": "a", "state": "off", "system": {"type": "redis", "address": "10.0.0.5:6379"}}\''
    )
    assert flag.place == "redis 10.0.0.5:6379"
    system = {"type": "flagsmith", "project": "17", "environment": "a key of the environment"}
    (flag,) = settings.flags_of([{"name": "a", "system": system}], [])
    assert "a key of the environment" not in flag.command("off")


@pytest.mark.parametrize("given", ["0", "soon", "61"])
def test_limits_that_cannot_be_right(given: str) -> None:
    with pytest.raises(InputError):
        settings.limit_of(given)


def test_steps_are_looked_at_where_a_flag_begins_with_them() -> None:
    flag = {"name": "a", "system": REDIS}
    assert settings.settings_errors([flag], [{"percent": 0}]) == []
    assert settings.settings_errors([{**flag, "at_end": "steps"}], [{"percent": 0}]) == [
        "rollout_flag_steps[0].percent: 0 is not a whole number from 1 to 100."
    ]
