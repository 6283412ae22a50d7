# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ledger's modules: what their documentation says is what they take and return, and check mode writes nothing."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import typing as t

import pytest
import yaml
from support.cores import call_core, params_of
from support.documented import accepted, documented
from support.ledger_client import OWNER, fleet, pool

from ansible_collections.steady.rollout.plugins.module_utils.ledger import dispatch
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.policy import DEFAULTS
from ansible_collections.steady.rollout.plugins.module_utils.ledger.session import Controller
from ansible_collections.steady.rollout.plugins.modules import (
    rollout,
    rollout_approval,
    rollout_claim,
    rollout_control,
    rollout_flag_release,
    rollout_gate,
    rollout_host,
    rollout_info,
    rollout_shift,
    rollout_watch,
)

MODULES = [
    rollout,
    rollout_approval,
    rollout_control,
    rollout_claim,
    rollout_flag_release,
    rollout_host,
    rollout_gate,
    rollout_info,
    rollout_shift,
    rollout_watch,
]
TAKEN_BY_ANSIBLE = {"rc", "skipped", "items", "keys", "values", "get", "copy", "update", "pop"}
Options = t.Dict[str, t.Any]


class Service:
    """A service of its own in a ledger of its own, called as Ansible calls the modules."""

    def __init__(self, ledger: str) -> None:
        self.options: Options = {"service": "shop", "ledger": ledger}

    def rollout(self, state: str, check_mode: bool = False, **options: t.Any) -> Options:
        return self._call(rollout, check_mode, state=state, **options)

    def control(self, state: str, check_mode: bool = False, **options: t.Any) -> Options:
        options = {"service": "shop", "ledger": self.options["ledger"], "state": state, **options}
        return self._checked(call_core(rollout_control, check_mode=check_mode, **options))

    def approval(self, state: str, **options: t.Any) -> Options:
        options = {"service": "shop", "ledger": self.options["ledger"], "state": state, **options}
        return self._checked(call_core(rollout_approval, **options))

    def claim(self, state: str, check_mode: bool = False, **options: t.Any) -> Options:
        return self._checked(call_core(rollout_claim, check_mode=check_mode, service="shop", state=state, **options))

    def host(self, state: str, check_mode: bool = False, **options: t.Any) -> Options:
        return self._call(rollout_host, check_mode, state=state, host="app1", **options)

    def gate(self, verdict: str, check_mode: bool = False, **options: t.Any) -> Options:
        return self._call(rollout_gate, check_mode, verdict=verdict, **options)

    def shift(self, check_mode: bool = False, **options: t.Any) -> Options:
        return self._call(rollout_shift, check_mode, **options)

    def info(self) -> Options:
        return call_core(rollout_info, service="shop", ledger=self.options["ledger"]).result

    def opened(self, **options: t.Any) -> Options:
        answer = self.rollout("opened", **{"version": "2.0.0", "owner": OWNER, **options})
        self.options.update(run=answer["run"], token=answer["token"])
        return answer

    def planned(self, **options: t.Any) -> Options:
        return self.rollout("planned", hosts=fleet(4), balancers=[pool(fleet(4))], **options)

    def _call(self, module: t.Any, check_mode: bool, **options: t.Any) -> Options:
        return self._checked(call_core(module, check_mode=check_mode, **{**self.options, **options}))

    @staticmethod
    def _checked(outcome: t.Any) -> Options:
        if outcome.error:
            raise AssertionError(outcome.error)
        return t.cast(Options, outcome.result)


@pytest.fixture
def service(tmp_path: t.Any) -> Service:
    return Service(str(tmp_path / "state"))


@pytest.mark.parametrize("module", MODULES)
def test_options_are_documented(module: t.Any) -> None:
    assert accepted(module) == documented(module)


def test_the_policys_defaults_are_those_of_the_core() -> None:
    spec = rollout.SPEC["argument_spec"]["policy"]["options"]
    assert {name: str(option["default"]) for name, option in spec.items()} == {
        name: f"{default:g}" if isinstance(default, float) else str(default) for name, default in DEFAULTS.items()
    }


def test_every_state_has_an_operation() -> None:
    states = set(rollout.SPEC["argument_spec"]["state"]["choices"])
    assert states == set(dispatch.OF_ROLLOUT)
    assert set(rollout_control.SPEC["argument_spec"]["state"]["choices"]) == set(dispatch.OF_CONTROL)
    assert set(rollout_host.SPEC["argument_spec"]["state"]["choices"]) == {*dispatch.OF_HOST, "quiesced"}


