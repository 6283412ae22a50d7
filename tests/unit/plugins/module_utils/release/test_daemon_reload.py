# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When systemd has to read the files of a unit anew: in every case in which they may have changed."""

from __future__ import annotations

import os
import pathlib
import time
import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.release.daemon_reload import (
    MARGIN,
    MOST_LINKS,
    has_changed_since,
    is_needed,
)

LONG_AGO = 10 * 365 * 86400.0


@pytest.fixture
def unit(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "shop.service"
    path.write_text("[Service]\n", encoding="utf-8")
    return path


def systemd(loaded: float | None, **properties: str) -> t.Callable[..., tuple[int, str, str]]:
    """What systemctl show prints; *loaded* is how long ago systemd read all units, None for one that does not say it."""

    def run_command(argv: list[str], **_options: t.Any) -> tuple[int, str, str]:
        if argv[-1].endswith("Monotonic"):
            return 0, "" if loaded is None else f"{argv[-1].rpartition('=')[2]}={round((10_000 - loaded) * 1e6)}\n", ""
        shown = {"LoadState": "loaded", "NeedDaemonReload": "no", "SourcePath": "", "DropInPaths": "", **properties}
        return 0, "".join(f"{name}={value}\n" for name, value in shown.items()), ""

    return run_command


def later() -> float:
    return time.time() + 60


def needed(run_command: t.Callable[..., tuple[int, str, str]], now: t.Callable[[], float] = later) -> bool:
    return is_needed(run_command, "shop.service", now=now, monotonic=lambda: 10_000.0)


def test_not_where_nothing_has_changed_since_systemd_read_it(unit: pathlib.Path) -> None:
    assert not needed(systemd(5.0, FragmentPath=str(unit)))


def test_where_the_file_was_put_there_after_systemd_had_read_it(unit: pathlib.Path) -> None:
    assert needed(systemd(300.0, FragmentPath=str(unit)))


def test_a_unit_file_that_was_replaced_by_one_with_an_older_date(unit: pathlib.Path) -> None:
    """systemd says no of it: it compares dates of content, and a rollback brings an older one."""
    os.utime(unit, (LONG_AGO, LONG_AGO))
    assert needed(systemd(300.0, FragmentPath=str(unit)))


def test_a_unit_that_comes_with_the_release(tmp_path: pathlib.Path, unit: pathlib.Path) -> None:
    """The file is as it was; it is the link on the way to it that leads elsewhere now."""
    link = tmp_path / "current"
    made_at = os.lstat(unit).st_ctime
    link.symlink_to(tmp_path)
    while os.lstat(link).st_ctime <= made_at:
        link.unlink()
        link.symlink_to(tmp_path)
    assert has_changed_since(str(link / unit.name), made_at)
    assert not has_changed_since(str(link / unit.name), os.lstat(link).st_ctime)
    unit.unlink()
    assert has_changed_since(str(link / unit.name), later())


def test_links_that_lead_in_a_circle(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert has_changed_since(str(tmp_path / "a"), later())
    assert MOST_LINKS == 40, "as Linux"


@pytest.mark.parametrize(
    "properties",
    [
        {"NeedDaemonReload": "yes"},
        {"LoadState": "not-found"},
        {"FragmentPath": ""},
        {"FragmentPath": "/run/systemd/generator.late/shop.service"},
        {"SourcePath": "/etc/init.d/shop"},
        {"DropInPaths": "/no/such/drop-in.conf"},
        {"DropInPaths": "with\\ x20"},
    ],
)
def test_in_every_case_of_doubt(unit: pathlib.Path, properties: dict[str, str]) -> None:
    assert needed(systemd(5.0, **{"FragmentPath": str(unit), **properties}))


def test_where_systemd_does_not_say_when_it_read_the_units(unit: pathlib.Path) -> None:
    assert needed(systemd(None, FragmentPath=str(unit)))
    assert needed(lambda argv, **_options: (1, "", "Failed to connect to bus"))


def test_a_file_of_the_same_moment_counts_as_changed(unit: pathlib.Path) -> None:
    now = os.lstat(unit).st_ctime + 60
    assert needed(systemd(60 - MARGIN / 2, FragmentPath=str(unit)), lambda: now)
    assert not needed(systemd(60 - MARGIN - 1, FragmentPath=str(unit)), lambda: now)
