# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ledger's file, and several processes at work on it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import stat

import pytest
from support.ledger_client import LedgerClient, fleet

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.session import Clock
from ansible_collections.steady.rollout.plugins.module_utils.ledger.storage.store import Store

processes = multiprocessing.get_context("fork")


def at(directory, **lease) -> LedgerClient:
    """A ledger on disk under the real clock, as a process of its own would open it."""
    ledger = LedgerClient(store=Store.at(str(directory)))
    ledger.ledger.clock = Clock()
    for name, value in lease.items():
        setattr(ledger, name, value)
    return ledger


def test_file_and_directory_are_for_their_owner_alone(tmp_path):
    at(tmp_path / "state").store.close()
    assert stat.S_IMODE(os.stat(tmp_path / "state").st_mode) == 0o700
    assert stat.S_IMODE(os.stat(tmp_path / "state" / "ledger.db").st_mode) == 0o600


def test_it_is_durable_and_readers_do_not_block_writers(tmp_path):
    connection = Store.at(str(tmp_path)).connection
    assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert connection.execute("PRAGMA synchronous").fetchone()[0] == 2


@pytest.mark.parametrize("column", ["zone", "lb_state", "phase", "condition"])
def test_the_counts_follow_a_change_of_any_of_their_columns(tmp_path, column):
    ledger = at(tmp_path)
    ledger.open()
    ledger.plan(fleet(3))
    database = ledger.store.connection
    database.execute(f"UPDATE host SET {column} = 'other' WHERE name = 'app1'")
    counted = f"SELECT sum(size), sum(CASE {column} WHEN 'other' THEN size ELSE 0 END) FROM tally"
    assert tuple(database.execute(counted).fetchone()) == (3, 1)


def test_looking_leaves_nothing_behind(tmp_path):
    Store.to_look_at(str(tmp_path / "state")).close()
    assert not (tmp_path / "state").exists()


def test_an_identity_of_its_own(tmp_path):
    ids = [at(tmp_path / name).info()["ledger_id"] for name in ("one", "two", "one")]
    assert ids[0] == ids[2] != ids[1]


def test_another_format_is_refused(tmp_path):
    store = Store.at(str(tmp_path))
    store.connection.execute("UPDATE meta SET content = '1' WHERE name = 'format'")
    with pytest.raises(RolloutError) as caught:
        Store.at(str(tmp_path))
    assert caught.value.message == (
        f"{tmp_path}/ledger.db: the ledger has format 1, this version of steady.rollout reads format 12; use the version "
        "of the collection that wrote it."
    )


def test_a_file_that_is_no_ledger_is_refused(tmp_path):
    (tmp_path / "ledger.db").write_text("not a database at all, but long enough to look at" * 30)
    with pytest.raises(RolloutError) as caught:
        Store.at(str(tmp_path))
    assert caught.value.message == (
        f"{tmp_path}/ledger.db: the ledger cannot be used (file is not a database). Check that the disk has space and "
        "that this user owns the file."
    )


def mark_bad_and_fail(store):
    with store.writing() as records:
        records.mark_bad("shop", "2", "why", 1.0)
        raise ValueError("midway")


def test_a_failed_change_leaves_no_trace():
    store = Store.in_memory()
    with pytest.raises(ValueError, match="midway"):
        mark_bad_and_fail(store)
    with store.reading() as records:
        assert records.bad_versions("shop") == {}


@pytest.mark.parametrize("statement", ["UPDATE event SET kind = 'x'", "DELETE FROM event"])
def test_events_cannot_be_changed_by_accident(statement):
    ledger = LedgerClient()
    ledger.open()
    with pytest.raises(sqlite3.IntegrityError, match="events are append-only"):
        ledger.store.connection.execute(statement)


@pytest.mark.parametrize(
    ("forgery", "broken_at"),
    [
        ("UPDATE event SET host = 'app9' WHERE seq = 3", 3),
        ("UPDATE event SET data = '{}' WHERE seq = 2", 2),
        ("DELETE FROM event WHERE seq = 2", 2),
        ("DELETE FROM event WHERE seq = 4", 4),
    ],
)
def test_a_forged_history_is_found_out(forgery, broken_at):
    ledger = LedgerClient()
    ledger.open()
    ledger.plan(fleet(4))
    ledger.go("app1")
    for name in ("event_is_not_changed", "event_is_not_removed"):
        ledger.store.connection.execute(f"DROP TRIGGER {name}")
    assert ledger.info()["chain"]["intact"]
    ledger.store.connection.execute(forgery)
    chain = ledger.info()["chain"]
    assert (chain["intact"], chain["broken_at"], chain["events"]) == (False, broken_at, 4)
    assert f"the history is DAMAGED from event {broken_at} on" in ledger.info()["text"]


