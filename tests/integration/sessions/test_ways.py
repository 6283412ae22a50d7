# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a host is reached: each way is a session, or the module with the reason, and leaves nothing running."""

from __future__ import annotations

import glob
import os
import shlex
import typing as t

import pytest
from support import sshd
from support.executing import Controller, until
from support.sshd import Sshd

RUNNER = "ls /var/lib/steady-rollout/runner 2>/dev/null"


def whoami(host: str, **options: t.Any) -> dict[str, t.Any]:
    """A call that says as whom it was made."""
    target = {"name": "user", "command": ["id", "-un"]}
    return {"host": host, "module": "health_wait", "arguments": {"targets": [target], "successes": 1}, **options}


def user(call: dict[str, t.Any]) -> str:
    assert call["result"].get("healthy"), call
    return str(call["result"]["targets"]["user"]["last"]["body"]).strip()


def test_one_session_serves_all_calls_and_nothing_stays_but_the_runner(controller: Controller, plain: Sshd) -> None:
    controller.hosts["app1"] = plain.variables()
    calls = controller.calls(
        [whoami("app1")], [whoami("app1"), whoami("app1")], environment={"STEADY_ROLLOUT_RUN": "r1"}
    )
    assert [(call["kind"], user(call)) for call in calls] == [("session", "root")] * 3
    until(lambda: not plain.sessions())
    assert len(plain.inside(RUNNER).split()) == 1


def test_another_user_by_sudo_with_a_password(controller: Controller, plain: Sshd) -> None:
    controller.hosts["app1"] = {**plain.variables(sshd.USER), "ansible_become_password": sshd.PASSWORD}
    plainly, as_root = controller.calls([whoami("app1"), whoami("app1", become=True)])
    assert [(plainly["kind"], user(plainly)), (as_root["kind"], user(as_root))] == [
        ("session", "ops"),
        ("session", "root"),
    ]
    assert sshd.PASSWORD not in controller.printed


def test_another_user_by_su_with_a_password(controller: Controller, plain: Sshd) -> None:
    su = {"ansible_become_method": "su", "ansible_become_user": sshd.USER, "ansible_become_password": sshd.PASSWORD}
    other = {**plain.variables(sshd.USER), **su}
    controller.hosts["app1"] = other
    (call,) = controller.calls([whoami("app1", become=True)])
    assert (call["kind"], user(call)) == ("session", "ops")


def test_a_wrong_password_is_one_sentence_and_one_attempt(controller: Controller, plain: Sshd) -> None:
    controller.hosts["app1"] = {**plain.variables(sshd.USER), "ansible_become_password": "wrong"}
    (call,) = controller.calls([whoami("app1", become=True)])
    assert call["unreachable"]
    assert call["result"]["msg"] == "app1 cannot be used as another user: sudo does not accept the password."


def test_no_password_is_one_sentence(controller: Controller, plain: Sshd) -> None:
    controller.hosts["app1"] = plain.variables(sshd.USER)
    (call,) = controller.calls([whoami("app1", become=True)])
    assert call["result"]["msg"] == (
        "app1 cannot be used as another user: sudo asks for a password and none is set (ansible_become_password)."
    )


def test_the_login_by_password(controller: Controller, plain: Sshd) -> None:
    controller.hosts["app1"] = plain.variables(sshd.USER, by_password=True)
    (call,) = controller.calls([whoami("app1")])
    assert (call["kind"], user(call)) == ("session", "ops")


def test_through_a_jump_host(controller: Controller, plain: Sshd) -> None:
    with Sshd() as behind:
        variables = behind.variables()
        variables["ansible_ssh_common_args"] += " " + shlex.join(plain.jump())
        controller.hosts["app1"] = variables
        (call,) = controller.calls([whoami("app1")])
        assert (call["kind"], user(call)) == ("session", "root")
    assert "Accepted publickey for root" in plain.log()


def test_without_control_persist_sessions_keep_connections_of_their_own(controller: Controller, plain: Sshd) -> None:
    controller.hosts["app1"] = {**plain.variables(), "ansible_ssh_args": "-C"}
    (call,) = controller.calls([whoami("app1")])
    assert (call["kind"], user(call)) == ("session", "root")


