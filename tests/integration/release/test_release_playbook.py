# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""release through ansible-playbook: in the worker, and as a module that another user runs.

Starting ansible-playbook takes seconds, so each way plays one story of many tasks and the tests ask what came of it.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import re
import subprocess
import sys
import typing as t

import pytest
import yaml
from support.archives import archive

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
PYTHON = os.environ.get("MODULE_PYTHON", sys.executable)
AS_ROOT = {"become": True, "become_method": "ansible.builtin.su"}
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="running the module for another user takes root")
WAYS = [pytest.param({}, id="worker"), pytest.param(AS_ROOT, id="module", marks=needs_root)]

STORY: dict[str, dict[str, t.Any]] = {
    "rehearsed": {"version": "1.0", "source": "shop-1.0.tar.gz", "check": True},
    "first": {"version": "1.0", "source": "shop-1.0.tar.gz", "shared": ["log"]},
    "again": {"version": "1.0", "source": "shop-1.0.tar.gz", "shared": ["log"]},
    "directory": {"version": "1.1", "source": "directory"},
    "same directory": {"version": "1.1", "source": "directory-later"},
    "same directory rehearsed": {"version": "1.1", "source": "directory-later", "check": True},
    "corrupt rehearsed": {"version": "3.0", "source": "corrupt.tar.gz", "check": True},
    "corrupt": {"version": "3.0", "source": "corrupt.tar.gz"},
    "wrong checksum": {"version": "3.0", "source": "shop-2.0.tar.gz", "checksum": "sha256:" + "0" * 64},
    "not there": {"version": "3.0", "source": "nowhere.tar.gz"},
    "unsafe": {"version": "../x", "source": "shop-1.0.tar.gz"},
    "unused version asked": {"state": "query"},
    "second": {"version": "2.0", "source": "shop-2.0.tar.gz", "shared": ["log"]},
    "marked bad": {"version": "2.0", "state": "bad"},
    "back": {"version": "1.0"},
    "bad refused": {"version": "2.0"},
    "asked": {"state": "query"},
}


@dataclasses.dataclass
class Played:
    """The results of the story's tasks and what ansible-playbook printed about each."""

    directory: pathlib.Path
    results: dict[str, dict[str, t.Any]]
    output: dict[str, str]

    @property
    def path(self) -> pathlib.Path:
        return self.directory / "shop"

    def __getitem__(self, task: str) -> dict[str, t.Any]:
        return self.results[task]

    def modules(self, task: str) -> int:
        return len(re.findall(r"Using module file .*/release\.py", self.output[task]))

    def transfers(self, task: str) -> int:
        return len(re.findall(r"PUT .*release\.tar\.gz", self.output[task]))


