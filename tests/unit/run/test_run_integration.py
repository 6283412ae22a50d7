# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import pathlib
import re
import typing as t

import pytest
from run import house, integration, parts


@pytest.fixture
def results(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> pathlib.Path:
    monkeypatch.setattr(integration, "RESULTS", tmp_path / "contract.json")
    monkeypatch.setattr(integration, "TRAFFIC", tmp_path / "contract-traffic.json")
    return tmp_path / "contract.json"


def test_the_contract_is_one_job_for_each_make_and_one_for_all_together() -> None:
    found = integration.jobs(["aws", "contract", "nginx"])
    assert [job.backend for job in found] == ["", *integration.BACKENDS, "", ""]
    assert [found[0].name, *(job.name for job in found[-2:])] == ["aws", "contract-rolling", "nginx"]


@pytest.mark.parametrize("part", [parts.CONTRACT, parts.BALANCERS, parts.INTEGRATION], ids=lambda part: part.name)
def test_every_suite_that_a_part_names_is_there(part: parts.Part) -> None:
    (step,) = part.steps
    suites, backends = zip(
        *(
            word.partition("@")[0].partition(":")[::2]
            for word in [*step.words[step.words.index("{reports}") + 1 :], "aws"]
        )
    )
    assert [suite for suite in suites if not (integration.INTEGRATION / suite).exists()] == []
    assert set(filter(None, backends)) <= set(integration.BACKENDS)


def folders_and_files(part: parts.Part) -> set[str]:
    """Of tests/integration, of which a part runs something."""
    (step,) = part.steps
    words = step.words[step.words.index("{reports}") + 1 :]
    return {word.partition("@")[0].partition(":")[0] for word in words}


def suites_documented(part: parts.Part) -> set[str]:
    (row,) = re.findall(rf"^\| {part.name} \|.*", (house.ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.M)
    return set(re.findall("`([a-z_]+)`", row)) & set(integration.all_suites())


@pytest.mark.parametrize("part", [parts.CONTRACT, parts.BALANCERS], ids=lambda part: part.name)
def test_contributing_names_the_suites_of_a_part(part: parts.Part) -> None:
    assert suites_documented(part) == {path.partition("/")[0] for path in folders_and_files(part)}


def test_tests_that_no_part_of_make_test_runs_failed_for_days_and_nothing_said_which_they_are() -> None:
    elsewhere = folders_and_files(parts.CONTRACT) | folders_and_files(parts.BALANCERS)
    assert suites_documented(parts.INTEGRATION) == set(integration.all_suites()) - elsewhere
    assert parts.INTEGRATION in parts.LONG


def test_the_contract_may_be_that_of_one_make() -> None:
    (job,) = integration.jobs(["contract:envoy"])
    assert (job.name, job.backend) == ("contract-envoy", "envoy")


def test_a_suite_may_be_run_on_the_haproxy_of_another_release() -> None:
    contract, own = integration.jobs(["contract:haproxy@trixie+core", "haproxy@sid"])
    assert (contract.name, contract.backend, contract.release) == ("contract-haproxy-trixie", "haproxy", "trixie")
    assert contract.words[-2:] == ("-k", integration.CORE)
    assert (own.name, own.release, "-k" in own.words) == ("haproxy-sid", "sid", False)


def test_all_suites_are_found() -> None:
    assert {"aws", "contract", "haproxy", "weights"} <= set(integration.all_suites())
    assert "__pycache__" not in integration.all_suites()


@pytest.mark.parametrize(("codes", "whole"), [((0, 0), 0), ((0, 1), 1)])
def test_one_job_that_fails_fails_the_whole(
    monkeypatch: pytest.MonkeyPatch, results: pathlib.Path, tmp_path: pathlib.Path, codes: tuple[int, int], whole: int
) -> None:
    ends = dict(zip(("aws", "nginx"), codes))
    monkeypatch.setattr(integration, "run", lambda job, dummy: integration.Done(job.name, ends[job.name], 1.0, ""))
    assert integration.main([str(tmp_path), "aws", "nginx"]) == whole


def test_what_an_earlier_run_said_of_the_contract_is_forgotten(
    monkeypatch: pytest.MonkeyPatch, results: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(job: t.Any, dummy: pathlib.Path) -> t.Any:
        if job.backend == "nginx":
            cases = {"restart": "passed", "weights": "it has none", "snapshot": "failed: no"}
            results.write_text(json.dumps({"nginx": cases}))
        return integration.Done(job.name, 0, 1.0, "")

    results.write_text(json.dumps({"gone": {"restart": "passed"}}))
    monkeypatch.setattr(integration, "run", run)
    integration.main([str(tmp_path), "contract"])
    assert capsys.readouterr().out.splitlines()[-3:] == [
        "balancer              passed  failed  cannot",
        "nginx                      1       1       1",
        "",
    ]


def test_what_clients_saw_is_printed_by_series() -> None:
    seen = {"changes": 40, "requests": 8669, "failed": 0, "reconnects_a_change": 7.925}
    figures = {"nginx": {"drain_cycles": seen, "split": {"requests": 3000}}}
    assert integration.traffic_table(figures).splitlines() == [
        "under traffic                          changes  requests  failed  reconnects a change",
        "nginx drain_cycles                          40      8669       0                  7.9",
    ]
