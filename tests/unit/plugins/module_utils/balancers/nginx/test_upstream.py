# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx's upstreams in the text of its configuration."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import NewMember
from ansible_collections.steady.rollout.plugins.module_utils.balancers.nginx.upstream import (
    NotUnderstood,
    Server,
    added,
    changed,
    new_server,
    removed,
    upstreams,
)
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError

TEXT = """\
# server 10.0.0.9:80; is not in an upstream
http {
  map $uri $x { default "a;b"; '/}' 1; }
  upstream "shop" {
    zone shop 64k;
    server 10.0.0.1:8080 weight=5 max_fails=2; # member=app1
    server 10.0.0.2:8080   down;# was slow
    server 10.0.0.3:8080 down; # member=app3 state=maintenance since=monday
    server 10.0.0.4:8080 weight=3 down; # weight=0
    server 10.0.0.5:8080 weight=3 down; # weight=0 state=drained
    server backup.example backup;
    server unix:/run/app.sock; server [::1]:80;
    keepalive 16;
  }
  server { listen 80; location / { proxy_pass http://shop; } }
}
upstream other { server 10.0.0.1:8080; }
"""


def servers(text: str, pool: str = "shop") -> dict[str, Server]:
    return {server.name: server for server in upstreams(text)[pool]}


def line(server: str) -> Server:
    (found,) = upstreams(f"upstream shop {{ {server}\n}}")["shop"]
    return found


def test_what_stands_there() -> None:
    assert list(upstreams(TEXT)) == ["shop", "other"]
    assert {name: (server.admin, server.weight) for name, server in servers(TEXT).items()} == {
        "app1": ("in_service", 5),
        "10.0.0.2:8080": ("drained", 1),
        "app3": ("maintenance", 1),
        "10.0.0.4:8080": ("in_service", 0),
        "10.0.0.5:8080": ("drained", 0),
        "backup.example": ("in_service", 1),
        "unix:/run/app.sock": ("in_service", 1),
        "[::1]:80": ("in_service", 1),
    }
    assert [server.name for server in servers(TEXT).values() if server.backup] == ["backup.example"]


def test_a_change_touches_its_lines_only() -> None:
    states = {"app1": "drained", "10.0.0.2:8080": "in_service", "app3": "in_service", "[::1]:80": "maintenance"}
    after = changed(TEXT, "shop", lambda one: one.with_admin(states[one.name]) if one.name in states else one)
    expected = TEXT.replace("max_fails=2; # member=app1", "max_fails=2 down; # member=app1")
    expected = expected.replace("server 10.0.0.2:8080   down;# was slow", "server 10.0.0.2:8080; # was slow")
    expected = expected.replace(
        "down; # member=app3 state=maintenance since=monday", "; # member=app3 since=monday"
    ).replace("10.0.0.3:8080 ;", "10.0.0.3:8080;")
    expected = expected.replace("server [::1]:80;", "server [::1]:80 down; # state=maintenance")
    assert after == expected


@pytest.mark.parametrize(
    ("before", "state", "after"),
    [
        ("server a:1;", "drained", "server a:1 down;"),
        ("server a:1;", "maintenance", "server a:1 down; # state=maintenance"),
        ("server a:1 down; # state=maintenance", "drained", "server a:1 down;"),
        ("server a:1 down; # weight=0", "drained", "server a:1 down; # weight=0 state=drained"),
        ("server a:1 down; # weight=0 state=drained", "in_service", "server a:1 down; # weight=0"),
        ("server a:1 down; # member=b", "in_service", "server a:1; # member=b"),
    ],
)
def test_admin_states(before: str, state: str, after: str) -> None:
    changed_line = line(before).with_admin(state)
    assert str(changed_line) == after
    assert line(after).admin == state
    assert line(after).weight == line(before).weight


