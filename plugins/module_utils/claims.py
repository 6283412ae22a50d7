# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The claim that a rollout leaves where it changes things: on the balancers' and the fleet's hosts.

Two independent coordinators are detected as conflicting here, and a process that outlived its run finds a newer
token and changes nothing. A claim is a small JSON file per service, replaced at one instant. A lock beside it is held
while a change is made, so that changes of the same service on one host come one after the other.

*acquire* announces a run and excludes others until *release*. *held* fences each single change: it records the newest
token seen, also where nothing was announced before, and refuses every older one. *require* only asks.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import stat
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import documents, files, in_progress, locks
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError

ARGUMENTS = {
    "service": {"type": "str", "required": True},
    "ledger": {"type": "str", "required": True},
    "token": {"type": "int", "required": True, "no_log": False},
    "coordinator": {"type": "str", "default": ""},
    "directory": {"type": "path"},
}
# One place for all users of a host; only root can make it.
SHARED = "/var/lib/steady-rollout-claims"
LONGEST_SERVICE = 200
LONGEST_CLAIM = 65536
MOST_SUPERSEDED = 100
MOST_DRAINED = 500


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
        service = params["service"]
        is_name = service.isprintable() and 0 < len(service.encode("utf-8", "replace")) <= LONGEST_SERVICE
        if not is_name or "/" in service or service.startswith("."):
            raise InputError(f"claim.service: {service!r} cannot name a file; use letters, digits, - and _.")
        known: dict[str, t.Any] = {field.name: params.get(field.name) for field in dataclasses.fields(cls)}
        return cls(**known)

    @property
    def path(self) -> str:
        return os.path.join(self.directory or claims_directory(), f"{self.service}.claim")


@dataclasses.dataclass(frozen=True)
class Record:
    """What a claim's file says."""

    ledger: str
    token: int
    coordinator: str
    active: bool
    """Whether others are excluded: from acquire until release."""
    superseded: dict[str, int] = dataclasses.field(default_factory=dict)
    """The newest token of each other ledger that had this claim; none of its runs up to that one may change anything."""
    drained: list[str] = dataclasses.field(default_factory=list)
    """The members drained here under this claim and not returned since; whoever takes over finds them here."""


def claims_directory() -> str:
    """Where claims and the locks of pools are: one directory for all users of the host, where there is one.

    Root makes it. Other users share it if root gave them a group's access to it. Otherwise they have one of their own,
    and root's claims still count.
    """
    if os.geteuid() == 0 or os.access(SHARED, os.W_OK | os.X_OK):
        return SHARED
    return state_directory()


def state_directory() -> str:
    """Where the collection keeps its durable files on any host, such as the ledger."""
    if os.geteuid() == 0:
        return "/var/lib/steady-rollout"
    home = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return os.path.join(home, "steady-rollout")


@contextlib.contextmanager
def held(claim: Claim | None, timeout: float = files.LOCK_TIMEOUT) -> t.Iterator[None]:
    """Holds the claim for the time of one change; raises ClaimLost where it is somebody else's.

    Nothing is checked where no claim was given. Waits at most *timeout* seconds while another process of the same
    service changes something on this host: those changes are short, waiting for a drain happens outside.
    """
    with in_progress.change():
        if claim is None:
            yield
            return
        with _locked(claim, timeout):
            before = _read(claim.path)
            _refuse_others(claim, before)
            _refuse_others(claim, _shared_record(claim))
            active = before.active if before and before.ledger == claim.ledger else False
            _write(claim, before, active)
            yield


def require(claim: Claim | None) -> None:
    """Raises ClaimLost where the claim is somebody else's by now.

    Who waits for a drain asks each second and need not queue behind the changes of others: a claim is replaced at one
    instant, so that what is read is what counts. What is not as this run left it is checked, and recorded, as by *held*.
    """
    found = _read(claim.path) if claim else None
    if claim and found and (found.ledger, found.token) == (claim.ledger, claim.token):
        with in_progress.change():
            _refuse_others(claim, _shared_record(claim))
        return
    with held(claim):
        pass


def acquire(claim: Claim, force: bool = False) -> dict[str, t.Any] | None:
    """Writes the claim for this run and returns the one that stood there.

    *force* takes it from another ledger. It never overwrites a newer token of the same ledger.
    """
    with _locked(claim, force=force):
        before = _read(claim.path)
        _refuse_others(claim, before, force)
        _refuse_others(claim, _shared_record(claim))
        _write(claim, before, active=True)
    return dataclasses.asdict(before) if before else None


def note_members(claim: Claim | None, drained: t.Iterable[str] = (), returned: t.Iterable[str] = ()) -> None:
    """Keeps up who is drained under the claim. Only while it is held; members about to be drained before they are."""
    record = _read(claim.path) if claim else None
    if claim is None or record is None or record.ledger != claim.ledger:
        return
    now = sorted({*record.drained, *drained} - set(returned))[:MOST_DRAINED]
    if now != record.drained:
        _replace(claim.path, dataclasses.replace(record, drained=now))


def standing(claim: Claim) -> tuple[str, int] | None:
    """Ledger and token, as the claim of that service says on this host; None where there is none."""
    found = _read(claim.path)
    return (found.ledger, found.token) if found else None


def release(claim: Claim) -> bool:
    """Marks the claim as no longer in use, so that any coordinator may claim; False where it is not ours."""
    with _locked(claim):
        before = _read(claim.path)
        if not before or before.ledger != claim.ledger or before.token > claim.token:
            return False
        _replace(claim.path, dataclasses.replace(before, active=False))
    return True


