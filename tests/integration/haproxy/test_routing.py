# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Testers' routes and maintenance pages at HAProxy: to servers, through reloads, and as Ansible runs them."""

from __future__ import annotations

import os
import pathlib
import typing as t

import pytest
from support.caller import Caller, call_core
from support.cores import Outcome
from support.haproxy import Node, fetch
from support.playbooks import run_tasks
from support.web import request

from ansible_collections.steady.rollout.plugins.modules import lb_page, lb_route

TESTER = "X-Canary: green\r\n"
ROUTE = {"header": "X-Canary", "value": "green"}
TO_ROOT = {"become": True, "become_user": "root", "become_method": "ansible.builtin.su"}
StartNode = t.Callable[..., Node]


class Site:
    """A pool whose own servers are the targets of routes."""

    def __init__(self, start: StartNode, directory: pathlib.Path) -> None:
        self.routes, self.pages = directory / "routes.map", directory / "pages.map"
        for one in (self.routes, self.pages):
            one.touch()
        found = f"map({self.routes})"
        frontend = (
            "  http-request set-var(txn.header) req.fhdr(x-canary)\n"
            f"  http-request set-var(txn.route) str(x-canary=),concat(,txn.header),{found}\n"
            f"  http-request set-var(txn.page) str(shop),map({self.pages})\n"
            "  http-request return status 503 if { var(txn.page) -m found }\n"
        )
        backend = "option httpchk GET /health\n  use-server %[var(txn.route)] if { var(txn.route) -m found }"
        self.node = start(frontend=frontend, backend=backend)
        files = {"route_file": str(self.routes), "page_file": str(self.pages)}
        self.settings = {"host": "lb1", "socket": self.node.socket("admin"), "pool": "shop", **files}

    def route(self, **options: t.Any) -> Outcome:
        return call_core(lb_route, balancer=dict(self.settings), **{**ROUTE, **options})

    def answered(self, headers: str = TESTER) -> set[str]:
        return {fetch(self.node.port, "/", headers)[1] for dummy in range(9)}


@pytest.fixture
def site(start: StartNode, tmp_path: pathlib.Path) -> Site:
    return Site(start, tmp_path)


def test_a_server_of_the_pool_as_the_target(site: Site) -> None:
    assert site.route(target="app2").error == ""
    assert (site.answered(), site.answered("")) == ({"app2"}, {"app1", "app2", "app3"})
    outcome = site.route(target="app9")
    assert outcome.error.endswith(
        "there is neither a backend 'app9' nor such a server in the pool; there are 'shop', 'app1', 'app2', 'app3'."
    )


def test_testers_reach_a_server_that_has_no_share_yet(site: Site) -> None:
    """As in the first step of a canary."""
    site.node.ask("set server shop/app2 weight 0")
    assert site.route(target="app2").error == ""
    assert (site.answered(), site.answered("")) == ({"app2"}, {"app1", "app3"})


def test_a_reload_that_would_bring_an_old_route_back(site: Site) -> None:
    """The file was put back by hand, or from a backup."""
    assert site.route(target="app2").error == ""
    site.routes.write_text("x-canary=green app3\n")
    outcome = site.route(target="app2")
    assert (outcome.error, outcome["changed"]) == ("", True)
    assert outcome["actions"] == [
        "saved for the next reload where requests with header x-canary=green of pool 'shop' go"
    ]
    site.node.reload()
    assert site.answered() == {"app2"}


def test_what_others_wrote_into_the_map_stays(site: Site) -> None:
    site.routes.write_text("# by hand\nx-canary=blue app1\n")
    site.node.reload()
    site.route(target="app2")
    site.route(state="absent")
    assert site.routes.read_text() == "# by hand\nx-canary=blue app1\n"
    assert site.answered("X-Canary: blue\r\n") == {"app1"}


def test_a_map_that_haproxy_does_not_have(site: Site, tmp_path: pathlib.Path) -> None:
    other = tmp_path / "other.map"
    other.touch()
    for module, options in ((lb_route, {**ROUTE, "target": "app1"}), (lb_page, {})):
        settings = {**site.settings, "route_file": str(other), "page_file": str(other)}
        outcome = Caller(settings).run(module, **options)
        assert f"HAProxy has no map from the file {other}; its maps are " in outcome.error
        assert outcome["changed"] is False


@pytest.mark.parametrize("way", ["in the worker", "as a module"])
def test_through_ansible(site: Site, tmp_path: pathlib.Path, way: str) -> None:
    """A task that becomes another user is sent as a module."""
    if way == "as a module" and os.geteuid() != 0:
        pytest.skip("needs root, to become a user without a password")
    keywords = TO_ROOT if way == "as a module" else {}
    tasks: list[dict[str, t.Any]] = [
        {"steady.rollout.lb_route": {**ROUTE, "target": "app2"}},
        {"steady.rollout.lb_route": {**ROUTE, "target": "app2"}},
        {"steady.rollout.lb_route": {**ROUTE, "target": "nobody"}, "ignore_errors": True},
        {"steady.rollout.lb_page": {"body": "Soon."}},
        {"steady.rollout.lb_page": {"state": "absent"}, "check_mode": True},
    ]
    made, again, nobody, page, checked = run_tasks(tmp_path, site.settings, [{**task, **keywords} for task in tasks])
    assert (made["changed"], made["after"], again["changed"]) == (True, "app2", False)
    assert nobody["failed"] is True
    assert set(nobody) >= set(made) - {"diff"}
    assert (page["changed"], page["after"]["retry_after"], checked["changed"]) == (True, 300, True)
    assert request(site.node.port).status == 503
    call_core(lb_page, balancer=dict(site.settings), state="absent")
    assert site.answered() == {"app2"}
