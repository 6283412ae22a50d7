# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pathlib
import subprocess
import sys

import pytest
from run import house, parts, tools
from run.sanity import BOOTSTRAP, pip_settings
from run.tools import Pythons, Unavailable, fingerprint


def test_pip_settings_keep_their_section_and_the_environment_wins() -> None:
    listing = "\n".join(
        [
            ":env:.index-url='https://index.example/simple'",
            "global.index-url='https://other.example/simple'",
            "global.find-links='/a\\n/b'",
            "install.no-binary=':none:'",
        ]
    )

    assert pip_settings(listing) == (
        "[global]\nindex-url = https://index.example/simple\nfind-links = /a\n    /b\nquiet = 1\n[install]\nno-binary = :none:\n"
    )


def test_pip_settings_of_nothing_are_a_valid_file() -> None:
    assert pip_settings("") == "[global]\nquiet = 1\n[install]\n"


def test_the_bootstrap_is_valid_python() -> None:
    compile(BOOTSTRAP.format(version="1.0", wheel="AAAA", name="pip-1.0-py3-none-any.whl"), "get_pip_1_0.py", "exec")


def test_requirements_that_change_change_the_fingerprint() -> None:
    assert fingerprint(b"pytest", "3.11") != fingerprint(b"pytest ", "3.11")
    assert fingerprint(b"a", "b") != fingerprint(b"ab", "")


def test_the_running_python_is_taken_where_it_will_do() -> None:
    minor = sys.version_info.minor
    asked = [tools.python(Pythons(minor, minor)), "-c", "import sys; print(sys.version_info.minor)"]

    assert subprocess.run(asked, stdout=subprocess.PIPE, text=True, check=True).stdout.strip() == str(minor)


def test_no_fitting_python_is_said_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(house, "which", lambda program: None)

    with pytest.raises(Unavailable) as refused:
        tools.python(Pythons(2, 3))

    assert str(refused.value) == (
        f"Ansible needs a Python from 3.2 to 3.3 here, and this is {sys.version.split()[0]} ({sys.executable}). "
        "Install one, for example python3.12, and run again."
    )


def test_shims_are_no_interpreters(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    (tmp_path / "versions" / "3.12.1" / "bin").mkdir(parents=True)
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))

    path = house.search_path(f"{tmp_path}/shims:/usr/bin")

    assert path == ["/usr/bin", "/usr/sbin", "/sbin", f"{tmp_path}/versions/3.12.1/bin"]


def test_a_part_needed_a_program_whose_package_was_not_listed() -> None:
    """A machine without redis-server ended in a traceback."""
    asked = {program for part in parts.EVERY for program in (*part.programs, *part.useful)}

    assert asked - set(tools.PROGRAMS) == set()


def unleash(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What is run to get it, in a checkout without it."""
    node = tmp_path / "venv-unleash"
    node.mkdir()
    (node / ".made-from").write_text("node 22", encoding="utf-8")
    ran: list[list[str]] = []
    monkeypatch.setattr(house, "ROOT", tmp_path)
    monkeypatch.setattr(house, "BUILD", tmp_path)
    monkeypatch.setattr(tools, "venv", lambda name: tmp_path / f"venv-{name}")
    monkeypatch.setattr(tools, "logged", lambda name, argv: ran.append([str(word) for word in argv]))
    monkeypatch.delenv("STEADY_UNLEASH", raising=False)
    return ran


def test_unleash_is_got_once(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = unleash(tmp_path, monkeypatch)
    tools.try_unleash()
    tools.try_unleash()
    assert len(ran) == 1
    assert ran[0][:4] == [f"{tmp_path}/venv-unleash/bin/npm", "install", "--prefix", f"{tmp_path}/unleash"]
    assert ran[0][-1] == tools.UNLEASH
    (tmp_path / "venv-unleash" / ".made-from").write_text("node 24", encoding="utf-8")
    tools.try_unleash()
    assert len(ran) == 2


def test_an_unleash_of_the_caller_s_is_taken(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = unleash(tmp_path, monkeypatch)
    monkeypatch.setenv("STEADY_UNLEASH", "/srv/unleash")
    tools.try_unleash()
    assert ran == []


def test_no_unleash_is_printed_and_no_failure(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    unleash(tmp_path, monkeypatch)

    def fail(name: str, argv: object) -> None:
        raise Unavailable("'npm install' ended with 1: no network")

    monkeypatch.setattr(tools, "logged", fail)
    tools.try_unleash()
    assert capsys.readouterr().out.splitlines()[-1] == (
        "  Unleash could not be installed, so its tests are skipped: 'npm install' ended with 1: no network"
    )