@contextlib.contextmanager
def lock(
    directory: str,
    name: str,
    what: str,
    timeout: float = files.LOCK_TIMEOUT,
    while_busy: t.Callable[[], None] = lambda: None,
) -> t.Iterator[None]:
    """Holds a lock in a directory of claims, which is made where it is missing. Raises OSError where it cannot be."""
    files.private_directory(directory, 0o755 if directory == SHARED else 0o700)
    with files.locked(os.path.join(directory, f"{name}.lock"), what, timeout, _mode(directory), while_busy):
        yield


def _mode(directory: str) -> int:
    """For a group only where the directory is shared by one: who may open a lock may hold it."""
    shared = stat.S_ISGID | stat.S_IWGRP
    return 0o660 if os.stat(directory).st_mode & shared == shared else 0o600


def _refuse_others(claim: Claim, found: Record | None, force: bool = False) -> None:
    if found is None:
        return
    if found.ledger == claim.ledger and found.token > claim.token:
        raise ClaimLost(
            f"{claim.path}: a later run of '{claim.service}' (token {found.token}, ours is {claim.token}) "
            "has taken over; this run makes no further changes."
        )
    if found.ledger == claim.ledger:
        return
    if found.active and not force:
        raise ClaimLost(
            f"{claim.path}: '{claim.service}' is claimed by another coordinator, {found.coordinator or 'unnamed'} "
            f"(ledger {found.ledger}, token {found.token}). Finish its rollout there, or, if it is gone for "
            "good, run with -e rollout_take_over=true."
        )
    if found.superseded.get(claim.ledger, -1) >= claim.token:
        raise ClaimLost(
            f"{claim.path}: another coordinator, {found.coordinator or 'unnamed'} (ledger {found.ledger}, token "
            f"{found.token}), has changed '{claim.service}' since this run (token {claim.token}) began; this run makes no "
            "further changes."
        )


def _write(claim: Claim, before: Record | None, active: bool) -> None:
    """Records the claim, unless it stands there already."""
    superseded = dict(before.superseded) if before else {}
    if before and before.ledger != claim.ledger:
        superseded[before.ledger] = max(before.token, superseded.get(before.ledger, before.token))
    superseded.pop(claim.ledger, None)
    for ledger in list(superseded)[:-MOST_SUPERSEDED]:
        del superseded[ledger]
    known = before.coordinator if before and before.ledger == claim.ledger else ""
    drained = list(before.drained) if before else []
    now = Record(claim.ledger, claim.token, claim.coordinator or known, active, superseded, drained)
    if before != now:
        _replace(claim.path, now)


def _shared_record(claim: Claim) -> Record | None:
    """Root's claim for the same service, where this user keeps claims elsewhere and may read it."""
    if claim.directory or os.geteuid() == 0 or claims_directory() == SHARED:
        return None
    return _read(os.path.join(SHARED, f"{claim.service}.claim"))


@contextlib.contextmanager
def _locked(claim: Claim, timeout: float = files.LOCK_TIMEOUT, force: bool = False) -> t.Iterator[None]:
    what = f"service '{claim.service}' on this host"

    def while_busy() -> None:
        _end_stopped_holder(claim, force)

    with contextlib.ExitStack() as stack:
        try:
            directory, name = os.path.split(claim.path)
            stack.enter_context(lock(directory, name, what, timeout, while_busy))
        except OSError as error:
            raise RolloutError(
                f"{claim.path}: the claim cannot be kept there ({error.strerror or error}). Use become, or correct "
                "claim.directory."
            ) from error
        yield


def _end_stopped_holder(claim: Claim, force: bool) -> None:
    """A process that was suspended in a change keeps the lock, also for the run that takes over; its own run is over then.

    Every change may be cut off by a crash at any moment, so it may be by this.
    """
    holder = locks.holder_of(f"{claim.path}.lock")
    if holder is None or not holder.is_stopped:
        return
    found = _read(claim.path)
    if found is None:
        return
    is_over = found.token < claim.token if found.ledger == claim.ledger else force or not found.active
    if is_over:
        holder.end()


def _read(path: str) -> Record | None:
    try:
        content = files.read(path, LONGEST_CLAIM, follow=False)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RolloutError(f"{path}: the claim cannot be read ({error.strerror or error}).") from error
    try:
        return _parsed(documents.parsed(content.decode("utf-8")))
    except ValueError:
        shown = repr(content[:60].decode("utf-8", "replace")) if content else "it is empty"
        raise RolloutError(
            f"{path}: not a claim ({shown}), so who may change the service is unknown. Make sure that no rollout of it "
            "is running, then remove the file."
        ) from None


def _parsed(content: t.Any) -> Record:
    """Raises ValueError unless *content* is a claim's."""
    types = {"ledger": str, "token": int, "coordinator": str, "active": bool, "superseded": dict, "drained": list}
    if not isinstance(content, dict):
        raise ValueError("not a mapping")
    content.setdefault("superseded", {})
    content.setdefault("drained", [])
    if set(content) != set(types) or any(
        not isinstance(content[name], kind) or (isinstance(content[name], bool) and kind is not bool)
        for name, kind in types.items()
    ):
        raise ValueError("other fields")
    if any(not isinstance(token, int) for token in content["superseded"].values()):
        raise ValueError("other tokens")
    if any(not isinstance(name, str) for name in content["drained"]):
        raise ValueError("other members")
    return Record(**content)


def _replace(path: str, record: Record) -> None:
    mode = _mode(os.path.dirname(path)) | 0o044
    files.replace(path, json.dumps(dataclasses.asdict(record)), files.Access(mode))
