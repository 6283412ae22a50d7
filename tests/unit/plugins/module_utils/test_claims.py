# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims: who may change a service on a host, and how that survives crashes, other users and other coordinators."""

from __future__ import annotations

import json
import os
import pathlib
import stat
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.stopped import stopped_in, suspend_oneself

from ansible_collections.steady.rollout.plugins.module_utils import claims, processes
from ansible_collections.steady.rollout.plugins.module_utils.claims import Claim, ClaimLost
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
NOBODY = 65534


@pytest.fixture
def directory(tmp_path: pathlib.Path) -> str:
    return str(tmp_path / "claims")


def ours(directory: str, token: int = 3, ledger: str = "one") -> Claim:
    return Claim("shop", ledger, token, "laptop", directory)


def record(directory: str) -> dict[str, t.Any]:
    return t.cast("dict[str, t.Any]", json.loads(pathlib.Path(directory, "shop.claim").read_text()))


def refused(claim: Claim) -> str:
    with pytest.raises(ClaimLost) as caught, claims.held(claim):
        pytest.fail("somebody else has the claim")
    return caught.value.message


def test_a_change_claims_a_host_that_was_never_claimed(directory: str) -> None:
    with claims.held(ours(directory)):
        pass
    assert record(directory) == {
        "ledger": "one",
        "token": 3,
        "coordinator": "laptop",
        "active": False,
        "superseded": {},
        "drained": [],
    }
    assert refused(ours(directory, 2)) == (
        f"{directory}/shop.claim: a later run of 'shop' (token 3, ours is 2) has taken over; this run makes no further "
        "changes."
    )


def test_a_takeover_returns_the_hosts_that_the_other_ledger_has_drained(directory: str) -> None:
    with claims.held(ours(directory)):
        claims.note_members(ours(directory), drained=["a", "b"])
    with claims.held(ours(directory)):
        claims.note_members(ours(directory), returned=["b"])
        claims.note_members(ours(directory, ledger="other"), drained=["c"])
    before = claims.acquire(ours(directory, 1, "two"), force=True)
    assert before is not None
    assert (before["ledger"], before["coordinator"], before["drained"]) == ("one", "laptop", ["a"])
    # Killed before it has put them on record, it finds them again.
    assert record(directory)["drained"] == ["a"]


def test_a_change_with_a_newer_token_advances_the_claim(directory: str) -> None:
    claims.acquire(ours(directory, 3))
    with claims.held(ours(directory, 4)):
        pass
    assert (record(directory)["token"], record(directory)["active"]) == (4, True)
    assert "token 4, ours is 3" in refused(ours(directory, 3))


def test_a_claim_of_another_coordinator_is_respected_until_it_is_released(directory: str) -> None:
    claims.acquire(ours(directory))
    message = refused(ours(directory, 1, "two"))
    assert message == (
        f"{directory}/shop.claim: 'shop' is claimed by another coordinator, laptop (ledger one, token 3). Finish its "
        "rollout there, or, if it is gone for good, run with -e rollout_take_over=true."
    )
    assert claims.release(ours(directory)) is True
    with claims.held(ours(directory, 1, "two")):
        pass


def test_a_run_that_was_suspended_stays_out_after_another_coordinator_took_over_and_finished(directory: str) -> None:
    suspended, other = ours(directory, 3), ours(directory, 1, "two")
    claims.acquire(suspended)
    claims.acquire(other, force=True)
    claims.release(other)
    assert refused(suspended) == (
        f"{directory}/shop.claim: another coordinator, laptop (ledger two, token 1), has changed 'shop' since this run "
        "(token 3) began; this run makes no further changes."
    )
    claims.acquire(ours(directory, 4))
    assert "token 4, ours is 3" in refused(suspended)


