# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Decides what has to be done with the releases of a host. Pure: no file is read or written here."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError

VERSION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+~-]{0,127}")
RESERVED = ("current", "previous", "releases", "shared")


@dataclasses.dataclass(frozen=True)
class Artifact:
    """What a release is made of: *checksum* of the file as delivered, *content* of the tar inside it.

    The same files packed again, or compressed by another library, have another checksum but the same content.
    """

    checksum: str | None = None
    content: str | None = None
    strip: int = 0

    @classmethod
    def from_record(cls, record: dict[str, t.Any]) -> Artifact | None:
        """The artifact in the record of a staged release, None in any other record."""
        if record.get("staged_at") is None:
            return None
        return cls(record.get("checksum"), record.get("content"), record.get("strip", 0))


@dataclasses.dataclass(frozen=True)
class Release:
    """What is known of one version; *staged* means that its files are there and complete."""

    version: str
    staged: bool
    staged_at: float = 0.0
    artifact: Artifact | None = None
    bad: bool = False


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """The releases of a host; *activated* lists what was switched to, the latest last."""

    releases: tuple[Release, ...] = ()
    current: str | None = None
    activated: tuple[str, ...] = ()

    @property
    def versions(self) -> list[str]:
        """The staged versions, the one staged first in front."""
        staged = [release for release in self.releases if release.staged]
        return [release.version for release in sorted(staged, key=lambda one: (one.staged_at, one.version))]

    @property
    def bad(self) -> list[str]:
        return sorted(release.version for release in self.releases if release.bad)

    @property
    def previous(self) -> str | None:
        """The version that was active before the current one and is still staged."""
        staged = self.versions
        for version in reversed(self.activated):
            if version != self.current and version in staged:
                return version
        return None

    def find(self, version: str) -> Release | None:
        return next((release for release in self.releases if release.version == version), None)

    def is_staged(self, version: str) -> bool:
        release = self.find(version)
        return release is not None and release.staged


@dataclasses.dataclass(frozen=True)
class Step:
    """One change, ready to be made or only reported."""

    kind: str
    version: str
    subject: str = ""

    def __str__(self) -> str:
        if self.kind == "link":
            return f"link {self.subject} of {self.version} to shared"
        if self.kind == "switch":
            return f"switch from {self.subject or 'nothing'} to {self.version}"
        return {"mark bad": f"mark {self.version} bad"}.get(self.kind, f"{self.kind} {self.version}")


def check_version(version: str) -> None:
    """InputError where *version* cannot be the name of a directory of its own."""
    if not VERSION.fullmatch(version) or version in RESERVED:
        raise InputError(
            f"version: '{version}' cannot name a release; use letters, digits and . _ + ~ -, starting with a letter, "
            f"digit or _, at most 128 of them, and none of {', '.join(RESERVED)}."
        )


def check_shared(paths: t.Sequence[str]) -> list[str]:
    """The shared paths in one spelling; InputError where one leaves the release or two overlap."""
    cleaned = [re.sub(r"/+", "/", path).strip("/") if not path.startswith("/") else path for path in paths]
    for path in cleaned:
        parts = path.split("/")
        if not path or path.startswith("/") or "." in parts or ".." in parts:
            raise InputError(f"shared: '{path}' is not a path inside the release; use a relative one such as var/log.")
    for path in cleaned:
        inside = [other for other in cleaned if other.startswith(f"{path}/")]
        if inside or cleaned.count(path) > 1:
            raise InputError(
                f"shared: '{path}' appears twice or contains {inside[0] if inside else 'itself'}; keep one."
            )
    return cleaned


def same_artifact(known: Artifact, given: Artifact) -> bool:
    """Whether the two unpack to the same files, as far as their records show."""
    if known.strip != given.strip:
        return False
    same_file = known.checksum is not None and known.checksum == given.checksum
    same_content = known.content is not None and known.content == given.content
    return same_file or same_content


