# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When systemd has to be reloaded: in every case in which any unit may have changed."""

from __future__ import annotations

import os
import pathlib
import shutil
import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.release.daemon_reload import (
    MARGIN,
    MOST_LINKS,
    Clocks,
    has_changed_since,
    is_needed,
)

LONG_AGO = 10 * 365 * 86400.0
LOADED = 5_000.0
"""The monotonic time at which systemd read all units."""


class Host:
    """The directories of a host's units. Whatever is in them when systemd loads them is older than that."""

    def __init__(self, root: pathlib.Path) -> None:
        self.etc, self.lib, self.opt = (root / name for name in ("etc", "lib", "opt"))
        self.touched = root / "systemd-units-load"
        for folder in (self.etc, self.lib, self.opt):
            folder.mkdir()
        self.says: dict[str, str] = {}

    def put(self, path: pathlib.Path, text: str = "[Service]\n") -> pathlib.Path:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def load(self) -> None:
        """systemd has read all units: later than everything that is there, and earlier than what comes now."""
        newest = max(os.lstat(path).st_ctime for path in [self.etc, *self.etc.parent.rglob("*")])
        while os.lstat(self.put(self.touched)).st_ctime <= newest:
            pass
        self.loaded_at = os.lstat(self.touched).st_ctime
        os.utime(self.touched, (self.loaded_at, self.loaded_at + MARGIN))
        while os.lstat(self.put(self.opt / "later")).st_ctime <= self.loaded_at:
            pass

    def systemd(self, argv: list[str], **_options: t.Any) -> tuple[int, str, str]:
        shown = {
            "LoadState": "loaded", "NeedDaemonReload": "no", "FragmentPath": str(self.etc / "shop.service"),
            "UnitPath": f"/run/systemd/generator {self.etc} /no/such/folder {self.lib}",
            "UnitsLoadTimestampMonotonic": str(round(LOADED * 1e6)), **self.says,
        }  # fmt: skip
        asked = next(word for word in argv if word.startswith("--property=")).partition("=")[2].split(",")
        return 0, "".join(f"{name}={value}\n" for name, value in shown.items() if name in asked), ""

    def needs_reload(self, slept: float = 0.0, **says: str) -> bool:
        """*slept*: seconds in which the machine was suspended, which the monotonic clock does not count."""
        self.says = says
        clocks = Clocks(wall=lambda: self.loaded_at + MARGIN + 60 + slept, monotonic=lambda: LOADED + 60)
        return is_needed(self.systemd, "shop.service", clocks, str(self.touched))


@pytest.fixture
def host(tmp_path: pathlib.Path) -> Host:
    found = Host(tmp_path)
    found.put(found.etc / "shop.service")
    found.put(found.lib / "shop@.service")
    found.put(found.opt / "shop.service")
    (found.opt / "1.0").mkdir()
    (found.opt / "2.0").mkdir()
    (found.opt / "current").symlink_to("2.0")
    for version in ("1.0", "2.0"):
        found.put(found.opt / version / "worker.service")
    (found.etc / "worker.service").symlink_to(found.opt / "current" / ".." / "current" / "worker.service")
    (found.etc / "api.service").symlink_to("shop.service")
    (found.etc / "masked.service").symlink_to("/dev/null")
    (found.etc / "gone.service").symlink_to("nowhere.service")
    found.put(found.etc / "shop.service.d" / "limits.conf")
    found.load()
    return found


def switch(host: Host, name: pathlib.Path, target: str) -> None:
    name.unlink()
    name.symlink_to(target)


def older(host: Host, path: pathlib.Path) -> None:
    """Replaced by a file whose content is older, as tar, rsync and packages do."""
    new = host.put(host.opt / "new")
    os.utime(new, (LONG_AGO, LONG_AGO))
    new.rename(path)


CHANGES: dict[str, t.Callable[[Host], object]] = {
    "a unit file that was edited": lambda host: host.put(host.etc / "shop.service", "[Service]\nUser=shop\n"),
    "one that was replaced by an older one": lambda host: older(host, host.etc / "shop.service"),
    "a release that brings its unit file": lambda host: switch(host, host.opt / "current", "1.0"),
    "the first drop-in": lambda host: host.put(host.etc / "api.service.d" / "x.conf"),
    "another drop-in": lambda host: host.put(host.etc / "shop.service.d" / "x.conf"),
    "a drop-in that is gone": lambda host: (host.etc / "shop.service.d" / "limits.conf").unlink(),
    "a drop-in that was replaced by an older one": lambda host: older(host, host.etc / "shop.service.d" / "limits.conf"),
    "a file that takes precedence": lambda host: host.put(host.etc / "shop@1.service"),
    "an alias of another unit": lambda host: switch(host, host.etc / "api.service", "worker.service"),
    "a unit that it pulls in": lambda host: host.put(host.lib / "shop.socket"),
    "a folder that was moved there": lambda host: shutil.move(host.etc / "shop.service.d", host.etc / "api.service.d"),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_a_restart_after_a_change_starts_the_changed_unit(host: Host, change: str) -> None:
    assert not host.needs_reload()
    CHANGES[change](host)
    assert host.needs_reload()


@pytest.mark.parametrize(
    "says",
    [
        {"NeedDaemonReload": "yes"},
        {"LoadState": "not-found"},
        {"FragmentPath": "/run/systemd/generator.late/shop.service"},
        {"SourcePath": "/etc/init.d/shop"},
        {"UnitPath": ""},
        {"UnitsLoadTimestampMonotonic": ""},
    ],
)
def test_it_is_reloaded_where_nothing_can_be_said(host: Host, says: dict[str, str]) -> None:
    assert host.needs_reload(**says)


def test_it_is_reloaded_where_systemd_does_not_answer_or_is_too_old(host: Host) -> None:
    assert is_needed(lambda argv, **_options: (1, "", "Failed to connect to bus"), "shop.service")
    host.touched.unlink()
    assert host.needs_reload()


def test_a_machine_that_was_suspended_overlooks_no_change(host: Host) -> None:
    host.put(host.etc / "shop.service", "[Service]\nUser=shop\n")
    assert host.needs_reload(slept=3600.0)


def test_a_clock_that_was_set_back_overlooks_no_change(host: Host) -> None:
    os.utime(host.touched, (host.loaded_at, host.loaded_at + 3600))
    host.put(host.etc / "shop.service", "[Service]\nUser=shop\n")
    assert host.needs_reload()


def test_links_that_lead_in_a_circle_end(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert not has_changed_since(str(tmp_path), os.lstat(tmp_path).st_ctime + 60)
    assert MOST_LINKS == 40, "as Linux"