def test_force_never_overwrites_a_newer_token_of_the_same_ledger(directory: str) -> None:
    claims.acquire(ours(directory, 5))
    with pytest.raises(ClaimLost):
        claims.acquire(ours(directory, 4), force=True)
    assert record(directory)["token"] == 5


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        ("", "it is empty"),
        ('{"ledger": "one", "tok', '\'{"ledger": "one", "tok\''),
        ("[1]", "'[1]'"),
        ('{"ledger": "one", "token": "9", "coordinator": "", "active": true}', ""),
        ("[" * 5000, ""),
    ],
    ids=["empty", "cut_off", "no_mapping", "token_as_text", "deep"],
)
def test_a_damaged_claim_is_an_error_and_not_absent(directory: str, content: str, shown: str) -> None:
    os.mkdir(directory, 0o700)
    pathlib.Path(directory, "shop.claim").write_text(content)
    for act in (lambda: claims.acquire(ours(directory)), lambda: claims.acquire(ours(directory), force=True)):
        with pytest.raises(RolloutError) as caught:
            act()
        assert caught.value.message.startswith(f"{directory}/shop.claim: not a claim ({shown}")
        assert caught.value.message.endswith(
            "so who may change the service is unknown. Make sure that no rollout of it is running, then remove the file."
        )