def needs_staging(path: str, snapshot: Snapshot, version: str, artifact: Artifact) -> bool:
    """Whether the artifact has to be unpacked; RolloutError where other files are in service under its version."""
    release = snapshot.find(version)
    if release is None or not release.staged:
        return True
    if release.artifact is not None and same_artifact(release.artifact, artifact):
        return False
    if version != snapshot.current:
        return True
    if release.artifact is None:
        return False  # put there by other means: its source is not known, and it is in use
    raise RolloutError(
        f"{path}: {version} is the current release and the artifact is another one (staged from "
        f"{release.artifact.checksum}, strip {release.artifact.strip}; given {artifact.checksum}, strip {artifact.strip}). "
        "Give the new artifact a version of its own."
    )


def refuse_bad(path: str, snapshot: Snapshot, version: str, allow_bad: bool) -> None:
    """RolloutError where a version marked bad would be activated."""
    release = snapshot.find(version)
    if release is not None and release.bad and not allow_bad:
        raise RolloutError(
            f"{path}: {version} is marked bad and is not activated. Deploy another version, or set allow_bad to activate "
            "it anyway."
        )


def refuse_missing(path: str, snapshot: Snapshot, version: str) -> None:
    """RolloutError where there is neither a staged release nor a source to stage it from."""
    if not snapshot.is_staged(version):
        raise RolloutError(
            f"{path}: {version} is not staged and no source is given. "
            f"Give a source, or one of the staged versions: {', '.join(snapshot.versions) or 'there are none'}."
        )


def plan(
    state: str, version: str, snapshot: Snapshot, stage: bool, unlinked: t.Sequence[str], keep: int, now: float
) -> list[Step]:
    """The steps to *state*, in their order; empty where it is reached already.

    *stage* says whether files have to be unpacked, *unlinked* which shared paths an already staged release lacks.
    """
    if state == "bad":
        release = snapshot.find(version)
        return [] if release is not None and release.bad else [Step("mark bad", version)]
    steps = [Step("stage", version)] if stage else [Step("link", version, path) for path in unlinked]
    if state == "staged":
        return steps
    if snapshot.current != version:
        steps.append(Step("switch", version, snapshot.current or ""))
    return steps + to_prune(after(snapshot, steps, now), keep)


def to_prune(snapshot: Snapshot, keep: int) -> list[Step]:
    """What to remove so that *keep* releases are left: bad ones first, then the oldest.

    The current and the previous release always stay. 0 keeps all.
    """
    versions = snapshot.versions
    surplus = len(versions) - keep if keep else 0
    dispensable = [version for version in versions if version not in (snapshot.current, snapshot.previous)]
    bad = set(snapshot.bad)
    dispensable.sort(key=lambda version: version not in bad)
    return [Step("prune", version) for version in dispensable[: max(0, surplus)]]


def after(snapshot: Snapshot, steps: t.Sequence[Step], now: float) -> Snapshot:
    """The snapshot as the steps leave it behind."""
    for step in steps:
        snapshot = _after_one(snapshot, step, now)
    return snapshot


def _after_one(snapshot: Snapshot, step: Step, now: float) -> Snapshot:
    release = snapshot.find(step.version) or Release(step.version, staged=False)
    others = tuple(other for other in snapshot.releases if other.version != step.version)
    if step.kind == "stage":
        changed = dataclasses.replace(release, staged=True, staged_at=now)
    elif step.kind == "mark bad":
        changed = dataclasses.replace(release, bad=True)
    elif step.kind == "prune":
        changed = dataclasses.replace(release, staged=False)
    elif step.kind == "switch":
        activated = activations(snapshot.activated, snapshot.current, step.version)
        return dataclasses.replace(snapshot, current=step.version, activated=activated)
    else:
        return snapshot
    return dataclasses.replace(snapshot, releases=(*others, changed))


def activations(before: t.Sequence[str], current: str | None, version: str, limit: int = 50) -> tuple[str, ...]:
    """The activations with one more. A current release that is missing from them was switched to by other means."""
    known = list(before)
    if current is not None and (not known or known[-1] != current):
        known.append(current)
    return tuple([*known, version][-limit:])
