# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What smoke_test as a module writes to the log of its host and to its invocation."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible.module_utils import basic

from ansible_collections.steady.rollout.plugins.modules import smoke_test

SECRETS = ["pw1", "header-secret", "body-secret", "query-secret", "qs2", "url-secret"]
OPTIONS: dict[str, t.Any] = {
    "targets": [{"name": "shop", "url": "http://ana:url-secret@127.0.0.1:1"}],
    "headers": {"X-Api": "header-secret"},
    "requests": [
        {"url": "/a?api_key=query-secret", "body": {"password": "pw1", "pieces": 2}},
        {"url": "/b?token=qs2", "body": "body-secret", "secret": True},
    ],
}


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(basic.AnsibleModule, "log", lambda dummy, msg, log_args=None: lines.append(f"{msg} {log_args}"))
    return lines


def test_neither_log_nor_result_holds_a_secret(
    logged: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = {**OPTIONS, "_ansible_check_mode": True, "_ansible_verbosity": 3}
    if "inject_invocation" in basic.PASS_VARS:
        # Newer ansible-cores tell what a module was called with only where they are asked to.
        arguments["_ansible_inject_invocation"] = True
    monkeypatch.setattr(basic, "_ANSIBLE_ARGS", json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode())
    monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
    with pytest.raises(SystemExit) as ended:
        smoke_test.main()
    printed = capsys.readouterr().out
    result = json.loads(printed)
    assert ended.value.code == 0
    assert result["msg"] == "Check mode: 2 requests would be sent."
    assert result["invocation"]["module_args"]["requests"][0]["body"] == "********"
    assert logged
    assert [secret for secret in SECRETS if secret in printed + "".join(logged)] == []