def test_a_host_that_does_not_answer_is_named(controller: Controller, plain: Sshd) -> None:
    controller.hosts["app1"] = {**plain.variables(), "ansible_port": 1}
    (call,) = controller.calls([whoami("app1")])
    assert call["unreachable"]
    assert call["result"]["msg"] == (
        "app1 cannot be reached over ssh (connect to host 127.0.0.1 port 1: Connection refused)."
    )


def test_the_interpreter_is_found_where_none_is_given(controller: Controller, plain: Sshd) -> None:
    several = ["/bin/python3.99", "/bin/false", "/usr/bin/python3"]
    variables = {"ansible_python_interpreter": "auto_silent", "ansible_interpreter_python_fallback": several}
    controller.hosts["app1"] = {**plain.variables(), **variables}
    (call,) = controller.calls([whoami("app1")])
    assert (call["kind"], user(call)) == ("session", "root")


@pytest.mark.parametrize("version", ["3.8", "3.9", "3.10", "3.12", "3.13"])
def test_every_python_that_hosts_have(controller: Controller, plain: Sshd, version: str) -> None:
    places = ("/usr/bin", "/usr/local/bin", *glob.glob(os.path.expanduser(f"~/.pyenv/versions/{version}.*/bin")))
    found = [f"{place}/python{version}" for place in places if os.path.exists(f"{place}/python{version}")]
    if not found:
        pytest.skip(f"Python {version} is not here")
    controller.hosts["app1"] = {**plain.variables(), "ansible_python_interpreter": found[0]}
    (call,) = controller.calls([whoami("app1")])
    assert (call["kind"], user(call)) == ("session", "root")


@pytest.mark.parametrize(
    ("variables", "why"),
    [
        ({"ansible_connection": "other"}, "its connection is other"),
        ({"ansible_python_interpreter": "/does/not/exist"}, "exec: /does/not/exist: not found"),
    ],
)
def test_what_has_no_session_says_why(
    controller: Controller, plain: Sshd, variables: dict[str, t.Any], why: str
) -> None:
    controller.hosts["app1"] = {**plain.variables(), **variables}
    (call,) = controller.calls([whoami("app1")])
    assert call["kind"] == "module"
    assert why in call["why_not_session"]
    assert call["why_not_session"].startswith("app1 has no session, modules run instead: ")
    assert call["why_not_session"] in " ".join(controller.printed.split())


def test_a_terminal_that_sudo_requires(controller: Controller) -> None:
    with Sshd(sudoers="Defaults requiretty\n") as server:
        controller.hosts["app1"] = {**server.variables(sshd.USER), "ansible_become_password": sshd.PASSWORD}
        (call,) = controller.calls([whoami("app1", become=True)])
    assert (call["kind"], user(call)) == ("module", "root")
    assert call["why_not_session"].startswith("app1 has no session, modules run instead: sudo: ")


def test_a_home_directory_without_execution(controller: Controller) -> None:
    with Sshd(home=f"noexec,uid={sshd.UID},mode=0700") as server:
        controller.hosts["app1"] = server.variables(sshd.USER)
        calls = controller.calls([whoami("app1")], [whoami("app1")])
        assert {(call["kind"], user(call)) for call in calls} == {("session", "ops")}
        kept = server.inside(f"ls {server.home}/.local/state/steady-rollout/runner")
    assert len(kept.split()) == 1


def test_no_space_for_the_runner(controller: Controller) -> None:
    """It is sent with each session: what is drained there must still be put back."""
    with Sshd(home=f"size=40k,uid={sshd.UID},mode=0700") as server:
        controller.hosts["app1"] = server.variables(sshd.USER)
        (call,) = controller.calls([whoami("app1")])
        assert (call["kind"], user(call)) == ("session", "ops")
        assert server.inside(f"ls {server.home}/.local/state/steady-rollout/runner") == ""
    assert (
        "<app1> The runner is sent with each session, it cannot be kept: No space left on device" in controller.printed
    )


def test_no_private_directory(controller: Controller) -> None:
    with Sshd() as server:
        server.inside("chown 4711 /var/lib/steady-rollout")
        controller.hosts["app1"] = server.variables()
        (call,) = controller.calls([whoami("app1")])
    assert (call["kind"], user(call)) == ("module", "root")
    assert call["why_not_session"] == (
        "app1 has no session, modules run instead: there is no private directory for the runner: "
        "/var/lib/steady-rollout belongs to uid 4711 and not to uid 0."
    )
