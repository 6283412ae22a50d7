# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that Apache's configuration includes, and its command line."""

from __future__ import annotations

import base64
import pathlib
import re

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.balancers.apache.routes import ApachePages, ApacheRoutes
from ansible_collections.steady.rollout.plugins.module_utils.balancers.apache.service import complaint, configured_by
from ansible_collections.steady.rollout.plugins.module_utils.balancers.common.owned_file import OwnedFile
from ansible_collections.steady.rollout.plugins.module_utils.balancers.common.reloaded_file import ReloadedFile
from ansible_collections.steady.rollout.plugins.module_utils.balancers.routing import Page, Selector
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError

GREEN = Selector("header", "x-canary", "green")
COOKIE = Selector("cookie", "canary", "a.b")


class Willing:
    """A server that takes everything."""

    def check(self, file: OwnedFile) -> None:
        pass

    def require_rights(self) -> None:
        pass

    def has_read(self, modified: float) -> bool:
        return True

    def reload(self) -> None:
        pass

    def ask_to_reload(self) -> None:
        pass


@pytest.fixture
def path(tmp_path: pathlib.Path) -> pathlib.Path:
    place = tmp_path / "steady.conf"
    place.touch()
    return place


def routes_of(path: pathlib.Path, pool: str = "shop") -> ApacheRoutes:
    file = ReloadedFile(OwnedFile(str(path), "lb1", "balancer.route_file"), Willing())
    return ApacheRoutes(pool, "lb1", file, lambda: ["shop", "green"])


def pages_of(path: pathlib.Path, pool: str = "shop") -> ApachePages:
    return ApachePages(pool, "lb1", ReloadedFile(OwnedFile(str(path), "lb1", "balancer.page_file"), Willing()))


def test_a_route_is_a_rule_that_asks_where_the_request_would_go(path: pathlib.Path) -> None:
    routes = routes_of(path)
    routes.send(GREEN, "green")
    assert path.read_text() == (
        "# Written by steady.rollout: routes of testers.\n"
        "RewriteEngine On\n"
        "<IfDefine !STEADY_PAGE_shop>\n"
        '# route {"pool": "shop", "kind": "header", "name": "x-canary", "value": "green", "target": "green"}\n'
        'RewriteCond "%{HTTP:x-canary}" "=green"\n'
        'RewriteCond "%{REQUEST_URI}" "^[^?#%]*$"\n'
        'RewriteCond "%{LA-U:REQUEST_FILENAME}" "^proxy:balancer://shop(/.*)$"\n'
        'RewriteRule "^" "balancer://green%1" [P,NS]\n'
        "</IfDefine>\n"
    )
    routes.send(GREEN, "")
    assert path.read_text() == "# Written by steady.rollout: routes of testers.\n"


def test_routes_of_several_testers_and_pools_in_one_file(path: pathlib.Path) -> None:
    shop, other = routes_of(path), routes_of(path, "my-other.pool")
    shop.send(GREEN, "green")
    shop.send(COOKIE, "green")
    other.send(GREEN, "lime")
    assert [shop.read(one).target for one in (GREEN, COOKIE)] == ["green", "green"]
    assert [other.read(one).target for one in (GREEN, COOKIE)] == ["lime", ""]
    assert r'"^proxy:balancer://my\-other\.pool(/.*)$"' in path.read_text()
    assert "<IfDefine !STEADY_PAGE_my_other_pool>" in path.read_text()
    shop.send(GREEN, "")
    assert (shop.read(GREEN).target, other.read(GREEN).target) == ("", "lime")
    assert r'RewriteCond "%{HTTP:Cookie}" "^(.*; *)?canary=a\.b(;.*)?$"' in path.read_text()


def test_targets_are_balancers(path: pathlib.Path) -> None:
    assert routes_of(path).resolve("green") == "green"
    with pytest.raises(InputError) as caught:
        routes_of(path).resolve("gren")
    assert caught.value.message == "lb1: Apache has no balancer 'gren'; its balancers are 'shop', 'green'."


def test_a_page_says_its_text_in_words_that_apache_does_not_read(path: pathlib.Path) -> None:
    pages, page = pages_of(path), Page('"%{now}" \\ ö\n' * 2000, "text/html; charset=utf-8", 60)
    pages.show(page)
    assert pages.read() == (page, True)
    (line,) = [line for line in path.read_text().splitlines() if "ErrorDocument" in line]
    parts = re.findall(r"%\{unbase64:([^}]*)\}", line)
    assert len(parts) > 1
    assert b"".join(map(base64.b64decode, parts)).decode() == page.body
    assert '<Proxy "balancer://shop/*">' in path.read_text()
    assert "Define STEADY_PAGE_shop\n" in path.read_text()
    pages.show(None)
    assert path.read_text() == "# Written by steady.rollout: no maintenance page.\n"
    assert pages.read() == (None, True)


def test_somebody_elses_file_is_left_alone(path: pathlib.Path) -> None:
    path.write_text("ProxyPass / balancer://shop/\n")
    for act in (lambda: routes_of(path).send(GREEN, "green"), lambda: pages_of(path).show(None)):
        with pytest.raises(RolloutError) as caught:
            act()
        assert caught.value.message.startswith(
            f"lb1: {path} was not written by steady.rollout: it begins with 'ProxyPass"
        )
    assert path.read_text() == "ProxyPass / balancer://shop/\n"


@pytest.mark.parametrize(
    ("line", "chosen"),
    [
        ("/usr/sbin/apache2 -k start", []),
        ("/usr/sbin/httpd -DFOREGROUND -d /srv/www", ["-DFOREGROUND", "-d", "/srv/www"]),
        ("httpd -f /etc/a.conf -k start -C Listen", ["-f", "/etc/a.conf", "-C", "Listen"]),
        ("httpd -f", ["-f", ""]),
    ],
)
def test_which_configuration_it_is(line: str, chosen: list[str]) -> None:
    assert configured_by(line.split()) == chosen


def test_what_is_wrong_in_its_words() -> None:
    said = (
        "AH00558: apache2: Could not reliably determine the server's name\n"
        "AH00526: Syntax error on line 5 of /etc/a.conf:\nInvalid command 'RewriteEngine'\n"
        "Action '-t' failed.\nThe Apache error log may have more information.\n"
    )
    assert complaint(said) == (
        "AH00526: Syntax error on line 5 of /etc/a.conf: Invalid command 'RewriteEngine' Action '-t' failed."
    )
    assert complaint("") == "no reason given"
