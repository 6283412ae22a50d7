# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One lab for all tests of the fleet, or one for each worker of xdist, and a shop as new for each test."""

from __future__ import annotations

import os
import pathlib
import typing as t

import pytest
from fleet.lab import base
from fleet.lab.hosts import PROGRAMS, Lab
from fleet.lab.places import CONTROLLER_ADDRESS, LabError, require
from fleet.world.coordinator import Coordinator
from fleet.world.fronts import Front, behind, require_make
from fleet.world.rolling import Rolling
from fleet.world.shop import Shop
from fleet.world.unleash import FlaggedShop, server
from support import unleash
from support.background import Background, observer, traffic
from support.gateway import Gateway

LONG = os.environ.get("STEADY_LONG") == "1"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--suite", choices=base.SUITES, default=base.SUITES[0], help="the Debian of the fleet's hosts")


def pytest_configure(config: pytest.Config) -> None:
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker:
        os.environ["STEADY_LAB"] = f"{os.environ.get('STEADY_LAB', 'steady')}-{worker}"
    config.addinivalue_line("markers", "long: part of the long series; runs with STEADY_LONG=1")
    config.addinivalue_line("markers", "every_suite: runs on hosts of every Debian (-m every_suite --suite trixie)")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("long") and not LONG:
            item.add_marker(pytest.mark.skip(reason="of the long series: make test-long"))


@pytest.fixture(scope="session")
def fleet(request: pytest.FixtureRequest) -> t.Iterator[Lab]:
    """Six app hosts and two balancers; they are there until the last test has ended."""
    try:
        require(PROGRAMS)
    except LabError as error:
        pytest.skip(str(error))
    lab = Lab(apps=6, balancers=2, suite=request.config.getoption("--suite"))
    lab.down()
    with lab:
        yield lab


@pytest.fixture
def shop(fleet: Lab) -> Shop:
    """The shop on 1.0.0, everything in rotation, with no history."""
    shop = Shop(fleet)
    shop.reset()
    return shop


@pytest.fixture
def coordinator(fleet: Lab, shop: Shop, tmp_path: pathlib.Path) -> t.Iterator[Coordinator]:
    with Coordinator(fleet, tmp_path) as coordinator:
        yield coordinator


@pytest.fixture
def fronts(request: pytest.FixtureRequest, shop: Shop) -> t.Iterator[list[Front]]:
    """Both balancers, of the type that the test sets for this fixture; HAProxy otherwise."""
    make = getattr(request, "param", "haproxy")
    require_make(make)
    with behind(shop.lab, dict.fromkeys(shop.balancers, make)) as fronts:
        shop.await_that(lambda: all(front.is_ready() for front in fronts))
        yield fronts


@pytest.fixture
def rolling(fleet: Lab) -> Rolling:
    return Rolling(fleet)


@pytest.fixture
def users(fleet: Lab, tmp_path: pathlib.Path) -> t.Iterator[Background]:
    """Light but mixed traffic for as long as the test lasts; the test reads the report."""
    mix = {"rate": 60, "keepalive": 6, "close": 3, "slow": 2, "slow_seconds": 3, "uploads": 2, "upload_seconds": 2}
    with traffic(fleet.urls(), tmp_path / "traffic.json", inside=fleet.inside(), **mix) as users:
        yield users


@pytest.fixture
def eyes(fleet: Lab, tmp_path: pathlib.Path) -> t.Iterator[Background]:
    """Looks at both balancers ten times a second for as long as the test lasts."""
    with observer(fleet.stats(), tmp_path / "observer.json", inside=fleet.inside()) as eyes:
        yield eyes


@pytest.fixture(scope="module")
def unleash_server(fleet: Lab, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[unleash.Unleash]:
    """One for all tests of a file; it takes half a minute until it answers."""
    if unleash.missing():
        pytest.skip(unleash.missing())
    with server(fleet, tmp_path_factory.mktemp("unleash")) as running:
        yield running


@pytest.fixture
def flagged(shop: Shop, unleash_server: unleash.Unleash) -> t.Iterator[FlaggedShop]:
    """A test begins with prepare()."""
    with Gateway(unleash_server.url, CONTROLLER_ADDRESS, unleash_server.network) as gateway:
        yield FlaggedShop(shop, unleash_server, gateway)
