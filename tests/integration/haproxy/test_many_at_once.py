"""Calls at the same time: none lost, no floor broken by two that each found it kept; and the claim."""

from __future__ import annotations

import multiprocessing
import pathlib
import threading
import typing as t

import pytest
from support.haproxy import Node, Slow

from ansible_collections.steady.rollout.plugins.module_utils import claims

FORCED_DRAIN = 0x08
LOCK = "ansible_collections.steady.rollout.plugins.module_utils.claims.claims_directory"

# Fresh interpreters would take longer than what is tested; a fork sees the test's lock directory, too.
processes = multiprocessing.get_context("fork")


def put_all(balancer: t.Any, names: t.Sequence[str], **options: t.Any) -> list[tuple[str, str]]:
    """(member, error) of one call for each of *names*, all in processes of their own."""
    answers: t.Any = processes.Queue()

    def put(name: str) -> None:
        answers.put((name, balancer.put(name, **options).error))

    children = [processes.Process(target=put, args=(name,)) for name in names]
    for child in children:
        child.start()
    outcomes = [answers.get(timeout=60) for dummy in children]
    for child in children:
        child.join(10)
    return outcomes


def test_fifty_at_once_are_all_kept(start: t.Any, make_balancer: t.Any) -> None:
    names = [f"app{number}" for number in range(1, 52)]
    servers = "\n".join(f"  server {name} 127.0.0.1:1" for name in names[1:])
    node = start(members=1, server_options="", state_file=True, backend=servers)
    balancer = make_balancer(node, state_file=str(node.state_file))
    outcomes = put_all(balancer, names[1:], state="drained")
    assert [error for dummy, error in outcomes if error] == []
    assert node.admin_bits() == {**dict.fromkeys(names[1:], FORCED_DRAIN), "app1": 0}
    node.reload()
    assert node.admin_bits() == {**dict.fromkeys(names[1:], FORCED_DRAIN), "app1": 0}


def test_the_floor_holds_for_all_together(start: t.Any, make_balancer: t.Any) -> None:
    node = start(members=6, server_options="")
    outcomes = put_all(make_balancer(node), list(node.members), state="drained", guard={"min_in_service": 4})
    assert sum(1 for dummy, error in outcomes if not error) == 2
    assert sorted(node.admin_bits().values()) == [0, 0, 0, 0, FORCED_DRAIN, FORCED_DRAIN]


@pytest.fixture
def claim(tmp_path: pathlib.Path) -> dict[str, t.Any]:
    return {"service": "shop", "ledger": "ours", "token": 3, "directory": str(tmp_path / "claims")}


def take(claim: dict[str, t.Any], **changes: t.Any) -> None:
    claims.acquire(claims.Claim(**{**claim, **changes}), force=True)


def test_nothing_is_changed_under_a_foreign_claim(node: Node, balancer: t.Any, claim: dict[str, t.Any]) -> None:
    take(claim, ledger="theirs", coordinator="laptop")
    outcome = balancer.put("app1", state="drained", claim=claim)
    assert "'shop' is claimed by another coordinator, laptop (ledger theirs, token 3)" in outcome.error
    assert outcome["changed"] is False
    assert node.admin_bits()["app1"] == 0


@pytest.mark.parametrize("on_timeout", ["force", "restore"])
def test_a_claim_lost_during_the_wait_ends_it_without_a_further_change(
    node: Node, balancer: t.Any, claim: dict[str, t.Any], on_timeout: str
) -> None:
    take(claim)
    slow = Slow(node, "app1", seconds=4)
    later_run = threading.Timer(0.5, take, [claim], {"token": 4})
    later_run.start()
    outcome = balancer.put("app1", state="drained", claim=claim, timeout=20, on_timeout=on_timeout)
    later_run.join()
    assert outcome.error == (
        f"{claim['directory']}/shop.claim: a later run of 'shop' (token 4, ours is 3) has taken over; "
        "this run makes no further changes."
    )
    assert outcome["changed"] is True
    assert outcome["restore"] == {"states": {"app1": "in_service"}}
    assert outcome["members"]["app1"]["sessions"] == 1
    assert node.admin_bits()["app1"] == FORCED_DRAIN
    assert slow.finish() == 200


def test_check_mode_leaves_no_trace_of_itself(node: Node, balancer: t.Any, claim: dict[str, t.Any]) -> None:
    assert balancer.put("app1", state="drained", claim=claim, check_mode=True).error == ""
    assert not pathlib.Path(claim["directory"]).exists()
