# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever goes wrong with asking is an objection, and never a consent."""

from __future__ import annotations

import typing as t

import pytest
from support.scripted_executors import ScriptedExecutors

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.executor import Unreachable
from ansible_collections.steady.rollout.plugins.plugin_utils.veto.asking import Asking, Opinion
from ansible_collections.steady.rollout.plugins.plugin_utils.veto.rules import Rule, rules_of

GROUPS = {"all": ["db1", "db2", "db3"]}
FLEET = ["db1", "db2", "db3"]
URL = {"type": "http", "url": "http://es:9200/_cluster/health"}


def asked(
    answer: t.Any, *rules: dict[str, t.Any], host: str = "db2", remaining: t.Sequence[str] = ()
) -> tuple[Opinion, ScriptedExecutors]:
    executors = ScriptedExecutors(answer)
    found = rules_of(list(rules), GROUPS, FLEET)
    asking = Asking(t.cast("t.Any", executors), lambda name: found)
    return asking.ask(host, remaining, False), executors


def probed(healthy: t.Any, reason: str = "answered 200", body: str | None = None, name: str = "http") -> t.Any:
    seen = {name: {"healthy": healthy, "last": {"reason": reason, "body": body}}}
    return lambda host, module, given: {"healthy": healthy, "targets": seen}


def test_an_address_is_asked_once_from_the_controller() -> None:
    opinion, executors = asked(probed(True), URL)
    assert opinion.consents
    assert executors.calls == [
        ("localhost", "health_wait", {"targets": [{"url": URL["url"], "name": "http"}], "timeout": 0, "fail": False})
    ]


def test_a_command_runs_on_the_host_or_where_the_rule_says() -> None:
    rule = {"type": "command", "command": ["may-go"]}
    assert asked(probed(True, name="command"), rule)[1].calls[0][0] == "db2"
    assert asked(probed(True, name="command"), {**rule, "from": "db3"})[1].calls[0][0] == "db3"


def test_one_consent_does_not_outweigh_an_objection() -> None:
    seen = {"http": {"healthy": True, "last": {"reason": "answered 200"}},
            "command": {"healthy": False, "last": {"reason": "exit status 1"}}}  # fmt: skip

    def answer(host: str, module: str, given: dict[str, t.Any]) -> dict[str, t.Any]:
        name = given["targets"][0]["name"]
        return {"healthy": seen[name]["healthy"], "targets": {name: seen[name]}}

    opinion = asked(answer, URL, {"type": "command", "command": ["may-go"]})[0]
    assert (opinion.consents, opinion.objection) == (False, "command: exit status 1")


def test_who_objects_and_what_was_said() -> None:
    opinion = asked(probed(False, "http://es:9200/_cluster/health answered 408", '{"status": "yellow"}'), URL)[0]
    assert not opinion.consents
    assert opinion.objection == 'http: http://es:9200/_cluster/health answered 408 ({"status": "yellow"})'
    assert opinion.counts


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda *call: None, "http: no answer"),
        (lambda *call: {"healthy": True}, "http: no answer"),
        (lambda *call: {"healthy": True, "targets": {"http": {"last": None}}}, "http: no answer"),
        (lambda *call: {"healthy": True, "targets": ["x"]}, "http: could not be checked: AttributeError: 'list' object has no attribute 'get'"),
        (probed("yes"), "http: answered 200"),
        (probed(1), "http: answered 200"),
        (probed(None), "http: answered 200"),
        (lambda *call: {"failed": True, "msg": "expect: cannot be read"}, "http: expect: cannot be read"),
        (lambda *call: Unreachable("db2", "connection reset"), "http: db2: connection reset"),
        (lambda *call: ValueError("what is this\nTraceback"), "http: could not be checked: ValueError: what is this"),
    ],
)  # fmt: skip
def test_an_answer_that_cannot_be_understood_is_an_objection(answer: t.Any, said: str) -> None:
    opinion = asked(answer, URL)[0]
    assert (opinion.consents, opinion.counts) == (False, True)
    assert opinion.objection.startswith(said.split("db2: ")[0])


def test_rules_that_cannot_be_evaluated_are_an_objection() -> None:
    def rules(name: str) -> list[Rule]:
        raise InputError("rollout_veto[0]: its type 'x' is not one of them.")

    opinion = Asking(t.cast("t.Any", ScriptedExecutors()), rules).ask("db2", [], False)
    assert opinion.objection == "rollout_veto: rollout_veto[0]: its type 'x' is not one of them."


def test_what_is_said_is_short_printable_and_without_secrets() -> None:
    rule = {**URL, "headers": {"Authorization": "Bearer t0p-s3cret-token"}}
    said = "answered 500 with t0p-s3cret-token, password=hunter22 \x1b[31mred" + "x" * 300
    text = asked(probed(False, said), rule)[0].objection
    assert [word for word in ("s3cret", "hunter22", "\x1b") if word in text] == []
    assert len(text) < 250


def member(role: str, **changes: t.Any) -> dict[str, t.Any]:
    return {"role": role, "follows": role == "replica", "position": 7, "cluster": "c", **changes}


def servers(host: str, module: str, given: dict[str, t.Any]) -> dict[str, t.Any]:
    assert module == "replica_info"
    return member("primary" if host == "db1" else "replica")


def test_every_host_of_the_group_is_asked_with_its_own_options() -> None:
    executors = ScriptedExecutors(servers)
    rules = {name: rules_of([{"type": "postgresql", "url": f"postgresql:///{name}"}], GROUPS, FLEET) for name in FLEET}
    opinion = Asking(t.cast("t.Any", executors), lambda name: rules[name]).ask("db2", [], False)
    assert opinion.consents
    assert executors.done("replica_info") == [
        (name, {"type": "postgresql", "url": f"postgresql:///{name}"}) for name in FLEET
    ]


def test_a_primary_that_waits_for_its_turn_does_not_use_up_the_time() -> None:
    rule = {"type": "postgresql"}
    opinion = asked(servers, rule, host="db1", remaining=["db2", "app9"])[0]
    assert opinion.objection == "postgresql: db1 is the primary and is changed last; db2 is still to be changed"
    assert not opinion.counts
    both = asked(servers, rule, URL, host="db1", remaining=["db2"])[0]
    assert both.counts


def test_a_host_of_no_group_is_not_asked_about() -> None:
    opinion, executors = asked(servers, {"type": "postgresql", "hosts": ["db1", "db3"]})
    assert opinion.consents
    assert executors.calls == []


def test_a_quorum_is_the_ledgers() -> None:
    opinion, executors = asked(servers, {"type": "quorum", "hosts": ["db1", "db2"]})
    assert [answer.text for answer in opinion.answers] == ["quorum: at most 1 of 2 hosts may be out of service"]
    assert executors.calls == []
