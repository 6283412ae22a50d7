# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""smoke_test as Ansible runs it: in the worker and as a module; nothing that is printed or logged holds a secret."""

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest
import yaml
from support import customers
from support.customers import PASSWORD, Customers
from support.playbooks import played, run_playbook

from ansible_collections.steady.rollout.plugins.modules import smoke_test

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]


@pytest.fixture
def server() -> t.Iterator[Customers]:
    with customers.serving() as running:
        yield running


def test_examples_run_as_written(server: Customers, way: dict[str, t.Any], tmp_path: pathlib.Path) -> None:
    with customers.serving() as other:
        examples = smoke_test.EXAMPLES.replace("http://10.0.0.1:8080", server.url)
        tasks = yaml.safe_load(examples.replace("http://10.0.0.2:8080", other.url))
        play = {"tasks": tasks, "vars": {"smoke_password": PASSWORD}, **way}
        exit_code, printed = played(tmp_path, play)
    assert exit_code == 0, printed
    assert len(server.orders) == len(other.orders) == 1


@pytest.mark.parametrize("verbosity", ["-v", "-vvvvv"])
def test_no_secret_is_printed(server: Customers, way: dict[str, t.Any], verbosity: str, tmp_path: pathlib.Path) -> None:
    task = {
        "steady.rollout.smoke_test": {
            "targets": [{"name": "shop", "url": server.url.replace("http://", "http://ana:url-secret@")}],
            "headers": {"X-Api": "header-secret"},
            "requests": [
                {
                    "url": "/login",
                    "method": "POST",
                    "body": {"password": PASSWORD},
                    "keep": {"token": "body.access_token"},
                },
                {"url": "/echo", "method": "POST", "body": "body-secret", "secret": True, "status": [500]},
                {"url": "/echo", "headers": {"Authorization": "Bearer ${token}"}, "body": {"pin": "q7"}},
            ],
        },
        "register": "tested",
        "ignore_errors": True,
    }
    show = {"ansible.builtin.debug": {"var": "tested"}}
    exit_code, printed = played(tmp_path, {"tasks": [{**task, **way}, show]}, verbosity, "--diff")
    assert exit_code == 0, printed
    assert "answered 500, expected 200" in printed
    hidden = [PASSWORD, "correct-horse", "url-secret", "header-secret", "body-secret", *server.tokens]
    assert [secret for secret in hidden if secret in printed] == []


def test_wrong_options_are_refused_before_anything_is_sent(
    server: Customers, way: dict[str, t.Any], tmp_path: pathlib.Path
) -> None:
    requests = [{"url": "/"}, {"url": "/account", "headers": {"Authorization": "Bearer ${tokn}"}}]
    task = {"steady.rollout.smoke_test": {"targets": [server.url], "requests": requests}, **way}
    exit_code, printed = played(tmp_path, {"tasks": [task]})
    assert exit_code != 0
    assert "uses ${tokn} in headers, and no request before it keeps a value of that name (none keeps any)" in printed
    assert server.asked == []


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"rollout_smoke_tests": [{"name": "home", "url": "/", "headers": {"A": "${tokn}"}}]},
            "requests: 'home' uses ${tokn} in headers, and no request before it keeps a value of that name (none keeps any).",
        ),
        (
            {"rollout_smoke_tests": [{"name": "home", "url": "/"}], "rollout_health": {"tcp": "127.0.0.1:1"}},
            "rollout_smoke_url is not set, and rollout_health has no url to take it from: set the base URL of the smoke tests.",
        ),
    ],
)
def test_a_rollout_refuses_smoke_tests_that_cannot_be_right_before_anything_is_touched(
    settings: dict[str, t.Any], sentence: str, tmp_path: pathlib.Path
) -> None:
    everything = {
        "rollout_service": "shop",
        "rollout_version": "2.0.0",
        "rollout_artifact": __file__,
        "rollout_release_path": str(tmp_path / "releases"),
        "rollout_unit": "shop",
        "rollout_ledger": str(tmp_path / "ledger"),
        "rollout_health": {"url": "http://127.0.0.1:1/health"},
        **settings,
    }
    inventory = tmp_path / "inventory.yml"
    inventory.write_text(yaml.safe_dump({"fleet": {"hosts": {"app1": {"ansible_connection": "local"}}}}))
    exit_code, printed = run_playbook(
        tmp_path, REPOSITORY / "playbooks" / "rolling.yml", "-i", str(inventory), "-e", json.dumps(everything)
    )
    assert exit_code != 0
    assert sentence in " ".join(printed.split())
    assert not (tmp_path / "ledger").exists()
