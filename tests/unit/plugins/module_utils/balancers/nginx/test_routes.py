# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lines of maps in nginx's configuration, and the file of its maintenance page."""

from __future__ import annotations

import pathlib

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.balancers.common.owned_file import OwnedFile
from ansible_collections.steady.rollout.plugins.module_utils.balancers.common.reloaded_file import ReloadedFile
from ansible_collections.steady.rollout.plugins.module_utils.balancers.nginx import routes as nginx_routes
from ansible_collections.steady.rollout.plugins.module_utils.balancers.nginx.page import NginxPages
from ansible_collections.steady.rollout.plugins.module_utils.balancers.nginx.routes import NginxRoutes, maps, upstreams
from ansible_collections.steady.rollout.plugins.module_utils.balancers.nginx.upstream import NotUnderstood
from ansible_collections.steady.rollout.plugins.module_utils.balancers.routing import Page, Selector
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError

TEXT = """\
# Testers.
map $http_x_canary $shop_route {
    default shop;
    blue shop-blue;  # by hand
}
map $cookie_canary $either { default $shop_route; }
"""
GREEN = Selector("header", "x-canary", "green")
COOKIE = Selector("cookie", "canary", "green")
CONFIGURATION = "http {\n  upstream shop {\n }\n upstream 'shop-green' {\n}\n# upstream not {\n}"


class FakeServer:
    """*complaint* is what it has against the next configuration."""

    def __init__(self) -> None:
        self.complaint = ""
        self.stuck = False
        self.read = True
        self.reloads = 0

    def check(self, file: OwnedFile) -> None:
        if self.complaint:
            raise RolloutError(f"lb1: {self.complaint}.")

    def require_rights(self) -> None:
        pass

    def has_read(self, modified: float) -> bool:
        return self.read

    def reload(self) -> None:
        self.reloads += 1
        if self.stuck:
            raise RolloutError("lb1: stuck.")

    def ask_to_reload(self) -> None:
        self.reloads += 1


@pytest.fixture
def server() -> FakeServer:
    return FakeServer()


@pytest.fixture
def path(tmp_path: pathlib.Path) -> pathlib.Path:
    place = tmp_path / "routes.conf"
    place.write_text(TEXT)
    return place


@pytest.fixture
def routes(server: FakeServer, path: pathlib.Path) -> NginxRoutes:
    file = ReloadedFile(OwnedFile(str(path), "lb1", "balancer.route_file"), server)
    return NginxRoutes("shop", "lb1", file, lambda: upstreams(CONFIGURATION))


@pytest.fixture
def pages(server: FakeServer, path: pathlib.Path) -> NginxPages:
    path.write_text("")
    return NginxPages("shop", "lb1", ReloadedFile(OwnedFile(str(path), "lb1", "balancer.page_file"), server))


def test_a_line_comes_and_goes_and_nothing_else_changes(
    routes: NginxRoutes, server: FakeServer, path: pathlib.Path
) -> None:
    routes.send(GREEN, "shop-green")
    assert path.read_text() == TEXT.replace("# by hand\n", "# by hand\n    green shop-green;\n")
    assert routes.read(GREEN) == ("shop-green", True)
    routes.send(GREEN, "shop-blue")
    assert "    green shop-blue;\n" in path.read_text()
    routes.send(GREEN, "")
    assert path.read_text() == TEXT
    assert (routes.read(GREEN), server.reloads) == (("", True), 3)


def test_a_map_on_one_line(routes: NginxRoutes, path: pathlib.Path) -> None:
    routes.send(COOKIE, "shop-green")
    assert "map $cookie_canary $either { default $shop_route; green shop-green; }\n" in path.read_text()
    routes.send(COOKIE, "")
    assert path.read_text() == TEXT


def test_case_means_nothing_to_nginx(routes: NginxRoutes) -> None:
    routes.send(Selector("header", "x-canary", "GREEN"), "shop-green")
    assert routes.read(GREEN).target == "shop-green"


@pytest.mark.parametrize(
    ("value", "written"), [("~dev", r"\~dev"), ("default", r"\default"), ("Hostnames", r"\Hostnames")]
)
def test_words_that_mean_something_in_a_map(routes: NginxRoutes, path: pathlib.Path, value: str, written: str) -> None:
    selector = Selector("header", "x-canary", value)
    assert routes.read(selector).target == ""
    routes.send(selector, "shop-green")
    assert f"    {written} shop-green;\n" in path.read_text()
    assert routes.read(selector).target == "shop-green"
    routes.send(selector, "")
    assert path.read_text() == TEXT


def test_what_nginx_has_not_read_is_not_in_force(routes: NginxRoutes, server: FakeServer) -> None:
    server.read = False
    assert routes.read(GREEN) == ("", False)


