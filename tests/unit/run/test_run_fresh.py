# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pathlib

import pytest
from run import fresh

LISTING = """\
:env:.cert='/etc/ssl/ca.crt'
global.find-links='{here}'
global.extra-index-url='file://{here}/simple https://index.example/simple'
global.cert='/etc/ssl/other.crt'
"""


def test_the_readme_has_its_set_up_commands() -> None:
    commands = fresh.setup_commands(fresh.README.read_text(encoding="utf-8"))

    assert [command.split()[0] for command in commands] == ["apt-get", "make"]
    assert commands[1] == "make demo"


def test_a_readme_without_them_is_reported() -> None:
    with pytest.raises(SystemExit) as refused:
        fresh.setup_commands("# steady.rollout\n")

    assert str(refused.value) == (
        f"{fresh.README}: the set-up commands are not between their marks 'set-up: begin' and 'set-up: end'."
    )


def test_folders_that_pip_takes_packages_from_come_along(tmp_path: pathlib.Path) -> None:
    (tmp_path / "simple").mkdir()
    assert fresh.local_folders(LISTING.format(here=tmp_path)) == [str(tmp_path)]


def test_the_environments_certificates_win() -> None:
    assert fresh.certificates_of(LISTING) == "/etc/ssl/ca.crt"
    assert fresh.certificates_of("") == ""
