# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The restore timer's record: a file beside the claim, read and written under the claim's lock.

It is in a lasting place, so that a reboot of the host forgets nothing. One that cannot be read counts as none: nothing is
restored then.
"""

from __future__ import annotations

import dataclasses
import json
import os
import time
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import documents, files
from ansible_collections.steady.rollout.plugins.module_utils.claims import Claim
from ansible_collections.steady.rollout.plugins.module_utils.restore_timer.rules import Moment, Pool, Report, Timer

SUFFIX = ".restore"
LARGEST = 4 * 1024 * 1024
BOOT = "/proc/sys/kernel/random/boot_id"


def now() -> Moment:
    """While the host itself is suspended no time passes: then no heartbeat could have come either."""
    try:
        with open(BOOT, encoding="ascii") as stream:
            boot = stream.read().strip()
    except OSError:
        boot = ""
    return Moment(boot, time.monotonic())


def path_of(claim: Claim) -> str:
    return os.path.join(os.path.dirname(claim.path), claim.service + SUFFIX)


def read(path: str) -> Timer | None:
    """None where there is none, or none that can be understood."""
    try:
        content = files.read(path, LARGEST, follow=False)
    except OSError:
        return None
    return _timer(documents.parsed_or_none(content.decode("utf-8", "replace")))


def write(path: str, timer: Timer) -> None:
    """For its owner alone: it says how the balancer is reached."""
    files.replace(path, json.dumps(dataclasses.asdict(timer)), files.Access(0o600))


def remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def note_drained(claim: Claim | None, where: str, balancer: dict[str, t.Any], members: t.Collection[str]) -> None:
    """They are about to be drained by the claim's run; only while it is held. Nothing where it has armed no timer."""
    timer = read(path_of(claim)) if claim and members else None
    if claim and timer and timer.is_of(claim.ledger, claim.token):
        write(path_of(claim), timer.with_drained(where, balancer, members))


def note_returned(claim: Claim | None, where: str, pool: str, members: t.Collection[str]) -> None:
    """They are in service again, by whichever run; only while its claim is held."""
    timer = read(path_of(claim)) if claim and members else None
    if claim and timer:
        rest = timer.without((where, pool), members)
        if rest != timer:
            write(path_of(claim), rest)


def _timer(content: t.Any) -> Timer | None:
    try:
        known = {
            **content,
            "renewed": Moment(*content["renewed"]),
            "pools": tuple(_pool(one) for one in content["pools"]),
            "reports": tuple(Report(**one) for one in content["reports"]),
        }
        timer = Timer(**known)
    except (TypeError, KeyError, ValueError, AttributeError):
        return None
    return timer if _is_sound(timer) else None


def _pool(content: dict[str, t.Any]) -> Pool:
    return Pool(
        **{**content, "drained": tuple(map(str, content["drained"])), "changing": tuple(map(str, content["changing"]))}
    )


def _is_sound(timer: Timer) -> bool:
    types: dict[str, t.Any] = {
        "service": str, "ledger": str, "token": int, "after": (int, float), "is_scheduled": bool
    }  # fmt: skip
    return (
        all(isinstance(getattr(timer, name), kind) for name, kind in types.items())
        and isinstance(timer.renewed.boot, str)
        and isinstance(timer.renewed.seconds, (int, float))
        and all(isinstance(pool.balancer, dict) and "pool" in pool.balancer for pool in timer.pools)
    )