def story(service: Service) -> dict[str, list[Options]]:
    """What each module returns in a rollout with a failure."""
    policy = {"stages": ["1", "100%"], "gate": True, "max_failures": 1}
    claim = {"ledger_id": "1", "token": 1, "directory": os.path.dirname(service.options["ledger"])}
    asked = {"required": 1, "content": {"artifact": "1"}}
    service.opened()
    call_core(rollout, **service.options, state="planned", hosts=fleet(4), approvals=asked)
    approvals = [service.approval("shown")]
    approvals += [service.approval("given", plan=approvals[0]["requests"][0]["plan"], owner={"user": "ana"})]
    rollouts = [service.opened(take_over=True), service.planned(policy=policy)]
    claims = [service.claim(state, **claim) for state in ("present", "fenced", "absent")]
    controls = [service.control("paused"), service.control("resumed")]
    controls += [service.control("blocked", reason="r", owner=OWNER), service.control("unblocked", owner=OWNER)]
    hosts = [service.host("admitted", limit=60), service.host("changing", step="update", limit=60)]
    watches = [service._call(rollout_watch, False, hosts=[], balancers=[pool(fleet(4))])]
    hosts += [service.host("proven", version="2.0.0", drained_for=0.5, details={"looks": 3})]
    gated = call_core(rollout_host, **service.options, state="admitted", host="app2", timeout=0).result
    gates = [service.gate("fail", stage=1, claim=gated["gate"]["claim"], reason="too slow"), service.gate("ask")]
    rollouts += [service.rollout("reverting")]
    hosts += [service.host("admitted"), service.host("failed", kind="health", error="x")]
    hosts += [service.host("stuck", error="x"), service.host("reverted", version="1.0.0")]
    hosts += [service.host("quiesced", interrupted_run="none", timeout=1)]
    rollouts += [service.rollout("concluded", hosts=fleet(4), balancers=[pool(fleet(4))])]
    service.opened(version="2.1.0")
    groups = {"blue": ["app1", "app2"], "green": ["app3", "app4"]}
    rollouts += [service.planned(shift={"strategy": "blue_green", "groups": groups, "live": "blue"})]
    shifts = [service.shift(), service.shift(state="baked")]
    releases = flag_releases(dict(service.options))
    return {
        "rollout": rollouts,
        "rollout_approval": approvals,
        "rollout_control": controls,
        "rollout_claim": claims,
        "rollout_host": [*hosts, gated],
        "rollout_flag_release": releases,
        "rollout_gate": gates,
        "rollout_info": [service.info()],
        "rollout_shift": shifts,
        "rollout_watch": watches,
    }


def flag_releases(options: Options) -> list[dict[str, t.Any]]:
    """Of another service, from its opening to its end."""
    common = {"ledger": options["ledger"], "service": "search"}
    found = [{"where": "localhost", "state": "off"}]
    steps = [{"percent": 100, "bake": 60}]
    opened = call_core(rollout_flag_release, **common, state="opened", flag="a", steps=steps, found=found).result
    common.update(run=opened["run"], token=opened["token"])
    asked = call_core(rollout_flag_release, **common, state="next", found=found).result
    baked = call_core(rollout_flag_release, **common, state="baked", timeout="0.1").result
    return [opened, asked, baked, call_core(rollout_flag_release, **common, state="concluded").result]


def test_results_are_documented(service: Service) -> None:
    messages = story(service)
    for module in MODULES:
        name = module.__name__.rpartition(".")[2]
        documented = set(yaml.safe_load(module.RETURN)) | {"changed", "diff"}
        returned = set().union(*messages[name])
        assert returned - documented == set(), f"{name} returns more than it documents"
        # The rest is returned only where the lease is refused or the coordinator does not answer.
        rest = {"holder", "kind", "diff"}
        assert documented - returned - rest == set(), f"{name} documents more than it returns"


def test_no_result_hides_what_jinja_would_find_first(service: Service) -> None:
    for results in story(service).values():
        for result in results:
            json.dumps(result)
            assert not TAKEN_BY_ANSIBLE & set(keys_in(result))


def keys_in(value: t.Any) -> t.Iterator[str]:
    if isinstance(value, dict):
        yield from value
        for inner in value.values():
            yield from keys_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from keys_in(inner)


