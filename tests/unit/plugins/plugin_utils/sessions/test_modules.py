# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

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
    params, places = modules.validated_for_elsewhere("m", SPEC, given)
    assert params["path"] == "~/a"
    assert params["many"][1]["file"] == "~/c"
    assert places == [["path"], ["more", 0], ["one", "file"], ["many", 1, "file"]]


def test_wrong_options_are_refused_on_the_controller() -> None:
    with pytest.raises(InputError) as refused:
        modules.validated("m", SPEC, {"txt": "a"})
    assert refused.value.message == "m: txt. Supported parameters include: many, more, one, path, text."


@pytest.mark.parametrize("module", MODULES)
def test_every_core_lies_where_a_session_may_run_it(module: str) -> None:
    name = modules.core_name(modules.source_of(module))
    assert name.startswith("ansible_collections.steady.rollout.plugins.module_utils.")


@pytest.mark.parametrize("name", ["../x", "os", "", "a.b"])
def test_only_modules_of_the_collection_are_run(name: str) -> None:
    with pytest.raises((InputError, ImportError)):
        modules.source_of(name)
