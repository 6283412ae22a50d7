# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables of the fleet's hosts."""

from __future__ import annotations

import types
import typing as t

import jinja2
import pytest
from ansible import template
from ansible.parsing.dataloader import DataLoader

from ansible_collections.steady.rollout.plugins.plugin_utils import variables

trusted: t.Callable[[str], str] = getattr(template, "trust_as_template", lambda text: text)
SHARED = {
    "rollout_member": trusted("{{ inventory_hostname }}.example"),
    "rollout_health": {
        "url": trusted("http://{{ ansible_host }}:8080/health"),
        "expect": trusted("version == '{{ rollout_target.version }}'"),
    },
}
HOSTS = {"web1": "10.0.0.1", "web2": "10.0.0.2", "web3": "10.0.0.3"}


def test_templates_that_hosts_share_are_compiled_once_and_evaluated_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[str] = []
    compile_of_jinja: t.Callable[..., t.Any] = jinja2.Environment.compile
    monkeypatch.setattr(
        jinja2.Environment,
        "compile",
        lambda environment, source, *others, **more: (
            compiled.append(str(source)) or compile_of_jinja(environment, source, *others, **more)
        ),
    )
    monkeypatch.setattr(
        variables,
        "variables_of",
        lambda _action, name, _vars: {**SHARED, "inventory_hostname": name, "ansible_host": HOSTS[name]},
    )
    action: t.Any = types.SimpleNamespace(_templar=template.Templar(loader=DataLoader(), variables={}))
    members = variables.members_of(action, HOSTS, {"web1", "web3"}, {})
    assert [(one.name, one.member, one.in_scope, one.health["url"]) for one in members] == [
        ("web1", "web1.example", True, "http://10.0.0.1:8080/health"),
        ("web2", "web2.example", False, "http://10.0.0.2:8080/health"),
        ("web3", "web3.example", True, "http://10.0.0.3:8080/health"),
    ]
    assert sorted(compiled) == sorted([SHARED["rollout_member"], *SHARED["rollout_health"].values()])
