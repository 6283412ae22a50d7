# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every type declares what it can do, or why not."""

from __future__ import annotations

import importlib
import typing as t

import pytest
from support.cores import params_of

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.flags import contract, registry
from ansible_collections.steady.rollout.plugins.modules import feature_flag_info

PACKAGE = registry.__name__.rpartition(".")[0]


def no_commands(*words: t.Any, **options: t.Any) -> tuple[int, str, str]:
    raise AssertionError(f"no command was expected: {words}")


def face(row: registry.Row) -> type[contract.FlagSystem]:
    module, dummy, name = row.face.partition(":")
    return t.cast("type[contract.FlagSystem]", getattr(importlib.import_module(f"{PACKAGE}.{module}"), name))


@pytest.mark.parametrize("name", sorted(registry.TYPES))
def test_what_is_no_capability_has_a_reason(name: str) -> None:
    system = face(registry.TYPES[name])
    assert set(system.lacks) == set(contract.ALL_CAPABILITIES) - system.capabilities
    assert all(reason and not reason.endswith(".") for reason in system.lacks.values())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"type": "redis", "address": "nowhere"},
            "system.address: 'nowhere' is neither host:port nor the path of a socket.",
        ),
        (
            {"type": "unleash", "url": "unleash", "token": "abcd"},
            "system.url: is not an http or https URL with a host, such as https://unleash.example.com.",
        ),
        (
            {"type": "unleash", "url": "http://me:secret@unleash", "token": "abcd"},
            "system.url: must not hold a user, a password or a query; give the key as system.token.",
        ),
        (
            {"type": "unleash", "url": "http://unleash"},
            "system.token: expected an API token without blanks, there or in the environment as STEADY_ROLLOUT_FLAG_TOKEN.",
        ),
        (
            {"type": "file", "path": "/etc/passwd", "section": "a"},
            "system.section: an environment file has no sections; leave it out, or set format to json.",
        ),
        (
            {"type": "file", "path": "/etc/passwd", "key": "a=b"},
            "system.key: 'a=b' cannot be a key; expected letters, digits, '_', '-' or '.'.",
        ),
        (
            {"type": "redis", "address": "a:1", "timeout": "2m"},
            "system.timeout: 120 s is out of range; expected from 0 to 60 s.",
        ),
    ],
)
def test_settings_that_cannot_be_right(
    settings: dict[str, t.Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STEADY_ROLLOUT_FLAG_TOKEN", raising=False)
    given = params_of(feature_flag_info, {"system": settings})["system"]
    with pytest.raises(InputError) as refused:
        registry.open_system(given, no_commands)
    assert refused.value.message == message


def test_a_key_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEADY_ROLLOUT_FLAG_TOKEN", "abcd")
    given = params_of(feature_flag_info, {"system": {"type": "unleash", "url": "http://unleash/api"}})["system"]
    assert registry.open_system(given, no_commands).where == "unleash at http://unleash"
