# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a service's user may do beforehand or meanwhile makes root write nowhere else."""

from __future__ import annotations

import os
import pathlib
import typing as t

import pytest
from support.archives import archive
from support.cores import Outcome, call_core

from ansible_collections.steady.rollout.plugins.module_utils.release import shared as release_shared
from ansible_collections.steady.rollout.plugins.modules import release

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root has something to lose")

USER, STRANGER = 61001, 61002


@pytest.fixture
def elsewhere(tmp_path: pathlib.Path) -> pathlib.Path:
    """A directory of root's, with a file, that must stay as it is."""
    place = tmp_path / "etc"
    place.mkdir()
    (place / "passwd").write_text("root")
    return place


@pytest.fixture
def path(tmp_path: pathlib.Path, elsewhere: pathlib.Path) -> t.Iterator[pathlib.Path]:
    yield tmp_path / "shop"
    assert [(one.name, one.stat().st_uid) for one in elsewhere.iterdir()] == [("passwd", 0)]
    assert (elsewhere.stat().st_uid, (elsewhere / "passwd").read_text()) == (0, "root")


def deploy(path: pathlib.Path, version: str = "1.0", **options: t.Any) -> Outcome:
    source = archive(path.parent / f"{version}.tar.gz", {"VERSION": version, "bin/app": "run", "var/log/a": "log"})
    given = {"path": str(path), "version": version, "source": str(source), "remote_source": True, "owner": str(USER)}
    return call_core(release, **{**given, **options})


def owned(path: pathlib.Path) -> set[str]:
    return {str(one.relative_to(path)) for one in path.rglob("*") if one.lstat().st_uid == USER}


def test_the_owner_gets_releases_and_what_is_shared_and_nothing_above(path: pathlib.Path) -> None:
    assert deploy(path, shared=["var/log"]).error == ""
    assert owned(path) == {
        "current",
        "shared",
        "shared/var",
        "shared/var/log",
        "shared/var/log/a",
        "releases/1.0",
        "releases/1.0/VERSION",
        "releases/1.0/bin",
        "releases/1.0/bin/app",
        "releases/1.0/var",
        "releases/1.0/var/log",
    }
    assert oct(path.stat().st_mode & 0o777) == "0o755"


def test_a_group_may_write_what_is_shared_and_not_the_top(path: pathlib.Path) -> None:
    assert deploy(path, mode="775").error == ""
    modes = {name: oct((path / name).stat().st_mode & 0o777) for name in (".", "releases", "shared", "releases/1.0")}
    assert modes == {".": "0o755", "releases": "0o755", "shared": "0o775", "releases/1.0": "0o775"}


def test_a_top_of_the_owners_own_is_taken_from_it(path: pathlib.Path) -> None:
    path.mkdir()
    os.chown(path, USER, USER)
    assert deploy(path).error == ""
    assert path.stat().st_uid == 0


@pytest.mark.parametrize("name", ["releases", ".rollout", "shared"])
def test_links_planted_beforehand_are_refused(path: pathlib.Path, elsewhere: pathlib.Path, name: str) -> None:
    path.mkdir()
    (path / name).symlink_to(elsewhere)
    os.chown(path, USER, USER)
    assert deploy(path).error == (
        f"{path / name} is a symbolic link, or something else that is not a directory. Move it away and run again."
    )


def test_a_link_in_place_of_the_top_is_refused(path: pathlib.Path, elsewhere: pathlib.Path) -> None:
    path.symlink_to(elsewhere)
    assert "is a symbolic link, or something else that is not a directory." in deploy(path).error


def test_a_lock_that_leads_elsewhere_is_not_followed(path: pathlib.Path, elsewhere: pathlib.Path) -> None:
    deploy(path)
    (path / ".rollout" / "lock").unlink()
    (path / ".rollout" / "lock").symlink_to(elsewhere / "new")
    assert "Too many levels of symbolic links" in deploy(path, "2.0").error


def test_a_top_of_somebody_else_is_refused(path: pathlib.Path) -> None:
    path.mkdir()
    os.chown(path, STRANGER, STRANGER)
    assert deploy(path).error == (
        f"{path} belongs to uid {STRANGER}, who could replace what root writes there. Give it to root (chown root {path}), "
        "or run the task as the service's user (become_user)."
    )


def test_a_directory_above_that_others_may_write_to_is_refused(path: pathlib.Path) -> None:
    above = path.parent / "open"
    above.mkdir()
    above.chmod(0o777)
    assert deploy(above / "shop").error.startswith(f"{above} can be written by others (mode 0777), who could replace")


def test_a_link_planted_among_what_is_shared_makes_no_directories_elsewhere(
    path: pathlib.Path, elsewhere: pathlib.Path
) -> None:
    deploy(path)
    (path / "shared" / "var").symlink_to(elsewhere)
    assert deploy(path, "2.0", shared=["var/log"]).error == (
        f"shared: 'var/log' cannot be linked, as {path}/shared/var is a symbolic link or not a directory."
    )


def test_a_link_planted_in_a_staged_release_moves_and_removes_nothing_elsewhere(
    path: pathlib.Path, elsewhere: pathlib.Path
) -> None:
    deploy(path)
    os.rename(path / "releases/1.0/var", path / "releases/1.0/was")
    (path / "releases/1.0/var").symlink_to(elsewhere)
    assert deploy(path, shared=["var/passwd"]).error == (
        "shared: 'var/passwd' cannot be linked, as 'var' of the release is a symbolic link or not a directory."
    )


def test_a_link_planted_between_two_steps_is_not_followed(
    path: pathlib.Path, elsewhere: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The directory is held: what the name means meanwhile does not count."""
    deploy(path)
    real = release_shared._link

    def planted(*given: t.Any) -> None:
        os.rename(path / "shared/var", path / "shared/was")
        (path / "shared/var").symlink_to(elsewhere)
        real(*given)

    monkeypatch.setattr(release_shared, "_link", planted)
    assert deploy(path, "2.0", shared=["var/new"]).error == ""
    assert sorted(os.listdir(path / "shared/was")) == ["new"]


def test_a_release_is_not_accessible_before_it_is_complete(path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who could, might put links where root changes owners."""
    seen: list[tuple[int, str]] = []
    real = os.chown

    def chown(place: t.Any, *given: t.Any, **options: t.Any) -> None:
        if "partial" in str(place):
            top = pathlib.Path(str(place)[: str(place).index("/", str(place).index("partial"))])
            seen.append((top.stat().st_uid, oct(top.stat().st_mode & 0o777)))
        real(place, *given, **options)

    monkeypatch.setattr(os, "chown", chown)
    deploy(path)
    assert seen
    assert set(seen) == {(0, "0o700")}
