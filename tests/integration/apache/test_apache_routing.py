# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Testers' routes and maintenance pages at Apache: what else goes through it is left alone."""

from __future__ import annotations

import typing as t

import pytest
from support.apache import Apache
from support.caller import Caller
from support.cores import Outcome
from support.haproxy import fetch
from support.real_balancer import OTHER, SHOP
from support.web import request

from ansible_collections.steady.rollout.plugins.modules import lb_page, lb_route

ALL = set(SHOP)
TESTER = "X-Canary: green\r\n"


def route(node: Apache, **options: t.Any) -> Outcome:
    caller = Caller(node.routing_settings())
    return caller.run(lb_route, **{"header": "X-Canary", "value": "green", "target": "green", **options})


def page(node: Apache, **options: t.Any) -> Outcome:
    return Caller(node.routing_settings()).run(lb_page, **options)


def answered(node: Apache, path: str, headers: str = TESTER) -> set[str]:
    return {fetch(node.port, path, headers)[1] for dummy in range(12)}


@pytest.mark.parametrize("path", ["/", "/a%20b?c=d%20e", "/%C3%B6;x=1", "//a/../b", "/$1%5B"])
def test_testers_of_all_usual_paths(node: Apache, path: str) -> None:
    assert route(node).error == ""
    assert answered(node, path) == {"app4"}


def test_testers_of_other_pools_and_pages_go_where_they_went(node: Apache) -> None:
    assert route(node).error == ""
    assert answered(node, OTHER) == ALL
    assert "Balancer Manager" in request(node.port, path="/balancer-manager", header="X-Canary: green").body


@pytest.mark.parametrize("path", ["/50%25", "/what%3Fnow", "/a%23b"])
def test_paths_that_are_left_to_the_weights(node: Apache, path: str) -> None:
    outcome = route(node)
    assert outcome["notes"] == ["Requests whose path has %25, %3F or %23 in it still go by the weights."]
    assert answered(node, path) == ALL


def test_a_page_covers_its_pool_alone(node: Apache) -> None:
    assert page(node).error == ""
    for path in ("/", "/50%25", "/what%3Fnow", "/a/b?c"):
        assert request(node.port, path=path).status == 503
    assert request(node.port, path=OTHER).status == 200
    assert request(node.port, path="/balancer-manager").status == 200
    assert Caller(node.settings()).put("app1", state="drained").error == ""


def test_a_file_that_apache_does_not_read(node: Apache) -> None:
    other = node.directory / "other.conf"
    other.touch()
    settings = {**node.routing_settings(), "page_file": str(other)}
    outcome = Caller(settings).run(lb_page)
    assert outcome.error.endswith(
        f"Apache does not read {other}: none of its 3 configuration files includes it. Correct balancer.page_file, or "
        "include the file in its <VirtualHost>."
    )
    assert other.read_text() == ""


def test_a_module_that_apache_does_not_have(node: Apache) -> None:
    text = node.config.read_text().replace("LoadModule rewrite_module", "# LoadModule rewrite_module")
    node.config.write_text(text)
    node.restart()
    outcome = route(node)
    assert "Invalid command 'RewriteEngine'" in outcome.error
    assert outcome.error.endswith(f"{node.route_file} is restored.")
    assert outcome["changed"] is False
    assert node.answered_by() == ALL


def test_a_file_that_was_not_brought_into_force(node: Apache) -> None:
    """As a call leaves it that died before the restart."""
    assert route(node).error == ""
    text = node.route_file.read_text()
    route(node, state="absent")
    node.route_file.write_text(text)
    assert answered(node, "/") == ALL
    outcome = route(node)
    assert (outcome.error, outcome["changed"]) == ("", True)
    assert answered(node, "/") == {"app4"}
