# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a host needs a reboot, by each of those that know."""

from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.call import Call
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.reboot import core

NOWHERE = (127, "", "not found")


class Host:
    """A root directory with a boot and kernels in it, and the programs that answer there."""

    def __init__(self, root: pathlib.Path) -> None:
        self.root = root
        self.programs: dict[str, tuple[int, str, str]] = {}
        self.write("proc/sys/kernel/random/boot_id", "1234-5678\n")
        self.runs("6.1.0-9-amd64")

    def write(self, path: str, text: str = "") -> None:
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")

    def runs(self, kernel: str) -> None:
        self.write("proc/sys/kernel/osrelease", f"{kernel}\n")

    def has_kernels(self, *names: str) -> None:
        for name in names:
            self.write(f"lib/modules/{name}/modules.dep")

    def run_command(self, argv: list[str], **options: t.Any) -> tuple[int, str, str]:
        return self.programs.get(argv[4], NOWHERE)

    def read(self) -> dict[str, t.Any]:
        call = Call({}, check_mode=False, diff=False, warn=print, run_command=self.run_command)
        return core(call, str(self.root))


@pytest.fixture
def host(tmp_path: pathlib.Path) -> Host:
    return Host(tmp_path)


def test_a_host_on_which_nothing_requires_a_reboot_needs_none(host: Host) -> None:
    assert host.read() == {
        "changed": False, "needed": False, "reasons": [], "boot_id": "1234-5678", "msg": "needs no reboot",
    }  # fmt: skip


def test_debians_file_names_the_packages(host: Host) -> None:
    host.write("run/reboot-required")
    host.write("run/reboot-required.pkgs", "libc6\nlinux-image-amd64\nlibc6\n")
    assert host.read()["msg"] == "needs a reboot: /run/reboot-required is there, for libc6, linux-image-amd64"


@pytest.mark.parametrize(
    ("running", "installed", "newest"),
    [
        ("6.1.0-9-amd64", ["6.1.0-9-amd64", "6.1.0-10-amd64"], "6.1.0-10-amd64"),
        ("5.14.0-362.8.1.el9.x86_64", ["5.14.0-362.8.1.el9.x86_64", "5.14.0-427.el9.x86_64"], "5.14.0-427.el9.x86_64"),
        ("6.1.0-10-amd64", ["6.1.0-9-amd64", "6.1.0-10-amd64"], ""),
        # Another flavour is not what would be booted, and a kernel from elsewhere has no folder here.
        ("6.1.0-9-amd64", ["6.1.0-9-amd64", "6.1.0-10-rt-amd64"], ""),
        ("6.8.0-host", ["6.1.0-9-amd64"], ""),
        ("6.1.0-9-amd64", [], ""),
    ],
)
def test_a_newer_kernel_of_the_same_flavour(host: Host, running: str, installed: list[str], newest: str) -> None:
    host.runs(running)
    host.has_kernels(*installed)
    assert host.read()["reasons"] == ([f"the kernel {newest} is installed and {running} is running"] if newest else [])


def test_a_folder_that_a_removed_kernel_left_is_none(host: Host) -> None:
    host.has_kernels("6.1.0-9-amd64")
    host.write("lib/modules/6.1.0-10-amd64/updates/extra.ko")
    assert host.read()["needed"] is False


@pytest.mark.parametrize(("status", "needed"), [("1", False), ("2", True), ("3", True)])
def test_needrestart(host: Host, status: str, needed: bool) -> None:
    host.programs["needrestart"] = (0, f"NEEDRESTART-VER: 3.6\nNEEDRESTART-KSTA: {status}\n", "")
    assert host.read()["needed"] is needed


@pytest.mark.parametrize(
    ("answer", "needed"),
    [
        ((1, "Reboot is required to fully utilize these updates.\n", ""), True),
        ((0, "Reboot should not be necessary.\n", ""), False),
        ((1, "", "Error: no repositories"), False),
    ],
)
def test_needs_restarting(host: Host, answer: tuple[int, str, str], needed: bool) -> None:
    host.programs["needs-restarting"] = answer
    assert host.read()["needed"] is needed


def test_without_a_boot_id_no_reboot_could_be_proven(host: Host) -> None:
    (host.root / "proc/sys/kernel/random/boot_id").unlink()
    with pytest.raises(RolloutError, match="boot_id cannot be read, so a reboot could not be proven"):
        host.read()
