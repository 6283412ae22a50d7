# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The core of release on real files."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import http.server
import json
import os
import pathlib
import socket
import threading
import time
import typing as t
import urllib.error
import urllib.request

import pytest
from support.archives import archive, recompressed, symlink
from support.cores import Outcome, call_core, params_of
from support.serving import serving

from ansible_collections.steady.rollout.plugins.module_utils import claims
from ansible_collections.steady.rollout.plugins.module_utils.call import Call
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.release import archive as release_archive
from ansible_collections.steady.rollout.plugins.module_utils.release import download as release_download
from ansible_collections.steady.rollout.plugins.module_utils.release import stage as release_stage
from ansible_collections.steady.rollout.plugins.modules import release


class Host:
    """A host's service directory and artifacts beside it."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.directory = directory
        self.path = directory / "shop"

    def artifact(self, version: str, **more: t.Any) -> str:
        return str(archive(self.directory / f"shop-{version}.tar.gz", {"VERSION": version, "bin/app": "run", **more}))

    def release(self, version: str | None = None, check_mode: bool = False, **options: t.Any) -> Outcome:
        options = {"path": str(self.path), "version": version, "remote_source": True, **options}
        return call_core(release, check_mode, **{name: value for name, value in options.items() if value is not None})

    def deploy(self, version: str, **options: t.Any) -> Outcome:
        return self.release(version, source=self.artifact(version), **options)

    def serves(self) -> str:
        return (self.path / "current" / "VERSION").read_text()

    def files(self) -> set[str]:
        return {str(place.relative_to(self.path)) for place in self.path.rglob("*")} if self.path.exists() else set()


@pytest.fixture
def host(tmp_path: pathlib.Path) -> Host:
    return Host(tmp_path)


def test_a_first_deployment(host: Host) -> None:
    outcome = host.deploy("1.0")
    assert outcome.error == ""
    assert outcome.result == {
        "changed": True,
        "path": str(host.path),
        "version": "1.0",
        "current": "1.0",
        "previous": None,
        "versions": ["1.0"],
        "bad": [],
        "pruned": [],
        "actions": ["stage 1.0", "switch from nothing to 1.0"],
        "diff": {
            "before": {"current": None, "versions": [], "bad": []},
            "after": {"current": "1.0", "versions": ["1.0"], "bad": []},
        },
    }
    assert host.serves() == "1.0"
    assert os.readlink(host.path / "current") == "releases/1.0"


def test_a_second_run_changes_nothing(host: Host) -> None:
    host.deploy("1.0", shared=["log"])
    before = {name: os.lstat(host.path / name).st_mtime_ns for name in host.files() if not name.endswith("lock")}
    outcome = host.deploy("1.0", shared=["log"])
    assert (outcome.error, outcome["changed"], outcome["actions"]) == ("", False, [])
    after = {name: os.lstat(host.path / name).st_mtime_ns for name in before}
    assert before == after


def test_the_same_files_packed_again_are_no_change(host: Host) -> None:
    host.deploy("1.0")
    again = recompressed(pathlib.Path(host.artifact("1.0")), host.directory / "again.tar.gz")
    assert not host.release("1.0", source=str(again))["changed"]


def test_staged_ahead_then_switched_to_without_a_source(host: Host) -> None:
    host.deploy("1.0")
    assert host.deploy("2.0", state="staged")["actions"] == ["stage 2.0"]
    assert host.serves() == "1.0"
    outcome = host.release("2.0")
    assert (outcome["actions"], outcome["previous"]) == (["switch from 1.0 to 2.0"], "1.0")
    assert host.serves() == "2.0"


def test_back_to_the_previous_one(host: Host) -> None:
    host.deploy("1.0")
    host.deploy("2.0")
    outcome = host.release(host.release(state="query")["previous"])
    assert (outcome["current"], outcome["previous"], host.serves()) == ("1.0", "2.0", "1.0")


def test_old_releases_are_pruned(host: Host) -> None:
    for version in ("1", "2", "3"):
        host.deploy(version)
    outcome = host.deploy("4", keep=2)
    assert (outcome["pruned"], outcome["versions"]) == (["1", "2"], ["3", "4"])
    assert sorted(os.listdir(host.path / "releases")) == ["3", "4"]
    assert sorted(os.listdir(host.path / ".rollout")) == ["3.json", "4.json", "activated", "lock"]


def test_what_cannot_be_pruned_is_a_warning(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    for version in ("1", "2", "3"):
        host.deploy(version)
    real = os.rename

    def refuse(before: str, after: str) -> None:
        if ".removed-" in after:
            raise PermissionError(errno.EPERM, "Operation not permitted", before)
        real(before, after)

    monkeypatch.setattr(os, "rename", refuse)
    outcome = host.deploy("4", keep=2)
    assert (outcome.error, outcome["current"], outcome["pruned"]) == ("", "4", [])
    assert outcome.warnings[0].startswith(f"{host.path}/releases/1 could not be removed: ")


def test_a_bad_version_stays_out(host: Host) -> None:
    host.deploy("1.0")
    host.deploy("2.0")
    assert host.release("2.0", state="bad")["actions"] == ["mark 2.0 bad"]
    assert not host.release("2.0", state="bad")["changed"]
    assert host.release("1.0")["bad"] == ["2.0"]
    refused = host.release("2.0")
    assert refused.error == (
        f"{host.path}: 2.0 is marked bad and is not activated. Deploy another version, or set allow_bad to activate it "
        "anyway."
    )
    assert set(refused.result) == set(host.release(state="query").result)
    assert host.serves() == "1.0"
    assert host.release("2.0", allow_bad=True)["current"] == "2.0"


def test_a_bad_mark_outlives_the_files(host: Host) -> None:
    for version in ("1", "2"):
        host.deploy(version)
    host.release("1", state="bad")
    host.deploy("3")
    assert host.deploy("4", keep=2)["pruned"] == ["1", "2"]
    assert host.release(state="query")["bad"] == ["1"]
    assert "is marked bad" in host.deploy("1").error


def test_a_query_on_nothing(host: Host) -> None:
    outcome = host.release(state="query")
    assert (outcome["versions"], outcome["current"], outcome["changed"]) == ([], None, False)
    assert not host.path.exists()


def test_check_mode_reports_and_changes_nothing(host: Host) -> None:
    first = host.deploy("1.0", check_mode=True)
    assert (first["changed"], first["actions"]) == (True, ["stage 1.0", "switch from nothing to 1.0"])
    assert not host.path.exists()
    for version in ("1.0", "1.1", "1.2"):
        host.deploy(version)
    before = host.files()
    second = host.deploy("2.0", check_mode=True, keep=3)
    assert second["actions"] == ["stage 2.0", "switch from 1.2 to 2.0", "prune 1.0"]
    assert second["diff"]["after"] == {"current": "2.0", "versions": ["1.1", "1.2", "2.0"], "bad": []}
    assert host.files() == before
    really = host.deploy("2.0", keep=3)
    assert really.result == second.result


def test_check_mode_finds_a_corrupt_artifact(host: Host) -> None:
    (host.directory / "bad.tar.gz").write_bytes(b"junk")
    assert "is not a valid tar.gz" in host.release("1", check_mode=True, source=f"{host.directory}/bad.tar.gz").error


def test_a_directory_on_the_host(host: Host) -> None:
    source = host.directory / "source"
    source.mkdir()
    (source / "VERSION").write_text("1.0")
    outcome = host.release("1.0", source=str(source))
    assert (outcome["current"], host.serves()) == ("1.0", "1.0")
    assert not host.release("1.0", source=str(source))["changed"]
    assert not host.release("1.0", source=str(source), check_mode=True)["changed"]


# shared paths


def test_shared_paths_are_linked_and_outlive_releases(host: Host) -> None:
    host.deploy("1.0", shared=["log", "var/uploads"])
    (host.path / "current" / "var" / "uploads" / "picture").write_text("x")
    host.deploy("2.0", shared=["log", "var/uploads"])
    assert (host.path / "current" / "var" / "uploads" / "picture").read_text() == "x"
    assert os.readlink(host.path / "releases" / "2.0" / "var" / "uploads") == "../../../shared/var/uploads"


def test_the_first_release_brings_what_is_shared(host: Host) -> None:
    source = archive(host.directory / "a.tar.gz", {"VERSION": "1", "etc/shop.conf": "port=1"})
    host.release("1", source=str(source), shared=["etc/shop.conf"])
    source = archive(host.directory / "b.tar.gz", {"VERSION": "2", "etc/shop.conf": "port=2"})
    host.release("2", source=str(source), shared=["etc/shop.conf"])
    assert (host.path / "current" / "etc" / "shop.conf").read_text() == "port=1"


def test_a_staged_release_gets_links_that_it_lacks(host: Host) -> None:
    host.deploy("1.0")
    outcome = host.deploy("1.0", shared=["log"])
    assert outcome["actions"] == ["link log of 1.0 to shared"]
    assert (host.path / "current" / "log").is_dir()


def test_a_link_to_somewhere_else_in_the_place_of_a_shared_path_is_replaced(host: Host) -> None:
    source = archive(host.directory / "a.tar.gz", {"VERSION": "1", "real/x": "1", "log": symlink("real")})
    host.release("1", source=str(source), shared=["log"])
    assert os.readlink(host.path / "releases" / "1" / "log") == "../../shared/log"


def test_a_release_cannot_lead_shared_paths_astray(host: Host) -> None:
    source = archive(host.directory / "a.tar.gz", {"VERSION": "1", "real/x": "1", "etc": symlink("real")})
    outcome = host.release("1", source=str(source), shared=["etc/shop"])
    assert (
        outcome.error
        == "shared: 'etc/shop' cannot be linked, as 'etc' of the release is a symbolic link or not a directory."
    )
    assert not outcome["changed"]
    assert os.listdir(host.path / "releases") == []


# what must not go wrong


def test_a_corrupt_artifact_changes_nothing(host: Host) -> None:
    host.deploy("1.0")
    before = host.files()
    path = pathlib.Path(host.artifact("2.0"))
    path.write_bytes(path.read_bytes()[:-40])
    outcome = host.release("2.0", source=str(path))
    assert outcome.error == (
        f"{path} is not a valid tar.gz: Compressed file ended before the end-of-stream marker was reached. Build or copy "
        "it again; nothing was changed."
    )
    assert (outcome["changed"], outcome["current"], outcome["actions"]) == (False, "1.0", [])
    assert host.files() == before


def test_a_wrong_checksum_changes_nothing(host: Host) -> None:
    path = host.artifact("1.0")
    found = hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()
    outcome = host.release("1.0", source=path, checksum="sha256:" + "A" * 64)
    assert outcome.error == (
        f"{path} is not the expected file: expected checksum sha256:{'a' * 64}, found sha256:{found}. Build or copy "
        "it again, or correct the checksum; nothing was changed."
    )


def test_not_enough_space_is_known_beforehand(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.deploy("1.0")
    before = host.files()
    monkeypatch.setattr(release_stage, "free_bytes", lambda path: 100)
    path = host.artifact("2.0", data=b"x" * 3_000_000)
    outcome = host.release("2.0", source=path)
    assert outcome.error == (
        f"{host.path}: not enough space for {path}: it needs 3.0 MB and 0.0 MB are free. Nothing was changed. Free some, "
        "for example with a smaller keep, and run again."
    )
    assert host.files() == before


def test_a_disk_that_fills_up_leaves_nothing_behind(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.deploy("1.0")
    before = host.files()

    def full(*args: t.Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("shutil.copyfileobj", full)
    path = host.artifact("2.0")
    outcome = host.release("2.0", source=path)
    assert outcome.error.startswith(f"{host.path}: not enough space for {path}: it needs 0.0 MB and ")
    assert host.files() == before
    assert host.serves() == "1.0"


def test_a_failure_after_the_switch_reports_what_is_current(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.deploy("1.0")
    host.deploy("2.0", state="staged")
    real = os.replace

    def full(before: str, after: str, **options: t.Any) -> None:
        if after.endswith("activated"):
            raise OSError(errno.ENOSPC, "No space left on device")
        real(before, after, **options)

    monkeypatch.setattr(os, "replace", full)
    outcome = host.release("2.0")
    assert outcome.error == (
        f"{host.path}: no space left on its file system. Free some, for example with a smaller keep, and run again."
    )
    assert (outcome["changed"], outcome["current"], outcome["previous"]) == (True, "2.0", "1.0")


def test_a_link_to_elsewhere_names_no_version(host: Host) -> None:
    host.deploy("1.0")
    elsewhere = host.directory / "9.9"
    elsewhere.mkdir()
    (host.path / "current").unlink()
    (host.path / "current").symlink_to(elsewhere)
    assert host.release("1.0", check_mode=True)["diff"]["before"]["current"] is None


def test_other_files_under_the_current_version(host: Host) -> None:
    host.deploy("1.0")
    outcome = host.release("1.0", source=host.artifact("1.0", more="x"))
    assert "Give the new artifact a version of its own." in outcome.error
    assert not (host.path / "current" / "more").exists()


def test_a_staged_version_can_be_replaced_while_not_in_use(host: Host) -> None:
    host.deploy("1.0")
    host.deploy("2.0", state="staged")
    assert host.release("2.0", source=host.artifact("2.0", more="x"), state="staged")["actions"] == ["stage 2.0"]
    assert (host.path / "releases" / "2.0" / "more").read_text() == "x"
    assert sorted(os.listdir(host.path / "releases")) == ["1.0", "2.0"]


def test_a_directory_in_the_link_s_place(host: Host) -> None:
    (host.path / "current").mkdir(parents=True)
    assert host.deploy("1.0").error == (
        f"{host.path}/current is not a symbolic link, so it cannot be switched. Move it away and run again."
    )


def test_a_switch_that_the_disk_refuses_leaves_no_link_behind(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.deploy("1.0")
    real = os.rename

    def refuse(before: str, after: str) -> None:
        if after.endswith("/current"):
            raise OSError(errno.ENOSPC, "No space left on device", after)
        real(before, after)

    monkeypatch.setattr(os, "rename", refuse)
    assert "no space left on its file system" in host.deploy("2.0").error
    assert host.serves() == "1.0"
    assert [name for name in os.listdir(host.path) if name.startswith(".current-")] == []


def test_a_link_to_files_elsewhere_is_no_release(host: Host) -> None:
    host.deploy("1.0")
    (host.directory / "elsewhere").mkdir()
    (host.path / "releases" / "2.0").symlink_to(host.directory / "elsewhere")
    assert host.release(state="query")["versions"] == ["1.0"]


def test_releases_made_by_other_means_are_taken_over(host: Host) -> None:
    old = host.path / "releases" / "0.9"
    old.mkdir(parents=True)
    (old / "VERSION").write_text("0.9")
    (host.path / "current").symlink_to(old)
    outcome = host.deploy("1.0")
    assert (outcome["previous"], outcome["versions"]) == ("0.9", ["0.9", "1.0"])
    assert host.release("0.9")["current"] == "0.9"


def test_files_of_others_among_the_releases_are_left_alone(host: Host) -> None:
    (host.path / "releases").mkdir(parents=True)
    (host.path / "releases" / ".gitkeep").write_text("")
    (host.path / "releases" / ".1.0.partial-77").mkdir()
    host.deploy("1.0")
    assert sorted(os.listdir(host.path / "releases")) == [".gitkeep", "1.0"]


def test_a_claim_that_was_lost_changes_nothing(host: Host) -> None:
    ours = {"service": "shop", "ledger": "a", "token": 1, "directory": str(host.directory / "claims")}
    claims.acquire(claims.Claim("shop", "a", 2, "here", str(host.directory / "claims")))
    outcome = host.deploy("1.0", claim=ours)
    assert "has taken over" in outcome.error
    assert not host.path.exists()
    assert host.deploy("1.0", claim={**ours, "token": 2})["changed"]


def test_a_claim_lost_while_unpacking_changes_nothing(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.deploy("1.0")
    before = host.files()
    directory = str(host.directory / "claims")

    def overtaken(*args: t.Any) -> None:
        release_archive.unpack(*args)
        claims.acquire(claims.Claim("shop", "a", 2, "here", directory))

    monkeypatch.setattr(release_stage, "unpack", overtaken)
    outcome = host.deploy("2.0", claim={"service": "shop", "ledger": "a", "token": 1, "directory": directory})
    assert "has taken over" in outcome.error
    assert (outcome["changed"], outcome["current"], host.serves()) == (False, "1.0", "1.0")
    assert host.files() == before


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"path": "shop"}, "path: 'shop' is not an absolute path below /; expected one such as /opt/shop."),
        ({"path": "/"}, "path: '/' is not an absolute path below /; expected one such as /opt/shop."),
        ({"keep": -1}, "keep is -1 and strip is 0; neither can be negative."),
        ({"mode": "rwx"}, "mode: 'rwx' is not three octal digits, such as '0755'."),
        ({"owner": "no-such-user"}, "owner: there is no no-such-user on this host; create it first."),
        ({"group": "no-such-group"}, "group: there is no no-such-group on this host; create it first."),
        (
            {"source": "ftp://h/x"},
            "source: 'ftp://' is not known; use a path or an http, https or file URL.",
        ),
        (
            {"source": "https://bob:secret@h/x?token=1"},
            "checksum is needed for https://h/x: sha256: and 64 hexadecimal digits.",
        ),
        ({"source": "http://"}, "source: the URL has no host or is not well formed."),
        ({"source": "/x", "checksum": "md5:1"}, "checksum: 'md5:1' is not sha256: and 64 hexadecimal digits."),
        ({"source": "/no/such"}, "source: there is no file or directory /no/such on this host."),
    ],
)
def test_wrong_input(host: Host, options: dict[str, t.Any], sentence: str) -> None:
    assert host.release("1.0", **options).error == sentence


def test_the_mode_of_directories(host: Host) -> None:
    host.deploy("1.0", mode="750")
    assert oct(os.stat(host.path / "current/").st_mode & 0o777) == "0o750"


# fetched by the host


class Files(http.server.BaseHTTPRequestHandler):
    """Serves one file under any name but /gone, and only with the token."""

    content = b""
    asked: t.ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if self.path == "/gone" or self.headers.get("X-Token") != "letmein":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()
        self.wfile.write(self.content[:-5] if self.path == "/short" else self.content)

    def log_message(self, format: str, *args: t.Any) -> None:
        pass


@pytest.fixture
def server(host: Host, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[dict[str, t.Any]]:
    """Options that fetch shop 1.0 from a server."""
    monkeypatch.setenv("no_proxy", "*")
    Files.content = pathlib.Path(host.artifact("1.0")).read_bytes()
    Files.asked.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files) as running:
        threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield {
            "source": f"http://127.0.0.1:{running.server_address[1]}",
            "checksum": f"sha256:{hashlib.sha256(Files.content).hexdigest()}",
            "headers": {"X-Token": "letmein"},
        }
        running.shutdown()


def test_a_url(host: Host, server: dict[str, t.Any]) -> None:
    options = {**server, "source": f"{server['source']}/shop.tar.gz"}
    rehearsed = host.release("1.0", check_mode=True, **options)
    assert (rehearsed["changed"], Files.asked) == (True, [])
    assert host.release("1.0", **options)["current"] == "1.0"
    assert not host.release("1.0", **options)["changed"]
    assert Files.asked == ["/shop.tar.gz"], "what is staged is not fetched again"
    assert sorted(os.listdir(host.path / "releases")) == ["1.0"]


@pytest.mark.parametrize(
    ("path", "options", "reason"),
    [
        ("/gone", {}, "could not be fetched: the server answered 404."),
        ("/x", {"headers": {}}, "could not be fetched: the server answered 404."),
        ("/short", {}, "could not be fetched: the answer was cut short."),
        (
            "/x",
            {"checksum": "sha256:" + "0" * 64},
            f"is not the expected file: expected checksum sha256:{'0' * 64}",
        ),
    ],
)
def test_a_url_that_fails(
    host: Host, server: dict[str, t.Any], path: str, options: dict[str, t.Any], reason: str
) -> None:
    url = server["source"] + path
    outcome = host.release("1.0", **{**server, "source": url, **options})
    assert outcome.error.startswith(f"{url} {reason}")
    assert os.listdir(host.path / "releases") == []


def test_nobody_serves(host: Host) -> None:
    outcome = host.release("1.0", source="http://127.0.0.1:1/x", checksum="sha256:" + "0" * 64)
    assert outcome.error == "http://127.0.0.1:1/x could not be fetched: Connection refused."


def test_a_file_url(host: Host) -> None:
    assert host.release("1.0", source=f"file://{host.artifact('1.0')}", remote_source=False)["current"] == "1.0"


# killed at any point

CHANGES = ("rename", "symlink", "mkdir", "unlink", "fsync", "chmod")


def killed_at(host: Host, point: int, **options: t.Any) -> bool:
    """Runs the release in a process that dies before its *point*-th change; False where it got to the end."""
    child = os.fork()
    if child == 0:
        left = [point]
        for name in CHANGES:
            _die_at_zero(name, left)
        try:
            host.release(**options)
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


def _die_at_zero(name: str, left: list[int]) -> None:
    real = getattr(os, name)

    def change(*args: t.Any, **named: t.Any) -> t.Any:
        if left[0] == 0:
            os._exit(9)
        left[0] -= 1
        return real(*args, **named)

    setattr(os, name, change)


def test_killed_at_any_point_one_more_run_gets_there(tmp_path: pathlib.Path) -> None:
    for point in range(200):
        directory = tmp_path / str(point)
        directory.mkdir()
        host = Host(directory)
        host.deploy("0.9", shared=["log"])
        host.deploy("1.0", shared=["log"])
        options: dict[str, t.Any] = {"version": "2.0", "source": host.artifact("2.0"), "shared": ["log"], "keep": 2}
        killed = killed_at(host, point, **options)
        assert host.serves() in ("1.0", "2.0")
        for version in host.release(state="query")["versions"]:
            assert (host.path / "releases" / version / "bin" / "app").read_text() == "run", f"{version} is not complete"
        outcome = host.release(**options)
        assert outcome.error == ""
        assert (outcome["current"], outcome["previous"], host.serves()) == ("2.0", "1.0", "2.0")
        assert sorted(os.listdir(host.path / "releases")) == ["1.0", "2.0"]
        assert not host.release(**options)["changed"]
        if not killed:
            assert point > 20
            return
    raise AssertionError("it never came to its end")


def test_killed_while_other_files_replace_a_version_the_record_never_has_the_old_origin(
    tmp_path: pathlib.Path,
) -> None:
    for point in range(200):
        directory = tmp_path / str(point)
        directory.mkdir()
        host = Host(directory)
        old = host.artifact("2.0")
        host.release("2.0", source=old, state="staged")
        kept = str(recompressed(pathlib.Path(old), directory / "old.tar.gz"))
        killed = killed_at(host, point, version="2.0", source=host.artifact("2.0", more="x"), state="staged")
        host.release("2.0", source=kept, state="staged")
        assert not (host.path / "releases" / "2.0" / "more").exists()
        if not killed:
            assert point > 5
            return
    raise AssertionError("it never came to its end")


def test_the_record_says_where_files_came_from(host: Host) -> None:
    path = host.artifact("1.0")
    host.release("1.0", source=path)
    record = json.loads((host.path / ".rollout" / "1.0.json").read_text())
    assert record["checksum"] == f"sha256:{hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()}"


def test_a_server_that_drips_ends_with_the_download_timeout(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")

    def drip(dummy: str, connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        for _byte in range(300):
            connection.sendall(b"x")
            time.sleep(0.1)

    with serving(drip) as port:
        url = f"http://127.0.0.1:{port}/x"
        outcome = host.release("1.0", source=url, checksum="sha256:" + "0" * 64, download_timeout="500ms")
    assert outcome.error == (
        f"{url} could not be fetched within 0.5 s. Nothing was changed. Set download_timeout if the connection to the "
        "server is that slow."
    )
    assert os.listdir(host.path / "releases") == []


def test_headers_that_drip_end_with_the_download_timeout(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")

    def drip(dummy: str, connection: socket.socket) -> None:
        for byte in b"HTTP/1.1 200 OK\r\nX: " + b"x" * 300:
            connection.sendall(bytes([byte]))
            time.sleep(0.1)

    with serving(drip) as port:
        url = f"http://127.0.0.1:{port}/x"
        outcome = host.release("1.0", source=url, checksum="sha256:" + "0" * 64, download_timeout="500ms")
    assert outcome.error.startswith(f"{url} could not be fetched within 0.5 s.")


@pytest.mark.parametrize("head", [b"", b"Content-Length: 100000000\r\n"])
def test_a_download_without_end_is_cut_off(host: Host, monkeypatch: pytest.MonkeyPatch, head: bytes) -> None:
    monkeypatch.setenv("no_proxy", "*")

    def flood(dummy: str, connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n")
        while True:
            connection.sendall(b"x" * 65536)

    with serving(flood) as port:
        url = f"http://127.0.0.1:{port}/x"
        outcome = host.release("1.0", source=url, checksum="sha256:" + "0" * 64, max_size=5_000_000)
    assert outcome.error == f"{url} is larger than max_size allows (5000000 bytes). Nothing was changed."
    assert os.listdir(host.path / "releases") == []


def test_a_download_is_not_redirected_from_https_to_http() -> None:
    handler = release_download._Redirects([])
    request = urllib.request.Request("https://files.example.com/a")
    with pytest.raises(urllib.error.URLError, match="a redirect from https to http, which is not followed"):
        handler.redirect_request(request, None, 302, "Found", {}, "http://files.example.com/a")


@pytest.mark.parametrize(
    ("elsewhere", "has_header"), [("https://files.example.com/b", True), ("https://mirror.example.net/a", False)]
)
def test_a_header_with_a_password_goes_to_the_host_it_was_given_for_alone(elsewhere: str, has_header: bool) -> None:
    handler = release_download._Redirects(["X-Token"])
    request = urllib.request.Request("https://files.example.com/a", headers={"X-Token": "secret"})
    followed = handler.redirect_request(request, None, 302, "Found", {}, elsewhere)
    assert followed.has_header("X-token") is has_header


# restarted under the claim


def restarted(host: Host, events: list[str]) -> str:
    given = {"service": "shop", "ledger": "l1", "token": 3, "directory": str(host.directory / "claims")}
    options = {"path": str(host.path), "version": "1.0", "source": host.artifact("1.0"), "remote_source": True}
    params = params_of(release, {**options, "claim": given, "restart": "shop", "start_command": "ctl start"})

    def run_command(argv: list[str], **_options: t.Any) -> tuple[int, str, str]:
        argv = argv[4:] if argv[0] == "timeout" else argv
        if argv[:2] != ["systemctl", "show"]:
            events.append(" ".join(argv))
        return 0, "", ""

    try:
        release.core(Call(params, False, False, print, run_command))
    except RolloutError as error:
        return error.message
    return ""


def test_the_service_is_restarted_while_the_claim_is_held(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """A controller that was suspended restarted a serving host after another run had taken over."""
    events: list[str] = []
    real = claims.held

    @contextlib.contextmanager
    def held(claim: claims.Claim | None) -> t.Iterator[None]:
        with real(claim):
            events.append("held")
            yield
            events.append(f"let go on {os.path.basename(os.path.realpath(host.path / 'current'))}")

    monkeypatch.setattr(claims, "held", held)
    assert restarted(host, events) == ""
    assert events == [
        "held",
        "let go on current",
        "held",
        "systemctl daemon-reload",
        "systemctl reset-failed -- shop",
        "systemctl restart -- shop",
        "env -u STEADY_ROLLOUT_RUN ctl start",
        "let go on 1.0",
    ]


def test_a_restart_of_what_is_current_already_is_a_change(host: Host) -> None:
    host.deploy("1.0")
    params = params_of(release, {"path": str(host.path), "version": "1.0", "start_command": "ctl start"})
    result = release.core(Call(params, False, False, print, lambda argv, **_options: (0, "", "")))
    assert (result["changed"], result["actions"]) == (True, ["run ctl start"])


def test_a_run_that_was_overtaken_restarts_nothing(host: Host) -> None:
    restarted(host, [])
    claims.acquire(claims.Claim("shop", "l1", 4, "", str(host.directory / "claims")))
    events: list[str] = []
    assert "has taken over" in restarted(host, events)
    assert events == []
