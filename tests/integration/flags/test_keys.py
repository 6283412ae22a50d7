# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No key of a flag system is in the output, with -vvv and --diff, in the ledger, in an error, or in the list of processes."""

from __future__ import annotations

import pathlib
import secrets
import subprocess
import time
import typing as t

import pytest
from support import unleash
from support.fake_flag_server import FakeFlags
from support.fake_flagsmith import FlagsmithFake
from support.fake_launchdarkly import LaunchDarklyFake
from support.fake_split import SplitFake
from support.flag_calls import Flags
from support.flag_shop import Shop
from support.flag_systems import RealFlags, RedisServer, UnleashServer

SYSTEMS: dict[str, type[RealFlags]] = {
    one.name: one for one in (FlagsmithFake, LaunchDarklyFake, RedisServer, SplitFake, UnleashServer)
}
AT_ONCE = [{"percent": 100, "bake": 2}]


@pytest.fixture(params=sorted(SYSTEMS))
def system(
    request: pytest.FixtureRequest, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> t.Iterator[RealFlags]:
    starter = SYSTEMS[request.param]
    if not issubclass(starter, FakeFlags) and starter.missing():
        pytest.skip(starter.missing())
    if issubclass(starter, FakeFlags):
        monkeypatch.setattr(starter, "connect", lambda self: None)
    # Another Unleash of the tests may run on this machine, whose key is an argument of its own test's.
    monkeypatch.setattr(unleash, "ADMIN", f"*:*.unleash-secret-{secrets.token_hex(8)}")
    made = starter(tmp_path)
    made.start()
    try:
        Flags(made).set("off")
        yield made
    finally:
        made.stop()


def keys_of(system: RealFlags) -> list[str]:
    settings = system.settings()
    names = ("password", "token", *(["environment"] if settings["type"] == "flagsmith" else []))
    return [settings[name] for name in names if name in settings]


def processes() -> str:
    """The arguments of all that run now, as every user of the machine sees them."""
    return "\n".join(map(_arguments, pathlib.Path("/proc").glob("[0-9]*")))


def _arguments(process: pathlib.Path) -> str:
    """Not those of the server, which gets its password from the test that way."""
    try:
        words = (process / "cmdline").read_text(errors="replace").replace("\0", " ")
    except OSError:
        return ""
    return "" if "redis-server" in words else words


def seen_while(run: subprocess.Popen[bytes]) -> str:
    found, deadline = "", time.monotonic() + 120
    while run.poll() is None and time.monotonic() < deadline:
        found += processes()
        time.sleep(0.1)
    assert run.wait(timeout=5) is not None
    return found


def test_a_release_shows_no_key(system: RealFlags, tmp_path: pathlib.Path) -> None:
    shop = Shop(tmp_path, system.settings())
    run = shop.start("-vvv", "--diff", rollout_flag_steps=AT_ONCE)
    listed = seen_while(run)
    assert run.returncode == 0, shop.log()
    assert "playbooks/flag.yml" in listed
    ledger = b"".join(path.read_bytes() for path in (tmp_path / "ledger").iterdir() if path.is_file())
    for key in keys_of(system):
        assert key not in shop.log()
        assert key.encode() not in ledger
        assert key not in listed


def test_a_release_that_fails_shows_no_key(system: RealFlags, tmp_path: pathlib.Path) -> None:
    given = system.settings()
    name = "password" if "password" in given else "token"
    shop = Shop(tmp_path, {**given, name: "another-secret"})
    exit_code, printed = shop.run("-vvv", "--diff", rollout_flag_steps=AT_ONCE)
    assert exit_code == 2
    assert "another-secret" not in printed
    shop = Shop(tmp_path, given)
    run = shop.start("-vvv", rollout_flag_steps=[{"percent": 100, "bake": 60}])
    shop.await_share(100, run)
    system.break_down()
    shop.control("aborted")
    assert run.wait(timeout=90) == 2
    assert "may still be on" in shop.log()
    for key in keys_of(system):
        assert key not in shop.log()
