# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The step updates/git.yml as a rollout runs it, from a repository and packages that are on this machine."""

from __future__ import annotations

import json
import pathlib
import subprocess
import typing as t
import zipfile

import pytest
from support.playbooks import played

STEP = {
    "name": "Run the step",
    "ansible.builtin.include_role": {
        "name": "steady.rollout.rollout",
        "tasks_from": "updates/git",
        "rolespec_validate": False,
    },
}


class Project:
    """A repository with two tagged versions, each of which requires another version of a package."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.bare, self.work, self.wheels = folder / "shop.git", folder / "work", folder / "wheels"
        self.checkout, self.virtualenv = folder / "opt" / "shop", folder / "opt" / "venv"
        self.wheels.mkdir()
        self.checkout.parent.mkdir()
        git(folder, "init", "--quiet", "--bare", "--initial-branch=main", str(self.bare))
        git(folder, "clone", "--quiet", str(self.bare), str(self.work))
        for version in ("1.0", "2.0"):
            self._wheel(version)
            (self.work / "VERSION").write_text(version)
            (self.work / "requirements.txt").write_text(f"steady-part=={version}\n")
            self._publish(version)

    def deploy(self, version: str, **more: t.Any) -> tuple[int, str]:
        settings = {
            "repository": str(self.bare),
            "path": str(self.checkout),
            "version": f"v{version}",
            "virtualenv": str(self.virtualenv),
            "pip_arguments": f"--no-index --find-links {self.wheels}",
            **more,
        }
        given = {
            "rollout_service": "shop",
            "rollout_target": {"version": version, "revision": ""},
            "rollout_start_command": f"touch {self.folder}/restarted-{version}",
            "rollout_git": settings,
        }
        return played(self.folder, {"tasks": [STEP]}, "-e", json.dumps(given))

    def is_on(self) -> str:
        return (self.checkout / "VERSION").read_text()

    def has_installed(self) -> str:
        words = [str(self.virtualenv / "bin" / "python"), "-c", "import steady_part; print(steady_part.VERSION)"]
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()

    def was_restarted(self, version: str) -> bool:
        return (self.folder / f"restarted-{version}").exists()

    def _publish(self, version: str) -> None:
        git(self.work, "add", "--all")
        git(self.work, "-c", "user.name=x", "-c", "user.email=x@example.org", "commit", "--quiet", "-m", version)
        git(self.work, "tag", f"v{version}")
        git(self.work, "push", "--quiet", "--tags", "origin", "HEAD:main")

    def _wheel(self, version: str) -> None:
        """As much of one as pip needs."""
        info = f"steady_part-{version}.dist-info"
        files = {
            "steady_part.py": f"VERSION = '{version}'\n",
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: steady-part\nVersion: {version}\n",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        with zipfile.ZipFile(self.wheels / f"steady_part-{version}-py3-none-any.whl", "w") as wheel:
            for name, text in files.items():
                wheel.writestr(name, text)
            wheel.writestr(f"{info}/RECORD", "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"]))


def git(folder: pathlib.Path, *words: str) -> None:
    subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def project(tmp_path: pathlib.Path) -> Project:
    return Project(tmp_path)


def test_a_version_is_checked_out_with_what_it_requires_and_the_one_before_comes_back(project: Project) -> None:
    for version in ("1.0", "2.0", "1.0"):
        code, output = project.deploy(version)
        assert code == 0, output
        assert (project.is_on(), project.has_installed(), project.was_restarted(version)) == (version, version, True)


def test_a_file_that_somebody_changed_is_restored(project: Project) -> None:
    assert project.deploy("1.0")[0] == 0
    (project.checkout / "VERSION").write_text("by hand")
    code, output = project.deploy("1.0")
    assert code == 0, output
    assert project.is_on() == "1.0"


def test_a_version_that_is_not_there_fails_before_the_service_is_restarted(project: Project) -> None:
    assert project.deploy("1.0")[0] == 0
    code, output = project.deploy("3.0")
    assert code == 2
    assert "v3.0" in output
    assert not project.was_restarted("3.0")
    assert project.is_on() == "1.0"


def test_a_requirement_that_cannot_be_installed_fails_the_step(project: Project) -> None:
    (project.wheels / "steady_part-2.0-py3-none-any.whl").unlink()
    assert project.deploy("1.0")[0] == 0
    code, output = project.deploy("2.0")
    assert code == 2
    assert "steady-part==2.0" in output
    assert not project.was_restarted("2.0")
    assert project.deploy("1.0")[0] == 0
    assert (project.is_on(), project.has_installed()) == ("1.0", "1.0")