def test_a_claim_is_replaced_at_one_instant(directory: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed while it writes, a run leaves the claim that stood there."""
    claims.acquire(ours(directory, 3))
    monkeypatch.setattr(os, "replace", lambda *args, **options: (dummy for dummy in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        claims.acquire(ours(directory, 4))
    assert record(directory)["token"] == 3


def test_a_lock_is_readable_by_nobody_else(directory: str) -> None:
    claims.acquire(ours(directory))
    modes = {name: stat.S_IMODE(os.stat(os.path.join(directory, name)).st_mode) for name in os.listdir(directory)}
    assert modes == {"shop.claim": 0o644, "shop.claim.lock": 0o600}


def test_a_directory_of_a_group_is_shared_by_it(directory: str) -> None:
    os.mkdir(directory)
    os.chmod(directory, 0o2770)
    claims.acquire(ours(directory))
    modes = {name: stat.S_IMODE(os.stat(os.path.join(directory, name)).st_mode) for name in os.listdir(directory)}
    assert modes == {"shop.claim": 0o664, "shop.claim.lock": 0o660}


@needs_root
def test_roots_claim_counts_for_other_users_too(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared, home = tmp_path / "shared", tmp_path / "home"
    monkeypatch.setattr(claims, "SHARED", str(shared))
    claims.acquire(Claim("shop", "one", 3, "lb1"))
    assert (shared / "shop.claim").exists()
    assert stat.S_IMODE(shared.stat().st_mode) == 0o755
    monkeypatch.setenv("XDG_STATE_HOME", str(home))
    monkeypatch.setattr(os, "geteuid", lambda: NOBODY)
    monkeypatch.setattr(os, "access", lambda *args: False)
    monkeypatch.setattr(claims.files, "private_directory", lambda path, mode: os.makedirs(path, exist_ok=True))
    for claim in (Claim("shop", "two", 9), Claim("shop", "one", 2)):
        with pytest.raises(ClaimLost):
            claims.acquire(claim)
        refused(claim)
    claims.acquire(Claim("shop", "one", 3))
    assert (home / "steady-rollout" / "shop.claim").exists()
    claims.require(Claim("shop", "one", 3))
    taken_over = json.dumps({**json.loads((shared / "shop.claim").read_text()), "token": 4})
    (shared / "shop.claim").write_text(taken_over)
    with pytest.raises(ClaimLost):
        claims.require(Claim("shop", "one", 3))


@pytest.mark.parametrize("service", ["", "a/b", ".x", "a\nb", "a\0b", "x" * 201, "\ud800"])
def test_a_service_that_cannot_name_a_file(service: str) -> None:
    with pytest.raises(InputError) as caught:
        Claim.from_params({"service": service, "ledger": "one", "token": 1})
    assert caught.value.message == f"claim.service: {service!r} cannot name a file; use letters, digits, - and _."


ACTS = st.lists(
    st.tuples(st.sampled_from(["acquire", "force", "release", "held"]), st.sampled_from("ab"), st.integers(1, 4)),
    max_size=25,
)


@given(ACTS)
def test_no_run_changes_anything_after_a_later_one_did(
    tmp_path_factory: pytest.TempPathFactory, acts: list[tuple[str, str, int]]
) -> None:
    """Invariant 8: on one host the tokens of a ledger that change something never fall."""
    directory = str(tmp_path_factory.mktemp("claims"))
    newest: dict[str, int] = {}
    for act, ledger, token in acts:
        claim = Claim("shop", ledger, token, "", directory)
        try:
            if act == "held":
                with claims.held(claim):
                    assert token >= newest.get(ledger, 0)
            elif act == "release":
                claims.release(claim)
                continue
            else:
                claims.acquire(claim, force=act == "force")
                assert token >= newest.get(ledger, 0)
        except ClaimLost:
            continue
        newest[ledger] = max(token, newest.get(ledger, 0))


def test_the_lock_of_a_claim_is_held_as_long_as_the_change_takes(directory: str) -> None:
    with claims.held(ours(directory)):
        with pytest.raises(RolloutError) as refused_too, claims.held(ours(directory), timeout=0.0):
            pytest.fail("two changes at a time")
        assert "another process has been changing service 'shop' on this host" in refused_too.value.message
    with claims.held(ours(directory), timeout=0.0):
        pass


def test_who_only_asks_for_its_claim_does_not_wait_for_a_change_in_progress(
    directory: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of a hundred that waited for their drains queued every second behind all the changes."""
    with claims.held(ours(directory)):
        monkeypatch.setattr(claims, "_locked", lambda *_args: pytest.fail("queued"))
        claims.require(ours(directory))
        claims.require(None)


@pytest.mark.parametrize(("token", "ledger"), [(4, "one"), (9, "two")])
def test_who_only_asks_for_its_claim_learns_that_it_was_taken_over(directory: str, token: int, ledger: str) -> None:
    with claims.held(ours(directory)):
        pass
    claims.acquire(ours(directory, token, ledger), force=True)
    with pytest.raises(ClaimLost) as caught:
        claims.require(ours(directory))
    assert caught.value.message == refused(ours(directory))


def test_who_asks_for_a_claim_that_is_not_on_record_records_it(directory: str) -> None:
    claims.require(ours(directory, 2))
    claims.require(ours(directory, 3))
    assert record(directory)["token"] == 3


def change_and_stop(claim: Claim) -> None:
    with claims.held(claim):
        suspend_oneself()


def test_a_change_that_was_suspended_kept_the_claim_from_the_run_that_took_over(directory: str) -> None:
    """Invariant 8."""
    with stopped_in(change_and_stop, ours(directory, 3)) as pid, claims.held(ours(directory, 4)):
        assert not processes.is_stopped(pid)
    assert record(directory)["token"] == 4


def test_so_it_did_from_another_ledger_that_took_over(directory: str) -> None:
    claims.acquire(ours(directory, 3))
    with stopped_in(change_and_stop, ours(directory, 3)) as pid:
        claims.acquire(ours(directory, 1, "two"), force=True)
        assert not processes.is_stopped(pid)
    assert record(directory)["ledger"] == "two"


@pytest.mark.parametrize(("token", "ledger"), [(3, "one"), (2, "one"), (9, "two")])
def test_a_refused_claim_ends_no_process(directory: str, token: int, ledger: str) -> None:
    claims.acquire(ours(directory, 3))
    with stopped_in(change_and_stop, ours(directory, 3)) as pid:
        with pytest.raises(RolloutError) as caught, claims.held(ours(directory, token, ledger), timeout=0.2):
            pytest.fail("two changes at a time")
        assert caught.value.message == (
            f"{directory}/shop.claim.lock: another process has been changing service 'shop' on this host for more than 0.2 s: "
            f"pid {pid} ({processes.program(os.getpid())}), which is stopped. Nothing was changed; wait for that process or end "
            "it, then run again."
        )
        assert processes.is_stopped(pid)


@pytest.mark.parametrize(("token", "ledger"), [(2, "one"), (9, "two")])
def test_a_claim_that_is_not_ours_is_not_given_back(directory: str, token: int, ledger: str) -> None:
    claims.acquire(ours(directory))
    assert claims.release(ours(directory, token, ledger)) is False
    assert record(directory)["active"] is True


def test_a_link_in_the_place_of_a_claim_is_not_followed(directory: str, tmp_path: pathlib.Path) -> None:
    claims.acquire(ours(directory))
    place = pathlib.Path(directory, "shop.claim")
    elsewhere = tmp_path / "elsewhere"
    place.rename(elsewhere)
    place.symlink_to(elsewhere)
    with pytest.raises(RolloutError) as refused_link:
        claims.acquire(ours(directory, 4))
    assert refused_link.value.message.startswith(f"{place}: the claim cannot be read (")
