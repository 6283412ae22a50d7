# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is written so that a host looks at a timer, and that nothing of it is left."""

from __future__ import annotations

import pathlib
import subprocess
import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.restore_timer.schedule import CRON, SYSTEMD, Schedule

RECORD = "/var/lib/steady-rollout-claims/shop.restore"
NAME = "steady-rollout-restore-shop-1da31061"
ARGV = ["/usr/bin/python3", "-I", "/var/lib/steady-rollout/restore-timer/x.pyz", RECORD]


class Host:
    """A root directory, and what was asked of systemctl."""

    def __init__(self, root: pathlib.Path, *made: str, process: str = "") -> None:
        self.root = root
        self.asked: list[str] = []
        self.status = 0
        for folder in ("proc/1", "etc/systemd/system", *made):
            (root / folder).mkdir(parents=True, exist_ok=True)
        (root / "proc/1/comm").write_text(f"{process}\n")

    def run(self, argv: list[str], **dummy: t.Any) -> tuple[int, str, str]:
        self.asked.append(" ".join(argv))
        return self.status, "", "Access denied\n" if self.status else ""

    def schedule(self, service: str = "shop", record: str = RECORD) -> Schedule:
        return Schedule(record, service, self.run, f"{self.root}/")

    def files(self) -> dict[str, str]:
        return {
            str(one.relative_to(self.root)): one.read_text() for one in (self.root / "etc").rglob("*") if one.is_file()
        }


def test_systemd_looks_every_few_seconds_and_after_each_boot(tmp_path: pathlib.Path) -> None:
    host = Host(tmp_path, "run/systemd/system", "etc/cron.d", process="cron")
    assert host.schedule().kind() == SYSTEMD
    host.schedule().start(ARGV, 60)
    written = host.files()
    assert sorted(written) == [f"etc/systemd/system/{NAME}.service", f"etc/systemd/system/{NAME}.timer"]
    assert (
        f'ExecStart="/usr/bin/python3" "-I" "{ARGV[2]}" "{RECORD}"\n' in written[f"etc/systemd/system/{NAME}.service"]
    )
    assert (
        "OnUnitInactiveSec=5\nAccuracySec=1\n\n[Install]\nWantedBy=timers.target"
        in written[f"etc/systemd/system/{NAME}.timer"]
    )
    assert host.asked == [f"systemctl enable --quiet {NAME}.timer", f"systemctl restart {NAME}.timer"]


def test_nothing_is_left_once_it_is_stopped_and_nothing_is_asked_where_there_is_nothing(tmp_path: pathlib.Path) -> None:
    host = Host(tmp_path, "run/systemd/system")
    host.schedule().stop()
    assert host.asked == []
    host.schedule().start(ARGV, 60)
    host.asked.clear()
    host.schedule().stop()
    assert host.files() == {}
    assert host.asked == [
        f"systemctl stop {NAME}.timer",
        f"systemctl disable --quiet --no-reload {NAME}.timer",
        "systemctl daemon-reload",
    ]


def test_cron_looks_every_minute_where_there_is_no_systemd(tmp_path: pathlib.Path) -> None:
    host = Host(tmp_path, "etc/cron.d", process="crond")
    assert host.schedule().kind() == CRON
    host.schedule().start([*ARGV[:3], "/claims/100% shop.restore"], 60)
    command = "/usr/bin/python3 -I /var/lib/steady-rollout/restore-timer/x.pyz '/claims/100\\% shop.restore'"
    assert host.files() == {f"etc/cron.d/{NAME}": f"* * * * * root {command} 2>&1 | logger -t steady-rollout-restore\n"}
    assert host.asked == []
    host.schedule().stop()
    assert host.files() == {}


@pytest.mark.parametrize(("folder", "process"), [("etc/cron.d", "bash"), ("etc", "cron")])
def test_a_host_with_neither_can_have_no_timer(tmp_path: pathlib.Path, folder: str, process: str) -> None:
    assert Host(tmp_path, folder, process=process).schedule().kind() == ""


def test_no_service_can_write_into_its_unit_or_run_a_program(tmp_path: pathlib.Path) -> None:
    host = Host(tmp_path, "run/systemd/system")
    host.schedule('shop"; %h $(reboot)', '/claims/shop"; %h $(reboot).restore').start(
        [*ARGV[:3], '/claims/shop"; %h $(reboot).restore'], 60
    )
    (service,) = [text for name, text in host.files().items() if name.endswith(".service")]
    assert r'"/claims/shop\"; %%h $$(reboot).restore"' in service
    assert 'members of shop"; %%h $(reboot) that' in service
    assert all(
        set(name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./") for name in host.files()
    )


def test_a_refusal_of_systemd_is_an_error_with_its_text(tmp_path: pathlib.Path) -> None:
    host = Host(tmp_path, "run/systemd/system")
    host.status = 1
    with pytest.raises(RolloutError) as caught:
        host.schedule().start(ARGV, 60)
    assert caught.value.message == f"systemctl enable --quiet {NAME}.timer failed with exit status 1: Access denied"


def test_systemd_itself_accepts_the_units(tmp_path: pathlib.Path) -> None:
    host = Host(tmp_path, "run/systemd/system")
    record = tmp_path / "a b.restore"
    host.schedule(record=str(record)).start(["/bin/true", "100% of $HOME", str(record)], 60)
    units = [str(one) for one in (tmp_path / "etc/systemd/system").iterdir()]
    try:
        verified = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("needs systemd-analyze")
    assert (verified.returncode, verified.stderr) == (0, "")


@pytest.mark.parametrize(("after", "every"), [(30, 5), (600, 30), (86400, 60)])
def test_a_host_looks_the_less_often_the_longer_it_waits(tmp_path: pathlib.Path, after: float, every: int) -> None:
    host = Host(tmp_path, "run/systemd/system")
    host.schedule().start(ARGV, after)
    assert f"OnUnitInactiveSec={every}\n" in host.files()[f"etc/systemd/system/{NAME}.timer"]