@pytest.mark.parametrize(
    ("before", "weight", "after"),
    [
        ("server a:1;", 0, "server a:1 down; # weight=0"),
        ("server a:1 weight=4 backup;", 0, "server a:1 weight=4 backup down; # weight=0"),
        ("server a:1 weight=4 down; # weight=0", 4, "server a:1 weight=4;"),
        ("server a:1 weight=4 down; # weight=0", 7, "server a:1 weight=7;"),
        ("server a:1 weight=4 fail_timeout=3s;", 7, "server a:1 weight=7 fail_timeout=3s;"),
        ("server a:1 fail_timeout=3s;", 7, "server a:1 fail_timeout=3s weight=7;"),
        ("server a:1 down;", 0, "server a:1 down; # weight=0 state=drained"),
        ("server a:1 down; # weight=0 state=drained", 3, "server a:1 weight=3 down;"),
        ("server a:1 down; # state=maintenance", 3, "server a:1 weight=3 down; # state=maintenance"),
    ],
)
def test_weights(before: str, weight: int, after: str) -> None:
    assert str(line(before).with_weight(weight)) == after
    assert line(after).weight == weight
    assert line(after).admin == line(before).admin


def test_a_server_that_somebody_has_put_back_by_hand_has_its_weight_whatever_the_comment_says() -> None:
    assert line("server a:1 weight=4; # weight=0").weight == 4


@given(st.lists(st.sampled_from(["drained", "maintenance", "in_service", 0, 1, 2, 9]), max_size=6))
def test_any_changes_can_be_read_back_and_undone(changes: list[str | int]) -> None:
    text = "upstream shop {\n  server a:1 weight=2 max_fails=3; # member=app1 note\n}\n"
    admin, weight, now = "in_service", 2, text
    for change in changes:
        if isinstance(change, str):
            admin = change
            now = changed(now, "shop", lambda one, state=change: one.with_admin(state))
        else:
            weight = change
            now = changed(now, "shop", lambda one, value=change: one.with_weight(value))
        server = servers(now)["app1"]
        assert (server.admin, server.weight) == (admin, weight)
        assert server.down == (admin != "in_service" or weight == 0)
    back = changed(now, "shop", lambda one: one.with_weight(2).with_admin("in_service"))
    assert back == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("upstream shop { server a:1;", "'upstream shop' is not closed"),
        ("server a:1; }", "there is an unmatched '}'"),
        ("upstream shop { server; }", "a 'server' has no address"),
    ],
)
def test_text_that_is_not_understood(text: str, message: str) -> None:
    with pytest.raises(NotUnderstood) as raised:
        upstreams(text)
    assert str(raised.value) == message


def test_a_new_server_follows_the_last_one() -> None:
    new = new_server(NewMember("app7", "10.0.0.7:8080", "max_fails=3 fail_timeout=5s")).with_admin("drained")
    text = added(TEXT, "other", new)
    assert text == TEXT.replace(
        "upstream other { server 10.0.0.1:8080; }",
        "upstream other { server 10.0.0.1:8080;\nserver 10.0.0.7:8080 max_fails=3 fail_timeout=5s down; # member=app7\n }",
    )
    assert {name: server.admin for name, server in servers(text, "other").items()} == {
        "10.0.0.1:8080": "in_service",
        "app7": "drained",
    }


def test_a_new_server_is_indented_like_the_last_one() -> None:
    text = "upstream shop {\n    server 10.0.0.1:80; # member=app1 slow\n    keepalive 8;\n}\n"
    assert added(text, "shop", new_server(NewMember("10.0.0.2:80", "10.0.0.2:80"))) == text.replace(
        "slow\n", "slow\n    server 10.0.0.2:80;\n"
    )


def test_a_removed_server_takes_its_line_with_it_and_nothing_else() -> None:
    assert removed(TEXT, "shop", "app3") == TEXT.replace(
        "    server 10.0.0.3:8080 down; # member=app3 state=maintenance since=monday\n", ""
    )
    assert removed(TEXT, "shop", "[::1]:80") == TEXT.replace(
        "server unix:/run/app.sock; server [::1]:80;", "server unix:/run/app.sock; "
    )
    assert removed(TEXT, "shop", "nobody") == TEXT


@pytest.mark.parametrize("word", ["down;", "a b", "x#y", "{", "'q'", "a\nb"])
def test_a_word_that_would_end_the_line_is_refused(word: str) -> None:
    with pytest.raises(InputError):
        new_server(NewMember("app7", word))
    with pytest.raises(InputError):
        new_server(NewMember(word, "10.0.0.7:80"))
