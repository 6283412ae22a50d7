# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Testers' routes and maintenance pages at an nginx whose configuration has more in it."""

from __future__ import annotations

import pathlib
import time

from support.caller import Caller
from support.nginx import Nginx
from support.real_balancer import SHOP
from support.web import request

from ansible_collections.steady.rollout.plugins.modules import lb_page, lb_route

ALL = set(SHOP)


def edit(node: Nginx, old: str, new: str) -> None:
    config = node.directory / "nginx.conf"
    config.write_text(config.read_text().replace(old, new))
    node.reload()


def test_a_page_of_the_users_own_for_503_stays_what_it_is(node: Nginx) -> None:
    edit(
        node,
        "    include shop-page.conf;\n",
        '    error_page 503 @own;\n    location @own { return 503 "own"; }\n    location /busy { return 503; }\n'
        "    default_type application/json;\n    include shop-page.conf;\n",
    )
    caller = Caller(node.routing_settings())
    assert (request(node.port, path="/busy").body, request(node.port).status) == ("own", 200)
    assert caller.run(lb_page, body="Soon.").error == ""
    for path in ("/", "/busy"):
        seen = request(node.port, path=path)
        assert (seen.status, seen.body, seen.headers["content-type"]) == (503, "Soon.", "text/plain")
    assert caller.run(lb_page, state="absent").error == ""
    assert request(node.port, path="/busy").body == "own"


def test_the_page_has_no_address_of_its_own(node: Nginx) -> None:
    assert Caller(node.routing_settings()).run(lb_page).error == ""
    assert request(node.port, path="/.steady-rollout-page").status == 404


def test_files_that_nginx_does_not_read(node: Nginx) -> None:
    other = node.directory / "other.conf"
    other.write_text("map $http_x_canary $a { default shop; }\n")
    route = {"header": "X-Canary", "value": "green", "target": "green"}
    outcome = Caller({**node.routing_settings(), "route_file": str(other)}).run(lb_route, **route)
    assert outcome.error == (
        f"lb1 nginx: nginx does not read {other}: none of its 4 configuration files includes it. Correct "
        "balancer.route_file, or include the file in nginx.conf."
    )
    assert other.read_text() == "map $http_x_canary $a { default shop; }\n"
    pathlib.Path(other).write_text("")
    outcome = Caller({**node.routing_settings(), "page_file": str(other)}).run(lb_page)
    assert outcome.error.endswith("Correct balancer.page_file, or include the file in nginx.conf.")


def test_a_header_that_nobody_looks_at(node: Nginx) -> None:
    outcome = Caller(node.routing_settings()).run(lb_route, header="X-Beta", value="green", target="green")
    assert "has 0 maps of $http_x_beta" in outcome.error
    assert outcome["changed"] is False


def test_a_file_that_was_not_brought_into_force(node: Nginx) -> None:
    """As a call leaves it that died before the reload."""
    time.sleep(0.1)  # more than the kernel's clock steps, within which the workers would seem to have started after it
    text = node.route_file.read_text()
    node.route_file.write_text(text.replace("default shop;", "default shop; green green;", 1))
    caller = Caller(node.routing_settings())
    route = {"header": "X-Canary", "value": "green", "target": "green"}
    assert {request(node.port, header="X-Canary: green").body for dummy in range(12)} == ALL
    assert caller.run(lb_route, check_mode=True, **route)["changed"] is True
    assert caller.run(lb_route, **route)["changed"] is True
    assert {request(node.port, header="X-Canary: green").body for dummy in range(12)} == {"app4"}
