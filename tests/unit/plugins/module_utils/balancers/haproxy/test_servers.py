# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that HAProxy gets and loses at run time, command by command."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import MemberBusy, NewMember
from ansible_collections.steady.rollout.plugins.module_utils.balancers.haproxy import servers
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError

NEW = NewMember("app7", "192.0.2.7:8080", "check  inter 1s")


class Script:
    where = "lb1 a.sock"

    def __init__(self, replies: t.Mapping[str, str]) -> None:
        self._replies = replies
        self.asked: list[str] = []

    def ask(self, commands: t.Sequence[str]) -> list[str]:
        self.asked += commands
        return [self._replies.get(command.split(" shop/")[0], "") for command in commands]


def pool(**replies: str) -> tuple[servers.Servers, Script]:
    usual = {"add server": "New server registered.", "del server": "Server deleted."}
    script = Script({**usual, **{name.replace("_", " "): reply for name, reply in replies.items()}})
    return servers.Servers(script, "shop"), script


def test_a_new_server_is_drained_and_checked_from_its_first_moment_on() -> None:
    found, script = pool()
    found.add(NEW)
    assert script.asked == [
        "add server shop/app7 192.0.2.7:8080 check inter 1s",
        "enable health shop/app7",
        "set server shop/app7 state drain",
    ]


def test_checks_are_enabled_only_where_there_are_some() -> None:
    found, script = pool()
    found.add(NEW._replace(parameters="weight 3"))
    found.add(NEW._replace(parameters="agent-check agent-port 9000"))
    assert [line for line in script.asked if line.startswith("enable")] == ["enable agent shop/app7"]


@pytest.mark.parametrize(
    ("reply", "hint"),
    [
        (
            "Backend must use a dynamic load balancing to support dynamic servers.",
            "Use 'balance roundrobin', 'leastconn' or another dynamic algorithm.",
        ),
        (
            "'cookie' option is not accepted for dynamic server",
            "Remove that parameter from balancer.member_parameters, or add the server to the configuration.",
        ),
        ("unknown keyword 'bogus'.", "Correct balancer.member_parameters."),
        (
            "This command is restricted to experimental mode only.",
            "This needs HAProxy 2.6 or newer: add the server to the configuration instead.",
        ),
        (
            "Permission denied",
            "The socket's level is operator or user; add 'level admin' to its 'stats socket' line.",
        ),
        ("No such backend.", "Change the configuration instead, and reload."),
    ],
)
def test_what_haproxy_refuses_is_quoted_with_what_to_do(reply: str, hint: str) -> None:
    found, dummy = pool(add_server=reply)
    with pytest.raises(RolloutError) as caught:
        found.add(NEW)
    assert caught.value.message == (
        f"lb1 a.sock: HAProxy answered '{reply.rstrip('.')}' to 'add server shop/app7 192.0.2.7:8080 check inter 1s'. {hint}"
    )


def test_a_server_is_removed_in_maintenance() -> None:
    found, script = pool()
    found.remove("app7")
    assert script.asked == ["set server shop/app7 state maint", "del server shop/app7"]


@pytest.mark.parametrize(
    "reply",
    [
        "Server still has connections attached to it, cannot remove it.",
        "Server has still idle connections attached to it.",
    ],
)
def test_a_server_with_connections_left_is_busy(reply: str) -> None:
    found, dummy = pool(del_server=reply)
    with pytest.raises(MemberBusy):
        found.remove("app7")


@pytest.mark.parametrize(
    ("new", "message"),
    [
        (
            NEW._replace(name="app 7"),
            "member: expected a name of letters, digits and - _ . : only, found 'app 7'.",
        ),
        (
            NEW._replace(address="app7.example:8080"),
            "address: expected an IP address with a port, such as 192.0.2.7:8080 or [2001:db8::7]:8080, found "
            "'app7.example:8080'; HAProxy does not resolve the name of a server that is added at run time.",
        ),
        (
            NEW._replace(parameters="check; shutdown sessions server shop/app1"),
            "balancer.member_parameters: expected parameters of a 'server' line, found ';', '<' or a line break.",
        ),
    ],
)
def test_what_cannot_be_a_line_is_refused_before_it_is_sent(new: NewMember, message: str) -> None:
    with pytest.raises(InputError) as caught:
        servers.refuse_bad(new)
    assert caught.value.message == message


def test_what_a_reload_undoes_is_said() -> None:
    assert servers.lost_by_reload("shop", NEW) == (
        "HAProxy loses 'app7' at its next reload unless its configuration is changed too: add 'server app7 192.0.2.7:8080 "
        "check inter 1s' to backend shop."
    )
    assert servers.lost_by_reload("shop", "app7") == (
        "HAProxy's next reload adds 'app7' again unless its configuration is changed too: remove its 'server' line from "
        "backend shop."
    )
