# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Apache's balancer-manager and status page: replies recorded from 2.4.71 (the idle rows of status.html cut short)."""

from __future__ import annotations

import pathlib
import typing as t
import urllib.parse

import pytest
from support.pools import ManualClock

from ansible_collections.steady.rollout.plugins.module_utils.balancers import contract
from ansible_collections.steady.rollout.plugins.module_utils.balancers.apache import backend as apache
from ansible_collections.steady.rollout.plugins.module_utils.balancers.apache import manager as apache_manager
from ansible_collections.steady.rollout.plugins.module_utils.balancers.apache import status as apache_status
from ansible_collections.steady.rollout.plugins.module_utils.balancers.apache.backend import Apache
from ansible_collections.steady.rollout.plugins.module_utils.balancers.apache.in_flight import Flight, FlightLog
from ansible_collections.steady.rollout.plugins.module_utils.balancers.apache.manager import (
    Answer,
    Manager,
    Site,
    Worker,
)
from ansible_collections.steady.rollout.plugins.module_utils.balancers.apache.status import Activity, StatusPage
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError

REPLIES = pathlib.Path(__file__).parent / "replies"
URL = "http://127.0.0.1/balancer-manager"
XML = Answer(200, {"content-type": "text/xml"}, (REPLIES / "manager.xml").read_text())
HTML = Answer(200, {"content-type": "text/html"}, (REPLIES / "manager.html").read_text())
NONCE = "659b53da-05c7-0542-8677-74f59cf9ecfb"


class Request(t.NamedTuple):
    method: str
    query: str
    fields: dict[str, str]
    referer: str


