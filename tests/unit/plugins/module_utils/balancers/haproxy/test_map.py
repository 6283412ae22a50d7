# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HAProxy's maps: in a process that is made up, and in a file."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from support.throwing import throw

from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import Unreachable
from ansible_collections.steady.rollout.plugins.module_utils.balancers.haproxy.map import (
    Entry,
    HAProxyMap,
    edited,
    entries,
)
from ansible_collections.steady.rollout.plugins.module_utils.balancers.haproxy.routes import HAProxyPages, HAProxyRoutes
from ansible_collections.steady.rollout.plugins.module_utils.balancers.routing import Page, Selector
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError

FILE = """\
# by hand
x-canary=blue shop-blue

x-canary=green\tshop-green
"""
KEY = "x-canary=green"


class FakeCli:
    """A process with one map, listed in the form of *listing*."""

    where = "lb1"

    def __init__(self, path: pathlib.Path) -> None:
        self.listing = f"# id (file) description\n-1 (/other.map) acl\n3 ({path}) pattern loaded from file"
        self.entries = {"x-canary=blue": "shop-blue"}
        self.asked: list[str] = []
        self.answer = ""
        self.error: RolloutError | None = None

    def ask(self, commands: t.Sequence[str]) -> list[str]:
        return [self._answer(command) for command in commands]

    def _answer(self, command: str) -> str:
        words = command.split()
        if command == "show map":
            return self.listing
        if words[:2] == ["show", "map"]:
            return "\n".join(
                f"0x55f{number:x} {key} {value}" for number, (key, value) in enumerate(self.entries.items())
            )
        self.asked.append(command)
        if self.error:
            throw(self.error)
        if not self.answer:
            self.entries.pop(words[3], None)
            if words[0] != "del":
                self.entries[words[3]] = words[4]
        return self.answer


@pytest.fixture
def path(tmp_path: pathlib.Path) -> pathlib.Path:
    place = tmp_path / "routes.map"
    place.write_text(FILE)
    return place


@pytest.fixture
def cli(path: pathlib.Path) -> FakeCli:
    return FakeCli(path)


@pytest.fixture
def table(cli: FakeCli, path: pathlib.Path) -> HAProxyMap:
    return HAProxyMap(cli, str(path), "balancer.route_file")


def test_an_entry_is_changed_in_both_places(cli: FakeCli, table: HAProxyMap, path: pathlib.Path) -> None:
    assert table.read(KEY) == Entry(None, "shop-green")
    table.put(KEY, "shop-lime")
    assert cli.asked == ["add map #3 x-canary=green shop-lime"]
    table.put(KEY, "shop-green")
    assert cli.asked[1:] == ["set map #3 x-canary=green shop-green"]
    assert table.read(KEY) == Entry("shop-green", "shop-green")
    table.put(KEY, None)
    assert cli.asked[2:] == ["del map #3 x-canary=green"]
    assert table.read(KEY) == Entry(None, None)
    assert path.read_text() == "# by hand\nx-canary=blue shop-blue\n\n"


def test_what_is_not_there_is_not_removed_from_the_process(cli: FakeCli, table: HAProxyMap) -> None:
    table.put(KEY, None)
    assert cli.asked == []
    assert table.read(KEY) == Entry(None, None)


def test_a_refusal_puts_the_file_back(cli: FakeCli, table: HAProxyMap, path: pathlib.Path) -> None:
    cli.answer = "Permission denied\n"
    with pytest.raises(RolloutError) as caught:
        table.put(KEY, "secret-page")
    assert caught.value.message == (
        "lb1: HAProxy answered 'Permission denied' to 'add map #3 x-canary=green': the socket's level is operator or user; "
        "add 'level admin' to its 'stats socket' line."
    )
    assert path.read_text() == FILE


def test_silence_puts_the_file_back(cli: FakeCli, table: HAProxyMap, path: pathlib.Path) -> None:
    cli.error = Unreachable("lb1: gone.")
    with pytest.raises(Unreachable):
        table.put(KEY, "shop-lime")
    assert path.read_text() == FILE