def test_a_recomputed_history_is_intact_and_does_not_fit_its_anchor():
    """Who may write the ledger may forge it; what is kept elsewhere gives that away (invariant 19)."""
    ledger = LedgerClient()
    ledger.open()
    anchor = ledger.plan(fleet(4))["anchor"]
    assert ledger.info(anchor=anchor)["chain"]["anchor_matches"] is True
    ledger.go("app1")
    assert ledger.info(anchor=anchor)["chain"]["anchor_matches"] is True
    forged = LedgerClient()
    forged.open(owner={"user": "mallory"})
    forged.plan(fleet(4))
    found = forged.info(anchor=anchor)
    assert (found["chain"]["intact"], found["chain"]["anchor_matches"]) == (True, False)
    assert found["text"][-1] == (
        "the history is NOT the one that the anchor was taken from: it was rewritten, or it is another ledger's"
    )
    with pytest.raises(RolloutError) as caught:
        forged.info(anchor="yesterday")
    assert caught.value.message == "anchor: 'yesterday' is not an event's number and hash such as 42:9f86..."


@pytest.mark.parametrize("is_removed", [True, False])
def test_an_emptied_ledger_is_not_a_new_one(tmp_path, is_removed):
    ledger = at(tmp_path)
    ledger.open()
    ledger.store.close()
    identity = (tmp_path / "ledger.id").read_text().strip()
    for path in tmp_path.glob("ledger.db*"):
        path.unlink()
    if not is_removed:
        (tmp_path / "ledger.db").touch(0o600)
    for way_in in (Store.at, Store.to_look_at):
        with pytest.raises(RolloutError) as caught:
            way_in(str(tmp_path))
        assert caught.value.message == (
            f"{tmp_path}/ledger.db: {tmp_path}/ledger.id says that ledger {identity} is kept here, but it is empty. "
            "Restore it from a backup. If there is none, make sure that no rollout is running and no host is drained, "
            "then remove ledger.id to begin a new history."
        )


def test_another_ledger_in_its_place_is_refused(tmp_path):
    at(tmp_path / "one").store.close()
    at(tmp_path / "two").store.close()
    os.replace(tmp_path / "two" / "ledger.db", tmp_path / "one" / "ledger.db")
    with pytest.raises(RolloutError, match=r"ledger\.id says that ledger \S+ is kept here, but it is ledger \S+\."):
        Store.at(str(tmp_path / "one"))


@pytest.mark.parametrize("mode", [0o770, 0o707])
def test_a_directory_that_others_may_write_is_refused(tmp_path, mode):
    directory = tmp_path / "state"
    directory.mkdir()
    directory.chmod(mode)
    with pytest.raises(RolloutError, match=rf"{directory}: has mode 0{mode:o}, so "):
        Store.at(str(directory))


def test_a_ledger_that_others_may_write_is_refused(tmp_path):
    at(tmp_path).store.close()
    (tmp_path / "ledger.db").chmod(0o666)
    with pytest.raises(RolloutError) as caught:
        Store.at(str(tmp_path))
    assert caught.value.message == (
        f"{tmp_path}/ledger.db: has mode 0666, so other users can change the ledger. Check what status.yml shows, then "
        f"run chmod go-w {tmp_path}/ledger.db."
    )


def test_a_link_in_the_ledgers_place_is_not_followed(tmp_path):
    (tmp_path / "elsewhere").touch()
    (tmp_path / "ledger.db").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RolloutError, match=r"ledger\.db: expected a file of uid \d+, found something else\."):
        Store.at(str(tmp_path))


def test_the_head_of_the_plan_is_as_long_as_hosts_may_be_out():
    ledger = LedgerClient()
    ledger.open()
    ledger.plan(fleet(6))
    ledger.admit("app1")
    with ledger.store.reading() as records:
        host = records.host(1, "app6")
        assert [records.last_of_head(host, size) for size in (0, 1, 2, 5, 6)] == [2, 2, 3, 6, None]


def test_an_admission_reads_the_members_of_its_own_zone_only():
    ledger = LedgerClient()
    ledger.open()
    hosts = fleet(6, zones=("a", "b"))
    whole = ledger.plan(hosts, policy={"zone_min_available": "2"})["guard"]
    assert [(zone["name"], zone["min_in_service"]) for zone in whole["zones"]] == [("a", 2), ("b", 2)]
    assert ledger.admit("app1")["guard"] == {
        "min_in_service": 3,
        "max_out_of_service": 1,
        "zones": [{"name": "a", "members": ["app1", "app3", "app5"], "min_in_service": 2}],
    }


