# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.plugin_utils.veto import rules

GROUPS = {"all": ["db1", "db2", "db3", "app1"], "databases": ["db1", "db2", "db3"]}
FLEET = ["db1", "db2"]
TYPES = "command, http, quorum, postgresql, redis_sentinel, etcd, rabbitmq"


def test_a_rule_of_a_group_is_a_quorum_for_the_ledger() -> None:
    found = rules.rules_of(
        [
            {"type": "quorum", "name": "set 1", "hosts": ["db1", "db3"], "max_out": "2"},
            {"type": "postgresql", "group": "databases"},
            {"type": "redis_sentinel"},
            {"type": "http", "url": "http://es:9200/_cluster/health"},
        ],
        GROUPS,
        FLEET,
    )
    assert rules.quorums(found) == [
        {"name": "set 1", "hosts": ["db1", "db3"], "max_out": 2},
        {"name": "postgresql", "hosts": ["db1", "db2", "db3"], "max_out": 1},
        {"name": "redis_sentinel", "hosts": ["db1", "db2"], "max_out": 1},
    ]


def test_a_command_is_asked_on_the_host_and_an_address_from_the_controller() -> None:
    found = rules.rules_of(
        [{"type": "command", "command": ["may-go"]}, {"type": "http", "url": "http://es:9200/", "expect": "ok"}], {}, []
    )
    assert [rule.asked_from for rule in found] == ["host", "controller"]
    assert found[1].of_the_probe() == {"name": "http", "url": "http://es:9200/", "expect": "ok"}


def test_only_the_options_of_the_module_are_sent_to_a_member() -> None:
    (rule,) = rules.rules_of(
        [{"type": "postgresql", "url": "postgresql:///x", "max_lag": "2M", "max_out": 1, "hosts": ["db1"]}], GROUPS, []
    )
    assert rule.of_the_member() == {"type": "postgresql", "url": "postgresql:///x"}
    assert rule.max_lag == 2e6


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("x", "rollout_veto must be a list of rules, such as [{type: postgresql, group: databases}]."),
        ([{"type": "mysql"}], f"rollout_veto[0]: its type 'mysql' is not one of {TYPES}."),
        ([{}], f"rollout_veto[0]: its type 'None' is not one of {TYPES}."),
        (
            [{"type": "quorum", "grup": "databases"}],
            "rollout_veto[0]: unknown option 'grup'; a rule of type quorum takes name, type, group, hosts, max_out.",
        ),
        ([{"type": "http"}], "rollout_veto[0]: a rule of type http needs 'url'."),
        ([{"type": "command", "command": []}], "rollout_veto[0]: a rule of type command needs 'command'."),
        (
            [{"type": "quorum", "group": "database"}],
            "rollout_veto[0].group: 'database' is not a group in the inventory: correct its name.",
        ),
        (
            [{"type": "quorum", "hosts": ["db1", "db9"]}],
            "rollout_veto[0].hosts: 'db9' is not in the inventory: correct its name.",
        ),
        ([{"type": "quorum", "hosts": []}], "rollout_veto[0].hosts must be a list of hosts."),
        (
            [{"type": "quorum", "hosts": ["db1"], "group": "databases"}],
            "rollout_veto[0] has both 'group' and 'hosts': give one of them.",
        ),
        (
            [{"type": "quorum", "max_out": 0}],
            "rollout_veto[0].max_out: expected a whole number of at least 1, found '0'.",
        ),
        (
            [{"type": "postgresql", "max_lag": "much"}],
            "rollout_veto[0].max_lag: 'much' is not a size such as 500M or 2G.",
        ),
        (
            [{"type": "postgresql", "timeout": 0}],
            "rollout_veto[0].timeout: expected more than 0 s, found 0.",
        ),
        (
            [{"type": "http", "url": "es:9200/_cluster/health"}],
            "rollout_veto[0]: the url of 'http' is not an http or https URL with a host and a valid port: "
            "es:9200/_cluster/health",
        ),
        (
            [{"type": "http", "url": "http://es:9200/", "expect": "status = 'green'"}],
            "rollout_veto[0]: expect of 'http' is not valid JMESPath: \"status = 'green'\" (Bad jmespath expression: "
            "Unknown token '=').",
        ),
        (
            [{"type": "http", "url": "http://es:9200/", "status": [99]}],
            "rollout_veto[0]: 'http' has status 99; an HTTP status is from 100 to 599.",
        ),
        (
            [{"type": "quorum"}, {"type": "quorum"}],
            "rollout_veto: 'quorum' appears twice; give each rule a 'name' of its own.",
        ),
    ],
)
def test_what_cannot_be_right_is_named(given: t.Any, sentence: str) -> None:
    assert rules.settings_errors(given, GROUPS) == [sentence]
    with pytest.raises(InputError) as caught:
        rules.rules_of(given, GROUPS, FLEET)
    assert caught.value.message == sentence


def test_nothing_is_wrong_with_no_rules() -> None:
    assert rules.settings_errors([], {}) == []
    assert rules.rules_of([], {}, []) == []


def test_how_long_an_objection_is_waited_for_is_a_duration() -> None:
    wrong = {"rollout_veto_wait": "long", "rollout_veto_poll": 5}
    (sentence,) = rules.times_errors(wrong)
    assert sentence.startswith("rollout_veto_wait: 'long'")
