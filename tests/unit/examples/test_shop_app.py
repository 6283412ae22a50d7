# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import asyncio
import json
import math
import pathlib
import typing as t

import pytest
from support import examples

app = examples.module("shop", "app")


def ask(
    shop: t.Any, path: str, method: str = "GET", body: bytes = b"", names_host: bool = True
) -> tuple[int, dict[str, t.Any]]:
    host = "Host: shop\r\n" if names_host else ""
    target = f"{method} {path} HTTP/1.1\r\n{host}Content-Length: {len(body)}\r\n\r\n"

    async def answer() -> t.Any:
        reader = asyncio.StreamReader()
        reader.feed_data(body)
        return await shop.answer(app._parse(target.encode()), reader)

    said = asyncio.run(answer())
    return said.status, said.content


def a_shop(clock: t.Callable[[], float] = lambda: 0.0, **behaviour: t.Any) -> t.Any:
    return app.Shop("1.0.0", "app1", app.Behaviour(**behaviour), clock)


def test_a_good_release() -> None:
    shop = a_shop()
    assert ask(shop, "/") == (200, {"version": "1.0.0", "host": "app1"})
    assert ask(shop, "/health") == (200, {"status": "healthy", "version": "1.0.0"})
    assert ask(shop, "/slow?seconds=0") == (200, {"version": "1.0.0", "host": "app1"})
    assert ask(shop, "/upload", "POST", b"x" * 7) == (200, {"version": "1.0.0", "host": "app1", "bytes": 7})
    assert ask(shop, "/nothing")[0] == 404


def test_an_unhealthy_release_still_serves() -> None:
    shop = a_shop(health="unhealthy")
    assert ask(shop, "/health") == (500, {"status": "unhealthy", "version": "1.0.0"})
    assert ask(shop, "/")[0] == 200


def test_a_release_that_lies_about_its_version() -> None:
    shop = a_shop(version="9.9.9")
    assert ask(shop, "/health") == (200, {"status": "healthy", "version": "9.9.9"})
    assert ask(shop, "/")[1]["version"] == "9.9.9"


@pytest.mark.parametrize("path", ["/", "/health"])
def test_a_release_that_is_healthy_for_a_while(path: str) -> None:
    now = [100.0]
    shop = a_shop(lambda: now[0], healthy_for=5)
    now[0] = 104.9
    assert ask(shop, path)[0] == 200
    now[0] = 105.0
    assert ask(shop, path)[0] == 500


def test_a_release_that_flaps() -> None:
    now = [100.0]
    shop = a_shop(lambda: now[0], healthy_for=5, afterwards="flap")
    seen = []
    for now[0] in (104.9, 105.0, 105.9, 106.0, 106.9, 107.0):
        seen.append(ask(shop, "/")[0])
    assert seen == [200, 500, 500, 200, 200, 500]


def test_a_release_that_fails_the_checks_of_load_balancers_only() -> None:
    now = [100.0]
    shop = a_shop(lambda: now[0], healthy_for=5, afterwards="fail checks")
    now[0] = 106.0
    assert ask(shop, "/health")[0] == 200
    assert ask(shop, "/")[0] == 200
    assert ask(shop, "/health", names_host=False)[0] == 500
    assert ask(shop, "/", names_host=False)[0] == 200


@pytest.mark.parametrize("afterwards", ["crash", "leak"])
def test_a_release_that_ends_serves_until_then(afterwards: str) -> None:
    now = [100.0]
    shop = a_shop(lambda: now[0], healthy_for=5, afterwards=afterwards)
    now[0] = 106.0
    assert ask(shop, "/")[0] == 200


def test_a_release_that_fails_a_share_of_its_requests() -> None:
    shop = a_shop(errors=0.25)
    assert [ask(shop, "/")[0] for dummy in range(8)] == [200, 200, 200, 500] * 2
    assert ask(shop, "/health")[0] == 200


def test_latencies_vary_as_those_of_real_services() -> None:
    shop = a_shop(latency=0.010)
    drawn = sorted(shop._latency() for dummy in range(4000))
    assert drawn[2000] == pytest.approx(0.010, rel=0.1)
    assert drawn[3800] == pytest.approx(0.010 * math.exp(1.645 * 0.4), rel=0.1)
    assert a_shop()._latency() == 0


def test_an_unknown_behaviour_is_refused(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "behaviour.json"
    file.write_text(json.dumps({"helth": "unhealthy"}), encoding="utf-8")
    with pytest.raises(TypeError, match="helth"):
        app.Behaviour.read(file)


def test_a_release_that_is_cold_at_first() -> None:
    now = [100.0]
    shop = a_shop(lambda: now[0], latency=0.02, spread=0.0, warm_up=60)
    latencies = []
    for now[0] in (100.0, 130.0, 160.0, 500.0):
        latencies.append(round(shop._latency(), 3))
    assert latencies == [0.08, 0.05, 0.02, 0.02]


def test_a_release_that_fails_once_for_a_moment() -> None:
    now = [100.0]
    shop = a_shop(lambda: now[0], burst=2, burst_after=10)
    assert ask(shop, "/")[0] == 200
    now[0] = 110.0
    assert [ask(shop, "/")[0] for dummy in range(4)] == [500, 500, 200, 200]


def test_a_release_without_behaviour_is_a_good_one(tmp_path: pathlib.Path) -> None:
    assert app.Behaviour.read(tmp_path / "behaviour.json") == app.Behaviour()


@pytest.mark.parametrize(
    ("head", "keep_alive"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", True),
        (b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", False),
        (b"GET / HTTP/1.0\r\n\r\n", False),
        (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", True),
    ],
)
def test_connections_are_kept_as_http_says(head: bytes, keep_alive: bool) -> None:
    assert app._parse(head).keep_alive is keep_alive


def with_feature(tmp_path: pathlib.Path, state: str, **feature: t.Any) -> t.Any:
    path = tmp_path / "shop.env"
    path.write_text(f"CHECKOUT_V2={state}\n", encoding="utf-8")
    system = {"type": "file", "path": str(path)}
    shop = a_shop(feature={"name": "checkout_v2", "system": system, **feature})
    asyncio.run(shop.feature.look())
    return shop


def test_every_answer_says_whether_the_feature_was_used(tmp_path: pathlib.Path) -> None:
    shop = with_feature(tmp_path, "true")
    assert ask(shop, "/") == (200, {"version": "1.0.0", "host": "app1", "feature": "on"})
    assert ask(shop, "/health")[1]["flags"] == {"checkout_v2": True}
    assert ask(with_feature(tmp_path, "false"), "/")[1]["feature"] == "off"


def test_a_release_without_the_feature_fails_where_it_is_on(tmp_path: pathlib.Path) -> None:
    shop = with_feature(tmp_path, "true", served=False)
    assert ask(shop, "/") == (
        500,
        {"version": "1.0.0", "host": "app1", "feature": "on", "status": "has no checkout_v2"},
    )
    assert ask(shop, "/health")[0] == 200
    assert ask(with_feature(tmp_path, "false", served=False), "/")[0] == 200


def test_a_flag_that_cannot_be_read_stays_as_it_was(tmp_path: pathlib.Path) -> None:
    shop = with_feature(tmp_path, "true")
    (tmp_path / "shop.env").unlink()
    asyncio.run(shop.feature.look())
    assert shop.feature.is_on