def test_targets_are_upstreams(routes: NginxRoutes) -> None:
    assert routes.resolve("shop-green") == "shop-green"
    with pytest.raises(InputError) as caught:
        routes.resolve("not")
    assert caught.value.message == "lb1: nginx has no upstream 'not'; its upstreams are 'shop', 'shop-green'."


def test_a_refused_configuration_is_restored(routes: NginxRoutes, server: FakeServer, path: pathlib.Path) -> None:
    server.complaint = "bad line"
    with pytest.raises(RolloutError) as caught:
        routes.send(GREEN, "shop-green")
    assert caught.value.message == f"lb1: bad line. {path} is restored."
    assert (path.read_text(), server.reloads) == (TEXT, 0)


def test_a_reload_that_fails_is_restored(routes: NginxRoutes, server: FakeServer, path: pathlib.Path) -> None:
    server.stuck = True
    with pytest.raises(RolloutError) as caught:
        routes.send(GREEN, "shop-green")
    assert caught.value.message == f"lb1: stuck. {path} is restored."
    assert (path.read_text(), server.reloads) == (TEXT, 2)


def test_a_header_that_no_map_looks_at(routes: NginxRoutes, path: pathlib.Path) -> None:
    with pytest.raises(InputError) as caught:
        routes.read(Selector("header", "x-beta", "green"))
    assert caught.value.message == (
        f"lb1: {path} has 0 maps of $http_x_beta, 0 of them with 'default shop'; exactly one is expected. Its maps are of "
        "'$http_x_canary', '$cookie_canary'. Add 'map $http_x_beta $variable { default shop; }' and use the variable in "
        "proxy_pass."
    )


def test_of_two_maps_the_one_of_the_pool_counts(routes: NginxRoutes, path: pathlib.Path) -> None:
    path.write_text("map $http_x_canary $a { default other; }\nmap $http_x_canary $b { default shop; }\n")
    routes.send(GREEN, "shop-green")
    assert path.read_text().splitlines()[1] == "map $http_x_canary $b { default shop; green shop-green; }"
    path.write_text("map $http_x_canary $a { default other; }\nmap $http_x_canary $b { default third; }\n")
    with pytest.raises(InputError):
        routes.read(GREEN)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("server { }", "'server' is not a map"),
        ("map $a $b { default c;", "the map of $a is not closed"),
        ("}", "there is an unmatched '}'"),
    ],
)
def test_a_file_that_is_not_understood(routes: NginxRoutes, path: pathlib.Path, text: str, message: str) -> None:
    with pytest.raises(NotUnderstood) as caught:
        maps(text)
    assert str(caught.value) == message
    path.write_text(text)
    with pytest.raises(RolloutError) as error:
        routes.read(GREEN)
    assert error.value.message == (
        f"lb1: {path} cannot be read as nginx configuration: {message}. Keep nothing but plain maps in that file."
    )


def test_a_source_variable() -> None:
    assert nginx_routes.source_of(GREEN) == "$http_x_canary"
    assert nginx_routes.source_of(COOKIE) == "$cookie_canary"


def test_a_page_and_its_text(pages: NginxPages, path: pathlib.Path) -> None:
    page = Page('<p>"$5"\n', "text/html", 60)
    assert pages.read() == (None, True)
    pages.show(page)
    assert pages.read() == (page, True)
    (body,) = [one for one in path.parent.iterdir() if ".routes.conf.page-" in one.name]
    assert (body.read_text(), oct(body.stat().st_mode)[-3:]) == (page.body, "644")
    assert f'alias "{body}";' in path.read_text()
    pages.show(None)
    assert path.read_text() == "# Written by steady.rollout: no maintenance page.\n"
    assert pages.read() == (None, True)


def test_texts_that_are_not_needed_any_more_are_removed(pages: NginxPages, path: pathlib.Path) -> None:
    for number in range(5):
        pages.show(Page(f"{number}", "text/plain", 60))
    assert len([one for one in path.parent.iterdir() if ".page-" in one.name]) == 2


def test_a_text_that_was_lost_is_not_the_page(pages: NginxPages, path: pathlib.Path) -> None:
    pages.show(Page("a", "text/plain", 60))
    for one in path.parent.glob(".*.page-*"):
        one.unlink()
    assert pages.read().page == Page("", "text/plain", 60)


def test_somebody_elses_file_is_left_alone(pages: NginxPages, path: pathlib.Path) -> None:
    path.write_text("proxy_pass http://shop;\n")
    for act in (pages.read, lambda: pages.show(None)):
        with pytest.raises(RolloutError) as caught:
            act()
        assert caught.value.message.startswith(
            f"lb1: {path} was not written by steady.rollout: it begins with 'proxy_pass http://shop;'. Give "
            "balancer.page_file an empty file."
        )
    assert path.read_text() == "proxy_pass http://shop;\n"
