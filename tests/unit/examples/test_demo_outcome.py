# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from support import examples

demo = examples.module("demo", "demo")
FLEET = ("app1", "app2", "app3", "app4", "app5", "app6")


def an_outcome(exit_code: int, failed: int = 0, versions: t.Any = None, touched: t.Sequence[str] = FLEET) -> t.Any:
    return demo.Outcome(
        exit_code=exit_code,
        seconds=12.3,
        traffic={"requests": 4000, "failed": failed, "versions": {"2.0.0": 4000}, "failures": []},
        lowest=4,
        versions_after=versions or dict.fromkeys(FLEET, "2.0.0"),
        hosts_touched=list(touched),
    )


GOOD = an_outcome(0)
BAD = an_outcome(2, touched=["app3"])


def test_the_result_has_exactly_these_keys() -> None:
    assert demo.result(GOOD, BAD) == {
        "good": {"requests": 4000, "failed": 0, "versions_after": dict.fromkeys(FLEET, "2.0.0"), "seconds": 12.3},
        "bad": {
            "requests": 4000,
            "failed": 0,
            "versions_after": dict.fromkeys(FLEET, "2.0.0"),
            "hosts_touched": 1,
            "exit_code": 2,
        },
    }


def test_the_demo_passes_when_no_request_failed_and_the_bad_release_was_refused() -> None:
    assert demo.passed(GOOD, BAD)


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        pytest.param(an_outcome(2), BAD, id="the good release was refused"),
        pytest.param(an_outcome(0, failed=1), BAD, id="a request failed during the good one"),
        pytest.param(an_outcome(0, versions={"app1": "2.0.0", "app2": None}), BAD, id="an instance is gone"),
        pytest.param(GOOD, an_outcome(0), id="the bad release was accepted"),
        pytest.param(GOOD, an_outcome(2, failed=1), id="a request failed during the bad one"),
        pytest.param(GOOD, an_outcome(2, versions={"app1": "2.0.0", "app2": "3.0.0"}), id="the bad release stayed"),
    ],
)
def test_the_demo_fails_otherwise(good: t.Any, bad: t.Any) -> None:
    assert not demo.passed(good, bad)
