# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module metric_gate: what its documentation says is what it accepts and returns."""

from __future__ import annotations

import typing as t

import yaml

from ansible_collections.steady.rollout.plugins.doc_fragments import balancer
from ansible_collections.steady.rollout.plugins.module_utils.ledger.storage.measurements import Watch
from ansible_collections.steady.rollout.plugins.module_utils.metrics import plan, report
from ansible_collections.steady.rollout.plugins.module_utils.metrics.policies import Decision
from ansible_collections.steady.rollout.plugins.modules import lb_member_info, metric_gate

Options = t.Dict[str, t.Any]


def comparable(options: Options, nested: str) -> Options:
    flat: Options = {}
    for name, option in options.items():
        keys = ("type", "elements", "default", "required", "choices", "aliases")
        flat[name] = {key: option[key] for key in keys if option.get(key) not in (None, False, [], {})}
        for inner, more in comparable(option.get(nested) or {}, nested).items():
            flat[f"{name}.{inner}"] = more
    return flat


def test_options() -> None:
    documented = yaml.safe_load(balancer.ModuleDocFragment.NODES)["options"]
    documented.update(yaml.safe_load(metric_gate.DOCUMENTATION)["options"])
    assert comparable(metric_gate.SPEC["argument_spec"], "options") == comparable(documented, "suboptions")


def test_balancers_are_described_as_the_one_of_other_modules() -> None:
    nodes = yaml.safe_load(balancer.ModuleDocFragment.NODES)["options"]["balancers"]
    one = yaml.safe_load(balancer.ModuleDocFragment.DOCUMENTATION)["options"]["balancer"]
    assert list(nodes["suboptions"]) == list(one["suboptions"])
    assert (nodes["type"], nodes["elements"], nodes.get("required")) == ("list", "dict", None)
    assert "O(balancer." not in balancer.ModuleDocFragment.NODES
    assert lb_member_info.SPEC["argument_spec"]["balancer"]["type"] == "dict"


def test_results() -> None:
    documented = yaml.safe_load(metric_gate.RETURN)
    params = {"window": "300", "interval": "10", "groups": {"canary": ["a"]}}
    params.update(dict.fromkeys(("on_inconclusive", "on_no_data", "on_error"), "stop"))
    outcome = report.Outcome(Decision("wait", "so far"), None, Watch("shop", 1, "run", "gate", 0.0))
    assert {*documented, "changed"} == set(report.result(outcome, plan.from_params(params, lambda *dummy: (0, "", ""))))