class Server:
    """Answers in the order scripted; any request more fails the test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answers: list[Answer] = []
        self.requests: list[Request] = []
        monkeypatch.setattr(apache_manager, "fetch", self._fetch)

    def says(self, *answers: Answer) -> None:
        self.answers += answers

    @property
    def changes(self) -> list[dict[str, str]]:
        return [one.fields for one in self.requests if one.method == "POST"]

    def _fetch(
        self, site: Site, where: str, method: str, query: str, body: str | None, headers: t.Mapping[str, str]
    ) -> Answer:
        fields = dict(urllib.parse.parse_qsl(body or "", keep_blank_values=True))
        self.requests.append(Request(method, query, fields, headers["Referer"]))
        return self.answers.pop(0)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Server]:
    server = Server(monkeypatch)
    yield server
    assert server.answers == []


def pool(name: str = "shop") -> Apache:
    return Apache(name, Manager(Site(URL, 5.0), f"lb1 {URL}"), FlightLog(None, ManualClock().clock))


def test_what_the_manager_says_of_members(server: Server) -> None:
    server.says(XML, HTML)
    snapshot = pool().snapshot()
    assert {
        name: (
            one.address,
            one.own,
            one.weight,
            one.sessions,
            one.old_sessions,
            one.usable,
            one.in_rotation,
            one.backup,
        )
        for name, one in snapshot.members.items()
    } == {
        "app1": ("http://127.0.0.1:29001", "drained", 1, 2, None, False, False, False),
        "app2": ("http://127.0.0.1:29002", "maintenance", 2, 2, None, False, False, False),
        "app3": ("http://127.0.0.1:29003", "in_service", 1, 0, None, True, True, True),
    }
    assert snapshot.notes == (apache.NOTE_NO_STATUS,)


def test_a_member_in_maintenance_that_is_draining_too_is_in_maintenance(server: Server) -> None:
    server.says(XML._replace(text=XML.text.replace(" Drn ", " Drn Dis ")), HTML)
    assert pool().snapshot().members["app1"].own == "maintenance"


def test_members_without_a_route_stopped_and_failing(server: Server) -> None:
    server.says(XML, HTML)
    members = pool("other").snapshot().members
    assert {
        name: (one.own, one.weight, one.operational, one.check, one.in_rotation) for name, one in members.items()
    } == {
        "http://127.0.0.1:29001": ("in_service", 0, "no_check", "", False),
        "http://127.0.0.1:29003": ("in_service", 5, "down", "its health check fails", False),
    }


def test_the_page(server: Server) -> None:
    server.says(HTML)
    page = Manager(Site(URL, 5.0), "lb1").page()
    assert page.version == "2.4.71"
    assert page.persists is True
    assert page.nonces == {"shop": NONCE, "other": "528d6d86-f9d8-28c8-61b1-ecdef84a244a"}


def test_balancer_persist_off(server: Server) -> None:
    text = HTML.text.replace("Balancer changes will be persisted", "Balancer changes will NOT be persisted")
    server.says(XML, HTML._replace(text=text))
    assert pool().snapshot().notes == (apache.NOTE_NOT_KEPT, apache.NOTE_NO_STATUS)


@pytest.mark.parametrize(
    ("state", "steps"),
    [
        ("drained", [{"w_status_N": "1", "w_status_D": "0"}]),
        # Into maintenance first, out of the drain afterwards: the other way round it would take traffic in between.
        ("maintenance", [{"w_status_D": "1"}, {"w_status_N": "0"}]),
        ("in_service", [{"w_status_N": "0", "w_status_D": "0"}]),
    ],
)
def test_setting_admin_states(server: Server, state: str, steps: list[dict[str, str]]) -> None:
    server.says(XML, HTML, *[XML] * len(steps))
    pool().set_admin({"app2": state})
    common = {"b": "shop", "w": "http://127.0.0.1:29002", "nonce": NONCE, "xml": "1"}
    assert server.changes == [{**common, **step} for step in steps]
    assert {one.referer for one in server.requests} == {URL}


def test_setting_weights(server: Server) -> None:
    server.says(XML, HTML, XML, XML)
    pool().set_weights({"app1": 0, "app3": 7})
    assert [(one["w"][-1], one.get("w_lf"), one["w_status_S"]) for one in server.changes] == [
        ("3", "7", "0"),
        ("1", None, "1"),
    ]


def test_finding_out_whether_changes_are_allowed_changes_nothing(server: Server) -> None:
    server.says(HTML, XML)
    pool().require_admin()
    assert server.changes == [{"b": "shop", "w": "", "nonce": NONCE, "xml": "1"}]


def test_a_server_that_calls_itself_otherwise(server: Server) -> None:
    named = HTML._replace(text=HTML.text.replace("Manager for 127.0.0.1", "Manager for lb.example"))
    server.says(named, XML)
    assert list(Manager(Site(URL, 5.0), "lb1").workers()) == ["shop", "other"]
    assert [one.referer for one in server.requests] == [URL, "http://lb.example/"]


def test_a_server_that_ignores_every_referer(server: Server) -> None:
    server.says(HTML, HTML)
    with pytest.raises(RolloutError) as raised:
        Manager(Site(URL, 5.0), "lb1").workers()
    assert raised.value.message == (
        "lb1: the balancer-manager ignores the request because it takes its Referer for another site's; the server's "
        "name is '127.0.0.1'. Give balancer.manager_url with that name."
    )


def test_a_pool_that_is_not_there(server: Server) -> None:
    server.says(XML)
    with pytest.raises(InputError) as raised:
        pool("shup").snapshot()
    assert raised.value.message == f"lb1 {URL}: no pool 'shup'; its balancers are 'shop', 'other'."


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer(401, {}, ""), "it asks for a user and password, or refuses those given. See balancer.manager_user."),
        (
            Answer(403, {}, ""),
            "access is denied. Allow this host with a 'Require' line of the balancer-manager's <Location>.",
        ),
        (
            Answer(404, {}, ""),
            "there is no such page. Correct balancer.manager_url, or add 'SetHandler balancer-manager' there.",
        ),
        (
            Answer(301, {"location": "https://lb1/manager"}, ""),
            "it redirects to https://lb1/manager. Give that address as balancer.manager_url.",
        ),
        (Answer(500, {}, ""), "200 was expected."),
        (
            Answer(200, {"content-type": "text/html"}, "<h1>It works!</h1>"),
            "something else answers there. Correct balancer.manager_url: it is the location with 'SetHandler balancer-manager', "
            "and 'ProxyPass <location> !' keeps it from being proxied.",
        ),
    ],
)
def test_answers_that_are_none(server: Server, answer: Answer, reason: str) -> None:
    server.says(answer)
    with pytest.raises(RolloutError) as raised:
        pool().snapshot()
    assert raised.value.message == (
        f"lb1 {URL}: GET of the balancer-manager was answered with status {answer.status}: {reason}"
    )


def test_xml_that_cannot_be_read(server: Server) -> None:
    server.says(XML._replace(text=XML.text.replace("<httpd:busy>2", "<httpd:busy>many")))
    with pytest.raises(RolloutError) as raised:
        pool().snapshot()
    assert raised.value.message.startswith(
        f"lb1 {URL}: the XML of the balancer-manager cannot be read (invalid literal "
    )


def test_a_change_that_apache_would_cut_off(server: Server) -> None:
    with pytest.raises(RolloutError) as raised:
        Manager(Site(URL, 5.0), "lb1").change("shop", NONCE, "http://" + "x" * 1000, {})
    assert raised.value.message.startswith(f"lb1: a change of 'http://{'x' * 1000}' takes ")


def snapshot(server: Server, **flags: str) -> contract.Snapshot:
    """Of members with these flags and, after a comma, their set."""
    text = XML.text[: XML.text.index("<httpd:workers>") + len("<httpd:workers>")]
    for name, words in flags.items():
        status, _comma, lbset = words.partition(",")
        text += (
            f"<httpd:worker><httpd:name>http://{name}</httpd:name><httpd:loadfactor>1.00</httpd:loadfactor>"
            f"<httpd:status>Init {status} </httpd:status><httpd:elected>0</httpd:elected><httpd:busy>0</httpd:busy>"
            f"<httpd:route>{name}</httpd:route><httpd:lbset>{lbset or 0}</httpd:lbset></httpd:worker>"
        )
    text += "</httpd:workers></httpd:balancer></httpd:balancers></httpd:manager>"
    server.says(XML._replace(text=text), HTML)
    return pool().snapshot()


def rotation(server: Server, **flags: str) -> list[str]:
    return snapshot(server, **flags).in_rotation


def test_a_member_that_was_stopped_in_the_middle_of_a_request_was_down_for_ever(server: Server) -> None:
    """A canary that was moved to 0 % could not be put back: Apache does not try a stopped member again."""
    shown = snapshot(server, a="Err", b="Stop Err", c="Stop", d="Stop HcFl")
    assert {name: one.operational for name, one in shown.members.items()} == {
        "a": contract.DOWN, "b": contract.NO_CHECK, "c": contract.NO_CHECK, "d": contract.DOWN,
    }  # fmt: skip
    assert shown.members["b"].check == ""


def test_standbys_spares_and_later_sets_stand_by(server: Server) -> None:
    assert rotation(server, a="Ok", b="Ok", c="Stby Ok", d="Spar Ok", e="Ok,1") == ["a", "b"]
    assert rotation(server, a="Drn Ok", b="Dis", c="Stby Ok", d="Spar Ok", e="Ok,1") == ["e"]
    assert rotation(server, a="Err", b="Stop", c="Stby Ok", d="Dis", e="HcFl,1") == ["c"]
    assert rotation(server, a="Err", b="Stop") == []


def test_two_members_of_one_route_go_by_their_urls(server: Server) -> None:
    text = XML.text.replace("<httpd:route>app2<", "<httpd:route>app1<")
    server.says(XML._replace(text=text), HTML)
    assert list(pool().snapshot().members) == ["http://127.0.0.1:29001", "http://127.0.0.1:29002", "app3"]


def worker(busy: int = 0, elected: int = 5) -> Worker:
    return Worker("http://a", "a", frozenset({"Init", "Drn", "Ok"}), 1.0, busy, elected, 0)


class Status:
    """The status page; counts how often it is asked for."""

    def __init__(self) -> None:
        self.asked = 0
        self.activities: list[Activity] = []

    def __call__(self) -> list[Activity]:
        self.asked += 1
        return self.activities


def busy_for(seconds: int, mode: str = "W", protocol: str = "http/1.1") -> Activity:
    return Activity(mode, seconds, protocol, "GET / HTTP/1.1")


class Follow:
    """A member that is out, looked at whenever its clock has moved."""

    def __init__(self, persists: bool = True) -> None:
        self.status = Status()
        self.time = ManualClock()
        self._log = FlightLog(self.status, self.time.clock)
        self._persists = persists

    def after(self, seconds: float, busy: int, *activities: Activity, elected: int = 5, out: bool = True) -> Flight:
        self.time.now += seconds
        self.status.activities = list(activities)
        return self._log.read("a", worker(busy, elected), out, self._persists)


def test_a_counter_at_zero_needs_no_status_page() -> None:
    follow = Follow()
    assert follow.after(0, busy=0) == Flight(0, 0)
    assert follow.status.asked == 0


def test_a_counter_counts_while_something_from_before_is_going_on() -> None:
    follow = Follow()
    assert follow.after(0, 2, busy_for(3)) == Flight(2, 0)
    assert follow.after(1.5, 2, busy_for(4)) == Flight(2, 0)
    assert follow.after(1.5, 2, busy_for(3)) == Flight(2, 0)  # It may have begun just before the drain.
    assert follow.after(1.5, 2, busy_for(3)) == Flight(0, 0)


def test_what_began_after_the_drain_is_another_members() -> None:
    follow = Follow()
    assert follow.after(0, 1, busy_for(0)) == Flight(1, 0)
    assert follow.after(1.0, 1, busy_for(0)) == Flight(0, 0)


def test_a_member_that_was_chosen_again_is_counted_from_the_start() -> None:
    follow = Follow()
    assert follow.after(0, 1) == Flight(0, 0)
    assert follow.after(5, 2, busy_for(3), elected=6) == Flight(2, 0)
    assert follow.after(3, 2, busy_for(2), elected=6) == Flight(0, 0)


def test_a_leftover_stays_one() -> None:
    follow = Follow()
    assert follow.after(0, 2) == Flight(0, 0)
    assert follow.after(1, 2, busy_for(0, protocol="h2")) == Flight(0, 0)
    assert follow.status.asked == 1


def test_http2_may_hide_older_requests() -> None:
    follow = Follow()
    assert follow.after(0, 1, busy_for(0, protocol="h2")) == Flight(1, 0)
    assert follow.after(50, 1, busy_for(0, protocol="h2")) == Flight(1, 0)
    assert follow.after(1, 1) == Flight(0, 0)


def test_old_processes_count_as_long_as_they_are_busy_where_nothing_is_shared() -> None:
    follow = Follow(persists=False)
    assert follow.after(0, 0, busy_for(3, mode="G"), busy_for(9)) == Flight(0, 1)
    assert follow.after(9, 0, busy_for(0, mode="G")) == Flight(0, 1)
    assert follow.after(1, 0) == Flight(0, 0)


def test_the_status_page_is_not_asked_for_at_every_look() -> None:
    follow = Follow()
    for _look in range(10):
        follow.after(0.05, 1, busy_for(9))
    assert follow.status.asked == 3


def test_a_member_in_service_shows_what_its_counter_says() -> None:
    follow = Follow()
    assert follow.after(0, 4, out=False) == Flight(4, None)
    assert follow.after(0, 1) == Flight(0, 0)
    assert follow.after(0, 4, out=False) == Flight(4, None)
    # What the status page said before it went out says nothing of what was in flight when it did.
    assert follow.after(0, 1, busy_for(0)) == Flight(1, 0)


def test_the_status_page(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (REPLIES / "status.html").read_text()
    monkeypatch.setattr(apache_status, "fetch", lambda site, where: Answer(200, {}, text))
    assert StatusPage(Site("http://127.0.0.1/server-status", 5.0), "lb1").activities() == [
        Activity("W", 0, "http/1.1", "GET /slow?seconds=3 HTTP/1.1"),
        Activity("G", 2, "http/1.1", "GET /slow?seconds=3 HTTP/1.1"),
    ]


@pytest.mark.parametrize("answer", [Answer(404, {}, ""), Answer(200, {}, "<table><tr><th>M</th></tr></table>")])
def test_a_status_page_that_is_none(monkeypatch: pytest.MonkeyPatch, answer: Answer) -> None:
    monkeypatch.setattr(apache_status, "fetch", lambda site, where: answer)
    with pytest.raises(RolloutError) as raised:
        StatusPage(Site("http://127.0.0.1/status", 5.0), "lb1").activities()
    assert raised.value.message == (
        f"lb1: http://127.0.0.1/status was answered with status {answer.status} and is not a server-status page that lists "
        "requests. It needs 'SetHandler server-status', 'ExtendedStatus On', and access for this host."
    )


def settings(**changes: t.Any) -> dict[str, t.Any]:
    plain = {
        "manager_url": URL,
        "manager_user": "",
        "validate_certs": True,
        "timeout": 5.0,
        "pool": "shop",
        "host": "lb1",
    }
    return {**plain, **changes}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"timeout": 0.0}, "balancer.timeout: must be more than 0 s, is 0."),
        (
            {"manager_url": "127.0.0.1"},
            "balancer.manager_url: '127.0.0.1' is not the address of a page; for example http://127.0.0.1/balancer-manager.",
        ),
        (
            {"status_url": "file:///etc"},
            "balancer.status_url: 'file:///etc' is not the address of a page; for example http://127.0.0.1/balancer-manager.",
        ),
    ],
)
def test_settings_that_cannot_be_right(changes: dict[str, t.Any], message: str) -> None:
    with pytest.raises(InputError) as raised:
        apache.open_apache(settings(**changes))
    assert raised.value.message == message
