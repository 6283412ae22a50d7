# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.call import Call, perform
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.replicas.core import core
from ansible_collections.steady.rollout.plugins.module_utils.replicas.postgresql import member_of

CLUSTER = "7000000000000000001"


def read(answer: tuple[int, str, str], **params: t.Any) -> tuple[dict[str, t.Any], list[str], dict[str, str]]:
    """The result, and how psql was called."""
    seen: list[t.Any] = []

    def run(argv: list[str], **options: t.Any) -> tuple[int, str, str]:
        seen.append((argv, options["environ_update"]))
        return answer

    given = {"type": "postgresql", "timeout": "5", "url": None, "as_user": "postgres", **params}
    result = perform(core, Call(given, False, False, print, run))
    return result, *seen[0]


def test_a_primary_says_how_far_it_has_written() -> None:
    result, dummy, environment = read(
        (0, f"0\t5033164\t0\t{CLUSTER}\n", ""), url="postgresql://shop:s%20ecret@db1:5433/orders"
    )
    assert result == {
        "changed": False, "role": "primary", "follows": False, "position": 5033164, "cluster": CLUSTER,
        "usable_sentinels": None, "needed_sentinels": None, "voters": None, "votes": True, "objection": "", "msg": "primary",
    }  # fmt: skip
    assert (environment["PGHOST"], environment["PGPORT"], environment["PGPASSWORD"]) == ("db1", "5433", "s ecret")


@pytest.mark.parametrize(
    ("receivers", "follows", "said"),
    [("1", True, "replica that follows the primary"), ("0", False, "replica that does not follow the primary")],
)
def test_a_replica_follows_while_it_receives(receivers: str, follows: bool, said: str) -> None:
    result = read((0, f"1\t5033164\t{receivers}\t{CLUSTER}\n", ""))[0]
    assert (result["role"], result["follows"], result["msg"]) == ("replica", follows, said)


def test_over_the_socket_the_servers_own_user_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    answer = (0, f"0\t1\t0\t{CLUSTER}\n", "")
    asked = read(answer)[1]
    assert asked[asked.index("runuser") :][:5] == ["runuser", "-u", "postgres", "--", "psql"]
    assert "runuser" not in read(answer, url="postgresql://shop@db1/x")[1]
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "runuser" not in read(answer)[1]


@pytest.mark.parametrize("said", ["", "t\t1\t0\t7", "0\t1\t0", "0\t1\t2\t7", "0\t-1\t0\t7", "0\t1\t0\t7\n1\t1\t1\t7"])
def test_anything_else_is_no_answer(said: str) -> None:
    with pytest.raises(RolloutError) as caught:
        member_of(said)
    assert caught.value.message == f"PostgreSQL gave an unexpected answer: {said!r}."


def test_what_psql_says_is_shown_without_the_password() -> None:
    with pytest.raises(RolloutError) as caught:
        read((2, "", "psql: error: password s3cret-x is wrong"), url="postgresql://shop:s3cret-x@db1/orders")
    assert (
        caught.value.message
        == "'psql \t ON_ERROR_STOP=1' failed with exit status 2: psql: error: password ******** is wrong"
    )


def test_another_database_is_refused() -> None:
    with pytest.raises(RolloutError) as caught:
        read((0, "", ""), url="mysql://shop:x@db1/orders")
    assert caught.value.message == (
        "url: is not the address of a PostgreSQL database; expected postgresql://user@host:5432/name."
    )
