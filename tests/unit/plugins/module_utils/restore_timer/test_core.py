# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What arming, renewing, marking and disarming leave on a host."""

from __future__ import annotations

import base64
import json
import pathlib
import stat

import pytest
from support.timed_host import TimedHost

from ansible_collections.steady.rollout.plugins.module_utils import claims
from ansible_collections.steady.rollout.plugins.module_utils.claims import Claim
from ansible_collections.steady.rollout.plugins.module_utils.restore_timer import act, record
from ansible_collections.steady.rollout.plugins.plugin_utils.restore_timers.program import program

LB = {"type": "haproxy", "socket": "/run/admin.sock", "pool": "shop"}


@pytest.fixture
def host(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> TimedHost:
    return TimedHost(tmp_path, monkeypatch)


def drain(host: TimedHost, *names: str, token: int = 3) -> None:
    claim = Claim(**host.claim(token))
    with claims.held(claim):
        record.note_drained(claim, "lb1", LB, names)


def test_the_program_is_asked_for_until_the_host_has_it(host: TimedHost, tmp_path: pathlib.Path) -> None:
    host.acquire()
    missing = host.call("armed", digest=program().digest)
    assert (missing["needs_program"], missing["armed"], missing["changed"]) == (True, False, False)
    assert not host.is_scheduled()
    assert host.call("armed", digest=program().digest, program=program().content)["armed"]
    assert host.call("armed", digest=program().digest)["armed"]
    (kept,) = (tmp_path / "lib/restore-timer").iterdir()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    kept.write_bytes(b"something else")
    assert host.call("armed", digest=program().digest)["needs_program"]


def test_a_program_that_did_not_arrive_whole_is_refused(host: TimedHost) -> None:
    host.acquire()
    for sent in ("no base64!", base64.b64encode(b"half of it").decode()):
        assert host.call("armed", digest=program().digest, program=sent).error == (
            "program: damaged in transfer; its SHA-256 does not match digest."
        )


def test_the_record_is_for_its_owner_alone(host: TimedHost) -> None:
    host.begin()
    assert stat.S_IMODE((host.directory / "shop.restore").stat().st_mode) == 0o600


def test_a_time_that_is_too_short_is_refused(host: TimedHost) -> None:
    assert host.begin(after="29s").error == "after: 29 s is out of range; expected from 30 to 3.16224e+07 s."


def test_a_host_without_systemd_and_cron_is_refused(host: TimedHost) -> None:
    (host.root / "run/systemd/system").rmdir()
    found = host.begin()
    assert (found["armed"], found["why_not"]) == (False, "neither systemd nor cron runs there")
    assert not (host.directory / "shop.restore").exists()


def test_another_user_than_root_is_refused_and_pointed_to_become(
    host: TimedHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert host.call("armed", digest=program().digest)["why_not"] == "it needs root there (become)"


def test_a_refusal_of_systemd_leaves_no_record(host: TimedHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "_run", lambda argv, **dummy: (1, "", "no bus"))
    found = host.begin()
    assert not found["armed"]
    assert found["why_not"].endswith(".timer failed with exit status 1: no bus")
    assert not (host.directory / "shop.restore").exists()


def test_check_mode_touches_nothing(host: TimedHost) -> None:
    host.acquire()
    assert host.call("armed", check_mode=True, digest=program().digest)["changed"]
    assert not (host.directory / "shop.restore").exists()
    host.begin()
    drain(host, "app1")
    before = host.record
    assert host.call("changing", check_mode=True, members=["app1"])["changed"]
    assert host.call("renewed", check_mode=True)["armed"]
    assert host.call("disarmed", check_mode=True)["changed"]
    assert (host.record, host.is_scheduled()) == (before, True)


def test_without_a_timer_heartbeat_mark_and_end_are_nothing(host: TimedHost) -> None:
    host.acquire()
    for state, options in (("renewed", {}), ("changing", {"members": ["app1"]}), ("disarmed", {})):
        found = host.call(state, **options)
        assert (found.error, found["changed"], found["armed"]) == ("", False, False)


def test_a_run_that_has_no_timer_does_not_use_that_of_the_run_before(host: TimedHost) -> None:
    host.begin()
    host.acquire(4)
    drain(host, "app1", token=4)
    assert host.members() == []
    assert not host.call("renewed", 4)["armed"]
    assert host.call("renewed", 3).error != ""


def test_members_that_are_back_are_forgotten_by_whichever_run_returned_them(host: TimedHost) -> None:
    host.begin()
    drain(host, "app1", "app2")
    host.acquire(4)
    claim = Claim(**host.claim(4))
    with claims.held(claim):
        record.note_returned(claim, "lb1", "shop", ["app1"])
    assert host.members() == [(["app2"], [])]


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", '{"service": "shop"}', '{"pools": [{"where": 1}]}'],
)
def test_a_record_that_cannot_be_understood_restores_nothing_and_ends_the_looks(host: TimedHost, content: str) -> None:
    host.begin()
    path = host.directory / "shop.restore"
    path.write_text(content)
    said: list[str] = []
    look = act.Look(str(path), host._run, said.append, root=f"{host.root}/")
    assert not look.act()
    assert said == [f"{path}: no restore timer is armed here; nothing is restored."]
    assert not host.is_scheduled()


def test_a_record_with_a_field_of_the_wrong_kind_is_none(host: TimedHost) -> None:
    host.begin()
    path = host.directory / "shop.restore"
    for name, value in (("after", "soon"), ("token", "3"), ("renewed", [1, 2]), ("unknown", 1), ("is_scheduled", "no")):
        path.write_text(json.dumps({**host.record, name: value}))
        assert record.read(str(path)) is None, name
        host.begin()
    assert record.read(str(path)) is not None


def test_looks_end_with_a_later_claim(host: TimedHost) -> None:
    host.begin()
    drain(host, "app1")
    look = act.Look(str(host.directory / "shop.restore"), host._run, print, root=f"{host.root}/")
    assert look.act()
    assert host.is_scheduled()
    host.acquire(4)
    assert look.act()
    assert not host.is_scheduled()
    assert host.members() == [(["app1"], [])]


def test_a_run_that_was_refused_leaves_what_another_one_has_drained_to_the_timer(host: TimedHost) -> None:
    host.begin()
    drain(host, "app1", "app2")
    host.call("changing", members=["app2"])
    host.begin(4)
    assert host.call("disarmed", 4, refused=True)["reports"] == []
    claims.release(Claim(**host.claim(4)))
    assert host.is_scheduled()
    host.later(601)
    look = act.Look(str(host.directory / "shop.restore"), host._run, print, root=f"{host.root}/")
    timer = record.read(look.path)
    assert timer is not None
    assert look.verdict(timer).kind == "restore"
    host.call("changing", 4, members=["app1"])
    assert host.call("disarmed", 4, refused=True).error == ""
    assert not host.is_scheduled()
    assert host.members() == [([], ["app2", "app1"])]


def test_a_run_that_was_refused_and_has_nothing_to_leave_leaves_nothing(host: TimedHost) -> None:
    host.begin()
    assert host.call("disarmed", refused=True)["changed"]
    assert not host.is_scheduled()
    assert not (host.directory / "shop.restore").exists()


def test_what_was_done_is_reported_to_each_run_until_one_has_planned(host: TimedHost) -> None:
    host.begin()
    drain(host, "app1")
    host.call("changing", members=["app1"])
    host.later(601)
    act.Look(str(host.directory / "shop.restore"), host._run, lambda line: None, root=f"{host.root}/").act()
    assert [one["member"] for one in host.begin(4)["reports"]] == ["app1"]
    host.call("disarmed", 4, refused=True)
    assert [one["member"] for one in host.begin(5)["reports"]] == ["app1"]
    host.call("renewed", 5)
    assert host.begin(6)["reports"] == []
    assert host.call("disarmed", 6)["reports"] == []


def test_a_host_that_stays_out_is_reported_once(host: TimedHost) -> None:
    host.begin()
    drain(host, "app1")
    host.call("changing", members=["app1"])
    host.later(601)
    said: list[str] = []
    look = act.Look(str(host.directory / "shop.restore"), host._run, said.append, root=f"{host.root}/")
    assert look.act()
    assert look.act()
    (line,) = said
    assert line.startswith("shop: app1 was not restored on lb1: no heartbeat from its run for 60")
    assert line.endswith(" s, but it was being changed; run the same playbook again to resume or roll back.")
    assert not host.is_scheduled()
    assert host.call("renewed")["armed"]
    assert host.is_scheduled()


def test_main_says_what_is_wrong_in_one_line(capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path) -> None:
    directory = tmp_path / "claims"
    directory.mkdir(mode=0o700)
    (directory / "shop.restore").symlink_to("/nowhere")
    assert act.main(str(directory / "shop.restore"), lambda argv: (0, "", "")) == 1
    assert (
        capsys.readouterr().out == f"{directory}/shop.restore: no restore timer is armed here; nothing is restored.\n"
    )
