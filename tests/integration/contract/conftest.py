# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One suite for every load balancer: a real one, its members, and the modules' cores on it.

What came of it is written to build/contract.json: {balancer: {case: "passed" or why not}}. STEADY_BACKEND names the only
one to run.
"""

from __future__ import annotations

import fcntl
import json
import os
import pathlib
import re
import typing as t

import pytest
from run import integration
from support.apache import Apache
from support.aws_contract import AwsListener, AwsTargetGroup, Route53
from support.caller import Caller
from support.envoy_contract import Envoy
from support.fixtures import directory, starting, state_directory
from support.haproxy_contract import HAProxy
from support.nginx import Nginx
from support.real_balancer import BusyMember, RealBalancer

__all__ = ["directory", "state_directory"]

STARTERS = (Apache, AwsListener, AwsTargetGroup, Envoy, HAProxy, Nginx, Route53)
BACKENDS: dict[str, type[RealBalancer]] = {starter.backend: starter for starter in STARTERS}
if sorted(BACKENDS) != sorted(integration.BACKENDS):
    raise RuntimeError(f"STARTERS must have one of each type in registry.py: {', '.join(integration.BACKENDS)}")
ONLY = os.environ.get("STEADY_BACKEND", "")
RESULTS = pathlib.Path(__file__).resolve().parents[3] / "build" / "contract.json"


@pytest.fixture(params=[ONLY] if ONLY else sorted(BACKENDS))
def backend(request: pytest.FixtureRequest) -> type[RealBalancer]:
    """Each backend in turn, where it is installed and can do what the case is about."""
    found = BACKENDS[request.param]
    if found.missing():
        pytest.skip(found.missing())
    case = case_of(request.node.name)
    if case in found.cannot:
        pytest.skip(found.cannot[case])
    return found


@pytest.fixture
def start(backend: type[RealBalancer], directory: pathlib.Path) -> t.Iterator[t.Callable[..., RealBalancer]]:
    """Starts the balancer; the test's end stops it."""
    with starting(lambda make_member=BusyMember: backend(directory, make_member)) as start_one:
        yield start_one


@pytest.fixture
def node(start: t.Callable[..., RealBalancer]) -> RealBalancer:
    return start()


@pytest.fixture
def shop(node: RealBalancer) -> Caller:
    return Caller(node.settings())


def case_of(test_name: str) -> str:
    return re.sub(r"^test_|\[.*$", "", test_name)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    match = re.search(r"/contract/test_\w+\.py::test_(\w+)\[(\w+)-?([\w-]*)\]", report.nodeid)
    if match and (report.when == "call" or report.outcome != "passed"):
        case, named, variant = match.groups()
        mixed = [named] if named in BACKENDS else named.split("_")
        mix = f"_behind_{named}" if len(mixed) > 1 else ""
        for backend in mixed:
            _record(
                BACKENDS[backend].title() if backend in BACKENDS else backend,
                f"{case}_{variant}".rstrip("_") + mix,
                _outcome(report),
            )


def _outcome(report: pytest.TestReport) -> str:
    if report.outcome == "skipped" and isinstance(report.longrepr, tuple):
        return report.longrepr[2].replace("Skipped: ", "")
    return report.outcome if report.outcome == "passed" else f"failed: {str(report.longreprtext).splitlines()[-1]}"


def _record(backend: str, case: str, outcome: str) -> None:
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.with_name("contract.json.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        known.setdefault(backend, {})[case] = outcome
        RESULTS.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")
