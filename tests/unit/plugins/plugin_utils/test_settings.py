# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of a fleet, validated once for each distinct set of them."""

from __future__ import annotations

import pathlib

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.plugin_utils import settings

SPEC = {"service": {"type": "str", "required": True}, "keep": {"type": "int", "default": 5}}


def test_hosts_whose_settings_are_written_alike_are_one_group() -> None:
    written = {"app1": {"keep": 5, "service": "shop"}, "app2": {"service": "shop", "keep": 5}, "app3": {"keep": "5"}}
    assert settings.distinct(written) == [["app1", "app2"], ["app3"]]


def test_settings_as_the_role_requires_them() -> None:
    assert settings.errors_of(SPEC, {"service": "shop", "keep": "3"}) == []


def test_the_spec_is_as_it_was_after_validation() -> None:
    spec = {"keep": {"type": "dict", "options": {"last": {"type": "int", "default": 3}}}}
    settings.errors_of(spec, {"keep": {}})
    assert spec == {"keep": {"type": "dict", "options": {"last": {"type": "int", "default": 3}}}}


def test_every_error_names_the_host_it_was_found_on() -> None:
    errors = {"app1": settings.errors_of(SPEC, {"service": "shop"}), "app3": settings.errors_of(SPEC, {"keep": "many"})}
    refused = settings.refusal(errors)
    assert refused.startswith("app3: missing required arguments: service. app3: argument 'keep' is of type ")
    assert refused.endswith(" Nothing was touched.")


def test_nothing_wrong_is_no_refusal() -> None:
    assert settings.refusal({"app1": []}) == ""


def test_a_claim_directory_of_each_host_counted_for_the_whole_fleet() -> None:
    alike = {"rollout_service": "shop", "rollout_ledger": "/srv/ledger"}
    values = {
        "app1": {**alike, "rollout_claim_directory": ""},
        "app2": alike,
        "app3": {**alike, "rollout_claim_directory": "/srv/claims"},
        "app4": {**alike, "rollout_claim_directory": "/srv/others"},
    }
    assert settings.disagreements(values) == [
        "rollout_claim_directory is '' on app1 and '/srv/claims' on app3, and only one value can count: give all hosts of the "
        "fleet the same."
    ]


def test_hosts_may_differ_in_what_is_their_own() -> None:
    values = {"app1": {"rollout_service": "shop", "keep": 1}, "app2": {"rollout_service": "shop", "keep": 2}}
    assert settings.disagreements(values) == []


def test_the_spec_is_that_of_the_entry_point(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "argument_specs.yml"
    path.write_text("argument_specs:\n  begin:\n    options:\n      service: {type: str}\n")
    assert settings.spec_from(str(path), "begin") == {"service": {"type": "str"}}
    with pytest.raises(InputError) as caught:
        settings.spec_from(str(path), "end")
    assert caught.value.message == (
        f"argument_specs: {path} has no options for the entry point 'end' (KeyError: 'end')."
    )
