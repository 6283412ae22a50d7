# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Invariant 8: a run that is suspended in the middle of a change of the ledger does not keep the next one out."""

from __future__ import annotations

import os
import pathlib
import signal
import typing as t

import pytest
from support.ledger_client import LedgerClient, fleet
from support.stopped import stopped_in, suspend_oneself

from ansible_collections.steady.rollout.plugins.module_utils import processes
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.storage import store
from ansible_collections.steady.rollout.plugins.module_utils.ledger.storage.store import Store
from ansible_collections.steady.rollout.plugins.module_utils.ledger.storage.writer import writer_of


def at(directory: pathlib.Path, service: str = "shop") -> LedgerClient:
    return LedgerClient(service, store=Store.at(str(directory)))


def change_and_stop(directory: pathlib.Path) -> None:
    with Store.at(str(directory)).writing() as records:
        records.mark_bad("shop", "9.9.9", "half a change", 1.0)
        suspend_oneself()


def stopped_in_a_change(directory: pathlib.Path) -> t.ContextManager[int]:
    return stopped_in(change_and_stop, directory)


def refusal(directory: pathlib.Path, pid: int) -> str:
    return (
        f"{directory}/ledger.db: pid {pid} ({processes.program(os.getpid())}) is stopped in the middle of a change of the "
        f"ledger, so nobody else can write to it. Nothing was changed; continue it (kill -CONT {pid}) or end it (kill -KILL "
        f"{pid}), then run again."
    )


def test_a_change_that_was_suspended_kept_every_other_run_out_as_a_locked_database(tmp_path: pathlib.Path) -> None:
    ledger = at(tmp_path)
    ledger.open()
    ledger.plan(fleet(4))
    with stopped_in_a_change(tmp_path) as pid:
        with pytest.raises(RolloutError) as refused:
            ledger.admit("app1")
        assert refused.value.message == refusal(tmp_path, pid)


def test_a_run_that_takes_over_ends_it_and_its_change_is_undone(tmp_path: pathlib.Path) -> None:
    ledger = at(tmp_path)
    ledger.open()
    with stopped_in_a_change(tmp_path) as pid:
        ledger.open(take_over=True)
        events = ledger.info()["events"]
        assert [event["data"]["process"] for event in events if event["kind"] == "stopped_writer_ended"] == [
            f"pid {pid} ({processes.program(os.getpid())})"
        ]
    assert (ledger.info()["bad"], ledger.info()["chain"]["intact"]) == ([], True)


def test_so_does_a_run_that_finds_the_lease_expired(tmp_path: pathlib.Path) -> None:
    ledger = at(tmp_path)
    ledger.open()
    ledger.fake.move(300)
    with stopped_in_a_change(tmp_path):
        assert ledger.open()["token"] == 2


def test_a_run_that_may_not_have_the_lease_ends_nothing(tmp_path: pathlib.Path) -> None:
    ledger = at(tmp_path)
    ledger.open()
    with stopped_in_a_change(tmp_path) as pid:
        with pytest.raises(RolloutError) as refused:
            ledger.open()
        assert refused.value.message == refusal(tmp_path, pid)
        assert processes.is_stopped(pid)


def test_nor_does_one_that_takes_over_another_service(tmp_path: pathlib.Path) -> None:
    at(tmp_path).open()
    other = at(tmp_path, "mail")
    with stopped_in_a_change(tmp_path) as pid:
        with pytest.raises(RolloutError) as refused:
            other.open(take_over=True)
        assert refused.value.message == refusal(tmp_path, pid)
        assert processes.is_stopped(pid)


def test_check_mode_ends_nothing(tmp_path: pathlib.Path) -> None:
    ledger = at(tmp_path)
    ledger.open()
    ledger.ledger.check_mode = True
    with stopped_in_a_change(tmp_path) as pid:
        with pytest.raises(RolloutError, match="is stopped in the middle of a change"):
            ledger.open(take_over=True)
        assert processes.is_stopped(pid)


def test_a_change_that_goes_on_is_waited_for(tmp_path: pathlib.Path) -> None:
    ledger = at(tmp_path)
    with stopped_in_a_change(tmp_path) as pid:
        os.kill(pid, signal.SIGCONT)
        ledger.open()
    assert [found["version"] for found in ledger.info()["bad"]] == ["9.9.9"]


def test_a_change_that_does_not_end_is_named_after_a_while(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "BUSY_SECONDS", 2)
    ledger = at(tmp_path)
    with Store.at(str(tmp_path)).writing(), pytest.raises(RolloutError) as refused:
        ledger.open(take_over=True)
    assert refused.value.message == (
        f"{tmp_path}/ledger.db: another process has been changing the ledger for more than 2 s: pid {os.getpid()} "
        f"({processes.program(os.getpid())}). Nothing was changed; wait for that process or end it, then run again."
    )


LOCKS = """\
1: POSIX  ADVISORY  READ 11 fe:00:{inode} 124 124
2: FLOCK  ADVISORY  WRITE 12 fe:00:{inode} 0 EOF
3: POSIX  ADVISORY  WRITE 13 fe:00:1{inode} 120 120
4: POSIX  ADVISORY  WRITE 14 fe:00:{inode} 121 127
5: -> POSIX  ADVISORY  WRITE 15 fe:00:{inode} 120 120
6: POSIX  ADVISORY  WRITE 0 fe:00:{inode} 120 120
{line}
broken
"""


@pytest.mark.parametrize(
    ("line", "pid"),
    [
        ("7: POSIX  ADVISORY  WRITE 17 fe:00:{inode} 120 120", 17),
        ("7: POSIX  ADVISORY  WRITE 17 fe:00:{inode} 0 EOF", 17),
        ("7: POSIX  ADVISORY  WRITE 17 fe:00:{inode} 120 127", 17),
        ("7: POSIX  ADVISORY  WRITE x fe:00:{inode} 120 120", None),
        ("", None),
    ],
)
def test_only_the_writers_own_lock_counts(tmp_path: pathlib.Path, line: str, pid: int | None) -> None:
    shared = tmp_path / "ledger.db-shm"
    shared.touch()
    inode = shared.stat().st_ino
    for other in range(11, 18):
        (tmp_path / str(other) / "fd").mkdir(parents=True)
        (tmp_path / str(other) / "fd" / "3").symlink_to(shared)
    (tmp_path / "locks").write_text(LOCKS.format(inode=inode, line=line.format(inode=inode)), encoding="ascii")
    found = writer_of(str(tmp_path / "ledger.db"), str(tmp_path))
    assert (found and found.pid) == pid


def test_where_there_is_no_ledger_there_is_no_writer(tmp_path: pathlib.Path) -> None:
    assert writer_of(str(tmp_path / "ledger.db")) is None