def test_a_large_fleet_keeps_a_small_file(tmp_path):
    """10,000 hosts must stay under 50 MB, so one host under 5 kB, with all that is said of it in a rollout."""
    ledger = at(tmp_path)
    ledger.store.connection.execute("PRAGMA synchronous = OFF")
    count = 300
    ledger.open()
    ledger.plan(fleet(count, zones=("a", "b", "c")), policy={"stages": ["1", "100%"]})
    for number in range(1, count + 1):
        name = f"app{number}"
        ledger.admit(name)
        for step in ("drain", "update", "health", "restore"):
            ledger.host("changing", name, step=step, limit=600)
        ledger.host("proven", name, version="2.0.0", drained_for=12.3)
    ledger.store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert os.path.getsize(tmp_path / "ledger.db") / count < 5000


def all_of(count, work, *arguments):
    """Runs work(number, *arguments) in so many processes and returns their exit codes."""
    running = [processes.Process(target=work, args=(number, *arguments)) for number in range(count)]
    for process in running:
        process.start()
    for process in running:
        process.join(120)
    return [process.exitcode for process in running]


def claim(number, directory, start, winners):
    start.wait(60)
    try:
        at(directory).open(owner={"user": f"run{number}"})
    except RolloutError as refusal:
        if "is being run by run" not in refusal.message:
            raise
        return
    with winners.get_lock():
        winners.value += 1


def test_of_many_processes_one_gets_the_lease(tmp_path):
    """Invariant 8, from an empty directory on, so that they also race to create the ledger."""
    start, winners = processes.Barrier(8), processes.Value("i", 0)
    assert all_of(8, claim, tmp_path / "state", start, winners) == [0] * 8
    assert winners.value == 1


def update(number, directory, lease, out, most):
    ledger = at(directory, **lease)
    name = f"app{number + 1}"
    verdict = ledger.admit(name, timeout=100)
    if verdict["verdict"] != "go":
        raise AssertionError(verdict["msg"])
    with out.get_lock():
        out.value += 1
        most.value = max(most.value, out.value)
    ledger.host("changing", name, step="update", limit=60)
    with out.get_lock():
        out.value -= 1
    ledger.host("proven", name, version="2.0.0")


def test_twenty_processes_never_exceed_the_window(tmp_path):
    """Invariant 3, and that all of them get their turn."""
    ledger = at(tmp_path)
    ledger.open()
    ledger.plan(fleet(20), policy={"max_unavailable": "3", "stages": ["1", "50%", "100%"]})
    lease = {"run": ledger.run, "token": ledger.token}
    ledger.store.close()
    out, most = processes.Value("i", 0), processes.Value("i", 0)
    assert all_of(20, update, tmp_path, lease, out, most) == [0] * 20
    assert most.value <= 3
    found = at(tmp_path).info()
    assert {host["phase"] for host in found["hosts"]} == {"proven"}
    assert found["chain"]["intact"]


def wait_for_word(number, directory, lease, answers):
    answers.put(at(directory, **lease).admit("app2", timeout=100)["msg"])


def test_a_waiting_process_sees_at_once_that_the_rollout_stopped(tmp_path):
    """Invariant 6."""
    ledger = at(tmp_path)
    ledger.open()
    ledger.plan(fleet(4))
    ledger.admit("app1")
    answers = processes.Queue()
    lease = {"run": ledger.run, "token": ledger.token}
    waiting = processes.Process(target=wait_for_word, args=(2, tmp_path, lease, answers))
    waiting.start()
    ledger.rollout("aborted")
    assert answers.get(timeout=60) == "app2: stop, the rollout of 2.0.0 is aborted: aborted by the operator"
    waiting.join(60)


def change_for_ever(number, directory, lease):
    ledger = at(directory, **lease)
    while True:
        ledger.host("changing", "app1", step="update", limit=60)


def test_a_process_killed_in_the_middle_leaves_a_whole_ledger(tmp_path):
    """Invariant 12."""
    ledger = at(tmp_path)
    ledger.open()
    ledger.plan(fleet(4))
    ledger.admit("app1")
    lease = {"run": ledger.run, "token": ledger.token}
    for _time in range(5):
        before = ledger.info()["chain"]["events"]
        writer = processes.Process(target=change_for_ever, args=(0, tmp_path, lease))
        writer.start()
        while ledger.info()["chain"]["events"] < before + 3:
            pass
        os.kill(writer.pid, signal.SIGKILL)
        writer.join(60)
    assert ledger.info()["chain"]["intact"]
    assert ledger.store.connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
