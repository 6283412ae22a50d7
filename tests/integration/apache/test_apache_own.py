# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is Apache's own: its manager's silences, its counter that leaks, its restarts, cookies and standbys."""

from __future__ import annotations

import threading
import typing as t
import urllib.request

from support.apache import Apache
from support.caller import Caller
from support.haproxy import shut_port
from support.real_balancer import SHOP, SlowRequests

ALL = set(SHOP)
NOT_KEPT = "BalancerPersist is off: a graceful restart of Apache puts all members back as its configuration has them."
NO_STATUS = (
    "Apache's counters of requests in flight can stay above 0 after a graceful restart: give balancer.status_url, so "
    "that the end of a drain is certain."
)
Start = t.Callable[..., Apache]


def without_status(node: Apache) -> Caller:
    settings = node.settings()
    del settings["status_url"]
    return Caller(settings)


def leak(node: Apache, member: str) -> None:
    """Leaves the counter of a member above 0 with nothing in flight."""
    slow = SlowRequests(node, member, seconds=1)
    node.reload()
    assert slow.finish() == {200}


def with_cookie(node: Apache, route: str) -> str:
    request = urllib.request.Request(node.page(""), headers={"Cookie": f"SESSION=1.{route}"})
    with urllib.request.urlopen(request, timeout=10) as reply:
        return str(reply.read().decode())


def test_a_counter_that_leaked(node: Apache, shop: Caller) -> None:
    leak(node, "app1")
    assert shop.info()["members"]["app1"]["sessions"] > 0
    outcome = shop.put("app1", state="drained", timeout=10)
    assert outcome.error == ""
    assert outcome["members"]["app1"]["sessions"] == 0


def test_a_counter_that_leaked_without_the_status_page(node: Apache) -> None:
    leak(node, "app1")
    blind = without_status(node)
    outcome = blind.put("app1", state="drained", timeout=1)
    assert "'app1' still has sessions: " in outcome.error
    assert outcome["notes"] == [NO_STATUS]


def test_a_leak_is_distinguished_from_a_request(node: Apache, shop: Caller) -> None:
    leak(node, "app1")
    slow = SlowRequests(node, "app1", seconds=4)
    outcome = shop.put("app1", state="drained")
    assert outcome.error == ""
    assert node.members["app1"].in_flight == 0
    assert slow.finish() == {200}


def test_old_processes_are_seen_though_they_do_not_count(start: Start) -> None:
    node = start(persist=False)
    shop = Caller(node.settings())
    slow = SlowRequests(node, "app1", seconds=3)
    node.reload()
    assert shop.info()["members"]["app1"]["sessions"] == 0
    outcome = shop.put("app1", state="drained")
    assert outcome.error == ""
    assert outcome["notes"] == [NOT_KEPT]
    assert node.members["app1"].in_flight == 0
    assert slow.finish() == {200}


def test_a_drain_that_a_graceful_restart_loses(start: Start) -> None:
    node = start(persist=False)
    shop = Caller(node.settings())
    slow = SlowRequests(node, "app1", seconds=3)
    reload = threading.Timer(0.5, node.reload)
    reload.start()
    outcome = shop.put("app1", state="drained")
    reload.join()
    assert "'app1' was put back in service by somebody else or a reload" in outcome.error
    assert slow.finish() == {200}


def test_a_server_that_goes_by_its_own_name(start: Start) -> None:
    """The Referer has to name it, whatever the URL says."""
    node = start(more="UseCanonicalName On")
    assert Caller(node.settings()).put("app1", state="drained").error == ""
    assert node.answered_by() == ALL - {"app1"}


def test_cookies_stay_with_a_drained_member_and_leave_one_in_maintenance(start: Start) -> None:
    node = start(more="<Proxy balancer://shop>\nProxySet stickysession=SESSION\n</Proxy>")
    shop = Caller(node.settings())
    shop.put("app1", state="drained")
    assert with_cookie(node, "app1") == "app1"
    assert node.answered_by() == ALL - {"app1"}
    shop.put("app1", state="maintenance")
    assert with_cookie(node, "app1") != "app1"


def test_other_flags_are_left_alone(start: Start) -> None:
    node = start(member_options={"app2": "status=+I", "app4": "status=+H"})
    shop = Caller(node.settings())
    assert shop.info()["members"]["app4"]["in_rotation"] is False
    assert shop.info()["members"]["app4"]["backup"] is True
    assert shop.put("app1", "app2", "app3", state="drained")["refused"] is True
    assert shop.put("app1", "app2", "app3", state="drained", guard={"allow_outage": True}).error == ""
    assert node.answered_by() == {"app4"}
    assert shop.info()["members"]["app4"]["in_rotation"] is True
    assert shop.put("app1", "app2", "app3", state="in_service").error == ""
    assert node.answered_by() == ALL - {"app4"}
    assert "Ign" in node.status_of("app2")
    assert "Stby" in node.status_of("app4")


def test_a_member_in_error_is_not_in_service(node: Apache, shop: Caller) -> None:
    node.members["app1"].stop()
    while "Err" not in node.status_of("app1"):
        node.answered_by(requests=4)
    outcome = shop.put("app1", state="in_service", timeout=0.1)
    assert (
        "'app1' is DOWN, last check: in error, tried again after the 'retry' seconds of its BalancerMember"
        in outcome.error
    )


def test_a_password(start: Start) -> None:
    node = start(password=("ops", "secret"))
    asked = "it asks for a user and password, or refuses those given. See balancer.manager_user."
    url = node.settings()["manager_url"]
    assert Caller(node.settings()).info().error == (
        f"lb1 {url}: GET of the balancer-manager was answered with status 401: {asked}"
    )
    allowed = Caller({**node.settings(), "manager_user": "ops", "manager_password": "secret"})
    assert allowed.put("app1", state="drained").error == ""


def test_pages_that_are_something_else(node: Apache) -> None:
    url = node.page("elsewhere")
    assert Caller({**node.settings(), "manager_url": url}).info().error == (
        f"lb1 {url}: GET of the balancer-manager was answered with status 200: something else answers there. Correct "
        "balancer.manager_url: it is the location with 'SetHandler balancer-manager', and 'ProxyPass <location> !' keeps "
        "it from being proxied."
    )
    outcome = Caller({**node.settings(), "status_url": url}).put("app1", state="drained")
    assert outcome.error == ""  # Nothing was in flight, so nobody asked.


def test_addresses_that_cannot_be_right(node: Apache) -> None:
    for url in ("balancer-manager", "ftp://127.0.0.1/", "http:///x", "http://127.0.0.1:99999/"):
        assert Caller({**node.settings(), "manager_url": url}).info().error == (
            f"balancer.manager_url: '{url}' is not the address of a page; for example http://127.0.0.1/balancer-manager."
        )
    url = f"http://127.0.0.1:{shut_port()}/balancer-manager"
    assert Caller({**node.settings(), "manager_url": url}).info().error == (
        f"lb1 {url}: connection refused: nothing listens there. Is Apache running?"
    )
