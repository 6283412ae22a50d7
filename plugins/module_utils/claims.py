# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The claim that a rollout leaves where it changes things: on the balancers' and the fleet's hosts.

Two coordinators that do not know of each other collide here, and a process that outlived its run finds a
newer token and leaves without touching anything. A claim is a small JSON file per service, held under
flock while a change is made, so that changes of the same service on one host come one after the other.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError

ARGUMENTS = {
    "service": {"type": "str", "required": True},
    "ledger": {"type": "str", "required": True},
    "token": {"type": "int", "required": True, "no_log": False},
    "coordinator": {"type": "str", "default": ""},
    "directory": {"type": "path"},
}


class ClaimLost(RolloutError):
    """Another ledger, or a later run of the same one, owns the service now."""


@dataclasses.dataclass(frozen=True)
class Claim:
    """Who may change things for a service: the ledger by its identity, the run by its fencing token."""

    service: str
    ledger: str
    token: int
    coordinator: str = ""
    directory: str | None = None

    @classmethod
    def from_params(cls, params: dict[str, t.Any] | None) -> Claim | None:
        if not params:
            return None
        if "/" in params["service"] or params["service"].startswith("."):
            raise InputError(f"claim.service: '{params['service']}' cannot name a file; use letters, digits, - and _.")
        known: dict[str, t.Any] = {field.name: params.get(field.name) for field in dataclasses.fields(cls)}
        return cls(**known)

    @property
    def path(self) -> str:
        return os.path.join(self.directory or state_directory(), f"{self.service}.claim")


def state_directory() -> str:
    """Where the collection keeps its durable files on any host: the ledger and the claims."""
    if os.geteuid() == 0:
        return "/var/lib/steady-rollout"
    home = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return os.path.join(home, "steady-rollout")


@contextlib.contextmanager
def held(claim: Claim | None) -> t.Iterator[None]:
    """Holds the claim for the time of one change; raises ClaimLost where it is somebody else's.

    Nothing is checked where no claim was given. Waits while another process of the same service changes
    something on this host: those changes are short, waiting for a drain happens outside.
    """
    if claim is None:
        yield
        return
    with _locked(claim) as stream:
        _refuse_others(claim, _read(stream))
        yield


def take(claim: Claim, force: bool = False) -> dict[str, t.Any] | None:
    """Writes the claim for this run and returns the one that stood there; *force* takes it from another ledger."""
    with _locked(claim) as stream:
        before = _read(stream)
        if not force:
            _refuse_others(claim, before)
        _write(stream, {"ledger": claim.ledger, "token": claim.token, "coordinator": claim.coordinator, "active": True})
    return before


def release(claim: Claim) -> bool:
    """Marks the claim as no longer in use, so that any coordinator may claim; False where it is not ours."""
    with _locked(claim) as stream:
        before = _read(stream)
        if not before or before["ledger"] != claim.ledger or before["token"] > claim.token:
            return False
        _write(stream, {**before, "active": False})
    return True


def _refuse_others(claim: Claim, found: dict[str, t.Any] | None) -> None:
    if found is None:
        return
    if found["ledger"] == claim.ledger:
        if found["token"] > claim.token:
            raise ClaimLost(
                f"{claim.path}: a later run of '{claim.service}' (token {found['token']}, ours is {claim.token}) "
                "has taken over; this run makes no further changes."
            )
    elif found["active"]:
        raise ClaimLost(
            f"{claim.path}: '{claim.service}' is claimed by another coordinator, {found['coordinator'] or 'unnamed'} "
            f"(ledger {found['ledger']}, token {found['token']}). Finish its rollout there, or, if it is gone for "
            "good, run with -e rollout_take_over=true."
        )


@contextlib.contextmanager
def _locked(claim: Claim) -> t.Iterator[t.IO[str]]:
    os.makedirs(os.path.dirname(claim.path), mode=0o700, exist_ok=True)
    with open(claim.path, "a+", encoding="utf-8") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield stream


def _read(stream: t.IO[str]) -> dict[str, t.Any] | None:
    stream.seek(0)
    text = stream.read()
    try:
        return json.loads(text) if text.strip() else None
    except ValueError:
        raise RolloutError(
            f"{stream.name}: not a claim (bad JSON: {text[:60]!r}). Inspect it, then remove it."
        ) from None


def _write(stream: t.IO[str], content: dict[str, t.Any]) -> None:
    stream.seek(0)
    stream.truncate()
    json.dump(content, stream)
    stream.flush()
    os.fsync(stream.fileno())