def test_check_mode_of_the_whole_story_writes_nothing(service: Service) -> None:
    service.opened()
    service.planned()
    before = service.info()
    for operation, options in [
        (service.rollout, {"state": "opened", "version": "3.0.0"}),
        (service.planned, {}),
        (service.rollout, {"state": "reverting"}),
        (service.control, {"state": "paused"}),
        (service.control, {"state": "aborted"}),
        (service.rollout, {"state": "concluded", "hosts": fleet(4)}),
        (service.host, {"state": "admitted"}),
        (service.host, {"state": "failed", "kind": "health", "error": "x"}),
        (service.gate, {"verdict": "ask"}),
    ]:
        operation(check_mode=True, **options)
        assert service.info() == before


def test_check_mode_on_a_machine_that_never_had_a_ledger(service: Service) -> None:
    plan = service.planned(check_mode=True, version="2.0.0")
    assert plan["order"] == ["app1", "app2", "app3", "app4"]
    assert service.info()["text"] == ["no rollout is recorded here"]
    assert not os.path.exists(service.options["ledger"])


@pytest.mark.parametrize(
    ("module", "options", "message"),
    [
        (
            rollout,
            {"state": "planned", "hosts": fleet(2), "run": "x", "token": 1},
            "lease lost: run x does not hold this service any more: the lease expired; run again to resume.",
        ),
        (rollout, {"state": "planned", "hosts": fleet(2)}, "run: needed with state=planned."),
        (
            rollout,
            {"state": "planned", "hosts": fleet(2), "run": "x", "token": 1, "policy": {"max_unavailable": "120%"}},
            "rollout_max_unavailable: 120% is more than 100%; give a count such as 2 or a share of at most 100%.",
        ),
    ],
)
def test_wrong_input_is_one_sentence(service: Service, module: t.Any, options: Options, message: str) -> None:
    outcome = call_core(module, **{**service.options, **options})
    assert outcome.error == message
    assert not os.path.exists(service.options["ledger"])


@pytest.mark.parametrize(
    ("module", "options", "said"),
    [
        (rollout_host, {"state": "admitted", "host": "app1"}, "state is admitted but all of the following are missing: run, token"),
        (rollout_gate, {"verdict": "fail", "run": "x", "token": 1}, "verdict is fail but all of the following are missing: stage"),
        (rollout, {"state": "finished"}, "value of state must be one of: opened, planned,"),
        (rollout, {"state": "planned"}, "state is planned but all of the following are missing: hosts"),
        (rollout, {"state": "concluded"}, "state is concluded but all of the following are missing: run, token"),
        (rollout_claim, {"state": "present"}, "missing required arguments: ledger_id, token"),
    ],
)  # fmt: skip
def test_what_the_argument_spec_refuses(module: t.Any, options: Options, said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        params_of(module, {"service": "shop", **options})


def test_claims_need_no_ledger(service: Service, tmp_path: t.Any) -> None:
    claim = {"ledger_id": "ledger-1", "token": 7, "coordinator": "laptop", "directory": str(tmp_path)}
    assert service.claim("present", **claim)["changed"] is True
    assert service.claim("present", **claim)["changed"] is False
    other = call_core(rollout_claim, service="shop", ledger_id="ledger-2", token=1, directory=str(tmp_path))
    assert "is claimed by another coordinator, laptop" in other.error
    assert service.claim("absent", **claim)["changed"] is True
    assert service.claim("absent", **{**claim, "token": 6})["changed"] is False
    assert not os.path.exists(service.options["ledger"])


WATCH = """
import sys, time
from ansible_collections.steady.rollout.plugins.module_utils.ledger.session import Controller
controller = Controller()
sys.stderr.write("ready\\n")
sys.stderr.flush()
while controller.is_alive():
    time.sleep(0.01)
sys.stderr.write("gone\\n")
"""


def test_a_module_detects_that_its_answer_is_not_read() -> None:
    path = os.pathsep.join(sys.path)
    watching = subprocess.Popen(
        [sys.executable, "-c", WATCH],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        assert watching.stderr.readline() == b"ready\n"
        assert select.select([watching.stderr], [], [], 0.1)[0] == []
        watching.stdout.close()
        assert watching.stderr.readline() == b"gone\n"
    finally:
        watching.kill()
        watching.wait()


def test_here_the_controller_is_alive() -> None:
    assert Controller().is_alive()
