# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import types

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions import modules

MODULES = ("lb_member", "lb_member_info", "health_wait", "release", "rollout_host", "rollout_info")
SPEC = {
    "argument_spec": {
        "path": {"type": "path"},
        "more": {"type": "list", "elements": "path", "default": ["~/x"]},
        "one": {"type": "dict", "options": {"file": {"type": "path"}, "name": {"type": "str"}}},
        "many": {"type": "list", "elements": "dict", "options": {"file": {"type": "path"}}},
        "text": {"type": "str"},
    }
}


def test_paths_for_elsewhere_are_not_expanded_here() -> None:
    """~ became the home directory of whoever ran Ansible, not that of the remote user."""
    given = {"path": "~/a", "one": {"file": "$HOME/b", "name": "~"}, "many": [{}, {"file": "~/c"}], "text": "~"}
    params, places = modules.checked_for_elsewhere("m", SPEC, given)
    assert params.values["path"] == "~/a"
    assert params.values["many"][1]["file"] == "~/c"
    assert places == [["path"], ["more", 0], ["one", "file"], ["many", 1, "file"]]


def test_wrong_options_are_refused_on_the_controller() -> None:
    with pytest.raises(InputError) as refused:
        modules.validated("m", SPEC, {"txt": "a"})
    assert refused.value.message == (
        "Unsupported parameters for (steady.rollout.m) module: txt. Supported parameters include: many, more, one, path, "
        "text."
    )


@pytest.mark.parametrize("module", MODULES)
def test_every_core_lies_where_a_session_may_run_it(module: str) -> None:
    name = modules.core_name(modules.source_of(module).core)
    assert name.startswith("ansible_collections.steady.rollout.plugins.module_utils.")


@pytest.mark.parametrize("name", ["../x", "os", "", "a.b"])
def test_only_modules_of_the_collection_are_run(name: str) -> None:
    with pytest.raises((InputError, ImportError)):
        modules.source_of(name)


def test_a_password_is_hidden_in_results_as_modules_do() -> None:
    spec = {"argument_spec": {"password": {"type": "str", "no_log": True}}}
    params = modules.checked("m", spec, {"password": "open-sesame"})
    result = {"msg": "refused open-sesame", "list": [{"a": "open-sesame"}]}
    shown = modules.without_secrets(types.ModuleType("m"), params, result)
    assert shown == {"msg": "refused ********", "list": [{"a": "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"}]}


def test_a_module_says_itself_what_is_secret() -> None:
    """Ansible would hide every figure where a header has the value 1."""
    source = modules.source_of("health_wait")
    given = {
        "targets": [{"name": "a", "url": "http://a/", "headers": {"X-Probe": "1", "Authorization": "open-sesame"}}]
    }
    params = modules.checked("health_wait", source.SPEC, given)
    shown = modules.without_secrets(source, params, {"msg": "1 of 1, open-sesame"})
    assert shown == {"msg": "1 of 1, ********"}


class OfAnsible(str):
    """Such as a text that remembers its file and line."""


class NumberOfAnsible(int):
    pass


def test_a_copy_of_options_took_ten_times_as_long_since_it_kept_what_ansible_remembers_of_them() -> None:
    given = {OfAnsible("pool"): [OfAnsible("shop"), NumberOfAnsible(3), True, None, (1.5,)]}
    found = modules.plain(given)
    assert found == {"pool": ["shop", 3, True, None, [1.5]]}
    assert [type(one) for one in (*found, *found["pool"][:3])] == [str, str, int, bool]


def test_a_call_changes_neither_the_options_nor_the_defaults_of_the_next_one() -> None:
    spec = {
        "argument_spec": {"guard": {"type": "dict", "default": {}, "options": {"floor": {"type": "int", "default": 1}}}}
    }
    given = {"guard": {}}
    assert modules.validated("some", spec, given) == {"guard": {"floor": 1}}
    assert given == {"guard": {}}
    assert spec["argument_spec"]["guard"]["default"] == {}
    assert modules.validated("some", spec, {}) == {"guard": {"floor": 1}}
    assert spec["argument_spec"]["guard"]["default"] == {}