@pytest.fixture(scope="module", params=WAYS)
def played(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Played:
    directory = tmp_path_factory.mktemp("play")
    make_artifacts(directory / "files")
    tasks = [task(name, options, directory, request.param) for name, options in STORY.items()]
    playbook = directory / "play.yml"
    playbook.write_text(
        yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": [*tasks, tell(directory)]}])
    )
    done = subprocess.run(
        [
            os.path.join(os.path.dirname(sys.executable), "ansible-playbook"),
            *(str(playbook), "-i", "localhost,", "-c", "local", "-e", f"ansible_python_interpreter={PYTHON}", "-vvv"),
        ],
        cwd=directory,
        env=environment(directory),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    chapters = re.split(r"^TASK \[(.*)\] \*+$", done.stdout, flags=re.MULTILINE)
    return Played(
        directory, json.loads((directory / "results.json").read_text()), dict(zip(chapters[1::2], chapters[2::2]))
    )


def make_artifacts(files: pathlib.Path) -> None:
    files.mkdir()
    for version in ("1.0", "2.0"):
        archive(files / f"shop-{version}.tar.gz", {"VERSION": version})
    corrupt = archive(files / "corrupt.tar.gz", {"VERSION": "3.0"})
    corrupt.write_bytes(corrupt.read_bytes()[:-20])
    for name, time in (("directory", 1_000_000_000), ("directory-later", 1_100_000_000)):
        (files / name).mkdir()
        (files / name / "VERSION").write_text("1.1")
        os.utime(files / name / "VERSION", (time, time))


def task(name: str, options: dict[str, t.Any], directory: pathlib.Path, how: dict[str, t.Any]) -> dict[str, t.Any]:
    arguments = {key: value for key, value in options.items() if key != "check"}
    return {
        "name": name,
        "steady.rollout.release": {"path": str(directory / "shop"), **arguments},
        "check_mode": options.get("check", False),
        "diff": True,
        "register": variable(name),
        "ignore_errors": True,
        **how,
    }


def tell(directory: pathlib.Path) -> dict[str, t.Any]:
    results = ", ".join(f"'{name}': {variable(name)}" for name in STORY)
    content = "{{ {" + results + "} | to_json }}"
    return {"ansible.builtin.copy": {"content": content, "dest": str(directory / "results.json")}}


def variable(name: str) -> str:
    return f"seen_{name.replace(' ', '_')}"


def environment(directory: pathlib.Path) -> dict[str, str]:
    return {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(REPOSITORY / ".collections"),
        "ANSIBLE_REMOTE_TMP": str(directory / "remote_tmp"),
        "ANSIBLE_PIPELINING": "true",
        "ANSIBLE_NOCOLOR": "true",
    }


def test_check_mode_reports_and_changes_nothing(played: Played) -> None:
    assert played["rehearsed"]["actions"] == ["stage 1.0", "switch from nothing to 1.0"]
    assert played["rehearsed"]["diff"]["after"]["current"] == "1.0"
    assert played["first"]["diff"]["before"] == {"current": None, "versions": [], "bad": []}


def test_from_the_playbook_s_files(played: Played) -> None:
    assert (played["first"]["changed"], played["first"]["current"]) == (True, "1.0")
    assert (played["again"]["changed"], played["again"]["current"]) == (False, "1.0")
    assert (played.path / "current" / "VERSION").read_text() == "1.0"
    assert (played.path / "current" / "log").is_dir()


def test_a_directory_whatever_its_times(played: Played) -> None:
    assert (played["directory"]["changed"], played["directory"]["current"]) == (True, "1.1")
    assert not played["same directory"]["changed"]
    assert not played["same directory rehearsed"]["changed"]
    assert (played.path / "releases" / "1.1" / "VERSION").read_text() == "1.1"


def test_what_is_wrong_is_one_clear_sentence(played: Played) -> None:
    files = played.directory / "files"
    cut = (
        f"{files}/corrupt.tar.gz is not a valid tar.gz: Compressed file ended before the end-of-stream marker was reached. "
        "Build or copy it again; nothing was changed."
    )
    assert played["corrupt rehearsed"]["msg"].endswith(cut)
    assert played["corrupt"]["msg"].endswith(cut)
    assert (
        f"{files}/shop-2.0.tar.gz is not the expected file: expected checksum sha256:0000"
        in (played["wrong checksum"]["msg"])
    )
    assert played["not there"]["msg"].endswith(
        "source: nowhere.tar.gz is not on the controller, neither as given nor in files/ of the role or playbook. Set "
        "remote_source if it is on the host."
    )
    assert "version: '../x' cannot name a release" in played["unsafe"]["msg"]


def test_what_is_wrong_changes_nothing(played: Played) -> None:
    for name in ("corrupt rehearsed", "corrupt", "wrong checksum", "not there", "unsafe"):
        assert (played[name]["failed"], played[name]["changed"]) == (True, False), name
    asked = played["unused version asked"]
    assert (asked["versions"], asked["current"], asked["bad"]) == (["1.0", "1.1"], "1.1", [])


def test_bad_and_back(played: Played) -> None:
    assert (played["second"]["current"], played["second"]["previous"]) == ("2.0", "1.1")
    assert played["marked bad"]["bad"] == ["2.0"]
    assert played["back"]["actions"] == ["switch from 2.0 to 1.0"]
    assert "is marked bad" in played["bad refused"]["msg"]
    asked = played["asked"]
    assert (asked["versions"], asked["bad"], asked["current"]) == (["1.0", "1.1", "2.0"], ["2.0"], "1.0")


def test_nothing_is_left_lying_about(played: Played) -> None:
    assert not list(played.directory.glob("remote_tmp/*"))
    assert sorted(os.listdir(played.path / "releases")) == ["1.0", "1.1", "2.0"]
    assert sorted(os.listdir(played.path)) == [".rollout", "current", "releases", "shared"]


def test_at_most_one_module_a_call_and_nothing_sent_in_vain(played: Played) -> None:
    if not played.modules("first"):
        assert not any(played.modules(name) or played.transfers(name) for name in STORY)
        return
    assert all(played.modules(name) <= 1 for name in STORY)
    sent = [name for name in STORY if played.transfers(name)]
    assert sent == ["first", "directory", "corrupt", "second"]