@pytest.mark.parametrize(
    ("listed", "command"),
    [
        ("7 ({path}) pattern loaded from file '{path}' used by map at file 'h.cfg' line 9. curr_ver=0", "#7"),
        ("-1 ({path}) pattern loaded from file", "{path}"),
        ("0 (routes.map) pattern loaded from file", "#0"),
    ],
)
def test_a_map_is_found_by_its_file(
    cli: FakeCli, table: HAProxyMap, path: pathlib.Path, listed: str, command: str
) -> None:
    cli.listing = f"# id (file) description\n{listed.format(path=path)}"
    table.put("a", "b")
    assert cli.asked == [f"add map {command.format(path=path)} a b"]


def test_a_map_that_haproxy_does_not_have(cli: FakeCli, table: HAProxyMap, path: pathlib.Path) -> None:
    cli.listing = "# id (file) description\n1 (/etc/haproxy/hosts.map) pattern loaded"
    with pytest.raises(InputError) as caught:
        table.read(KEY)
    assert caught.value.message == (
        f"lb1: HAProxy has no map from the file {path}; its maps are '/etc/haproxy/hosts.map'. Use the file in haproxy.cfg "
        "as balancer.route_file has it, and reload."
    )


def test_a_socket_that_may_not_even_look(cli: FakeCli, table: HAProxyMap) -> None:
    cli.listing = "Permission denied"
    with pytest.raises(RolloutError) as caught:
        table.read(KEY)
    assert caught.value.message.startswith(
        "lb1: HAProxy answered 'Permission denied' to 'show map': the socket's level"
    )


def test_the_text_of_a_map() -> None:
    assert entries(FILE) == {"x-canary=blue": "shop-blue", KEY: "shop-green"}
    assert edited(FILE, KEY, "shop-lime").splitlines()[3] == f"{KEY} shop-lime"
    assert edited("", KEY, "a") == f"{KEY} a\n"
    assert edited(f"{KEY} a\n{KEY} b", KEY, "c") == f"{KEY} c\n"
    assert entries(f"{KEY} a\n{KEY} b\nempty")[KEY] == "a"


def test_routes_of_headers_and_cookies_have_keys_of_their_own(cli: FakeCli, table: HAProxyMap) -> None:
    routes = HAProxyRoutes("lb1", table, lambda: ["shop", "green"], lambda: None)
    routes.send(Selector.given("X-Canary", None, "lime"), "green")
    routes.send(Selector.given(None, "canary", "lime"), "green")
    assert cli.asked == ["add map #3 x-canary=lime green", "add map #3 cookie:canary=lime green"]
    assert routes.read(Selector.given("x-canary", None, "lime")) == ("green", True)
    cli.entries.clear()
    assert routes.read(Selector.given("x-canary", None, "lime")) == ("", False)
    with pytest.raises(InputError) as caught:
        routes.resolve("gren")
    assert caught.value.message == (
        "lb1: there is neither a backend 'gren' nor such a server in the pool; there are 'shop', 'green'."
    )


def test_a_page_is_one_word_in_a_map(cli: FakeCli, table: HAProxyMap) -> None:
    pages = HAProxyPages("shop", table, lambda: None)
    page = pages.fitted(Page("Back  soon:\n\t 5 % ö\n", "text/html; charset=utf-8", 60))
    assert page.body == "Back  soon: 5 % ö"
    assert pages.notes != ()
    pages.show(page)
    assert pages.read() == (page, True)
    assert len(cli.asked[0].split()) == 5
    pages.show(None)
    assert pages.read() == (None, True)


def test_a_page_that_somebody_else_wrote_is_seen(cli: FakeCli, table: HAProxyMap) -> None:
    cli.entries["shop"] = "1:2:not base64"
    shown = HAProxyPages("shop", table, lambda: None).read()
    assert shown.page == Page("1:2:not base64", "", None)
