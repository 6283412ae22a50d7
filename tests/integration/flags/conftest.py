# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One suite for every flag system: a real one, or a fake where its name says so, an application that uses it, and the modules' cores on it.

What came of it is written to build/flags.json: {system: {case: "passed" or why not, "kill": times in milliseconds}}.
"""

from __future__ import annotations

import pathlib
import re
import tempfile
import typing as t

import pytest
from support.fake_flagsmith import FlagsmithFake
from support.fake_launchdarkly import LaunchDarklyFake
from support.fake_split import SplitFake
from support.flag_calls import Flags, note
from support.flag_systems import EnvironmentFile, Flagd, JsonFile, RealFlags, RedisServer, UnleashServer

STARTERS: dict[str, type[RealFlags]] = {
    one.name: one
    for one in (
        EnvironmentFile,
        Flagd,
        FlagsmithFake,
        JsonFile,
        LaunchDarklyFake,
        RedisServer,
        SplitFake,
        UnleashServer,
    )
}


@pytest.fixture(scope="module", params=sorted(STARTERS))
def started(request: pytest.FixtureRequest) -> t.Iterator[RealFlags]:
    """Each system in turn, where it is installed; one start for all cases of a file."""
    starter = STARTERS[request.param]
    if starter.missing():
        pytest.skip(starter.missing())
    with tempfile.TemporaryDirectory(prefix="flags-") as directory:
        real = starter(pathlib.Path(directory))
        try:
            real.start()
            yield real
        finally:
            real.stop()


@pytest.fixture
def flags(started: RealFlags) -> Flags:
    """Without the flag."""
    made = Flags(started)
    made.set("absent")
    return made


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    match = re.search(r"/flags/test_\w+\.py::test_(\w+)\[([\w ]+)-?([\w-]*)\]", report.nodeid)
    if match and match.group(2) in STARTERS and (report.when == "call" or report.outcome != "passed"):
        case, system, variant = match.groups()
        note(system, **{f"{case}_{variant}".rstrip("_"): _outcome(report)})


def _outcome(report: pytest.TestReport) -> str:
    if report.outcome == "skipped" and isinstance(report.longrepr, tuple):
        return report.longrepr[2].replace("Skipped: ", "")
    return report.outcome if report.outcome == "passed" else f"failed: {str(report.longreprtext).splitlines()[-1]}"
