# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The core of release: puts a version's files on a host and switches to them."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import claims, durable
from ansible_collections.steady.rollout.plugins.module_utils.call import Call
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.release import plan as release_plan
from ansible_collections.steady.rollout.plugins.module_utils.release import restart as restarting
from ansible_collections.steady.rollout.plugins.module_utils.release import shared as release_shared
from ansible_collections.steady.rollout.plugins.module_utils.release.archive import inspect
from ansible_collections.steady.rollout.plugins.module_utils.release.fetch import fetch
from ansible_collections.steady.rollout.plugins.module_utils.release.layout import Layout
from ansible_collections.steady.rollout.plugins.module_utils.release.plan import Artifact, Snapshot, Step
from ansible_collections.steady.rollout.plugins.module_utils.release.request import (
    Request,
    layout_from,
    request_from,
)
from ansible_collections.steady.rollout.plugins.module_utils.release.restart import Restart
from ansible_collections.steady.rollout.plugins.module_utils.release.source import Source
from ansible_collections.steady.rollout.plugins.module_utils.release.stage import OUT_OF_SPACE, Delivery, staged_tree


def core(call: Call) -> dict[str, t.Any]:
    """Brings the releases of a path to the state asked for; RolloutError carries the same keys as the result."""
    restart = restarting.from_params(call.params)
    request = request_from(call)
    layout = layout_from(call.params)
    work = Work(call, request, layout, restart)
    try:
        return work.run()
    except OSError as error:
        raise RolloutError(_in_words(error, layout.path), **work.result()) from None
    except RolloutError as error:
        error.result = {**work.result(), **error.result}
        raise


class Work:
    """One call: what was there before, the steps planned and those made."""

    def __init__(
        self,
        call: Call,
        request: Request,
        layout: Layout,
        restart: Restart,
        clock: t.Callable[[], float] = time.time,
    ) -> None:
        self._call = call
        self._request = request
        self._layout = layout
        self._restart = restart
        self._restarted: list[str] = []
        self._claim = claims.Claim.from_params(call.params["claim"])
        self._now = clock()
        self._before = Snapshot()
        self._made: list[Step] = []

    def run(self) -> dict[str, t.Any]:
        if self._request.state == "query" or self._call.check_mode:
            self._before = self._layout.snapshot()
            if self._request.state != "query":
                self._rehearse()
            return self.result()
        with claims.held(self._claim):
            pass  # nothing is even fetched for a run that has lost its claim
        with self._layout.locked():
            self._before = self._layout.snapshot()
            self._perform()
        return self.result()

    def result(self) -> dict[str, t.Any]:
        """The module's result: what is there now or, in check mode, would be."""
        after = self._after()
        return {
            "changed": bool(self._made or self._restarted) or after != self._before,
            "path": self._layout.path,
            "version": self._request.version or None,
            "current": after.current,
            "previous": after.previous,
            "versions": after.versions,
            "bad": after.bad,
            "pruned": [step.version for step in self._made if step.kind == "prune"],
            "actions": [*(str(step) for step in self._made), *self._restarted],
            "diff": {"before": _shown(self._before), "after": _shown(after)},
        }

    def _after(self) -> Snapshot:
        if not self._call.check_mode:
            try:
                return self._layout.snapshot()
            except (OSError, RolloutError):
                pass  # reported already, or about to be
        return release_plan.after(self._before, self._made, self._now)

    def _rehearse(self) -> None:
        with self._delivery() as delivery:
            self._made = self._plan(delivery)
        self._restarted = self._restart.actions

    def _perform(self) -> None:
        removed: list[str] = []
        with self._delivery() as delivery:
            steps = self._plan(delivery)
            with staged_tree(self._layout, delivery, self._request.version) as tree, claims.held(self._claim):
                for step in steps:
                    self._make(step, delivery, tree, removed)
                self._restart_service()
        for path in removed:
            durable.remove(path)

    def _restart_service(self) -> None:
        """Also where nothing was switched: what runs may be another version than the one that is current already."""
        if self._restart.actions:
            restarting.perform(self._call, self._restart)
            self._restarted = self._restart.actions

    @contextlib.contextmanager
    def _delivery(self) -> t.Iterator[Delivery | None]:
        """The artifact where it has to be unpacked, None where the release is there already."""
        request, layout = self._request, self._layout
        if request.state == "active":
            release_plan.refuse_bad(layout.path, self._before, request.version, request.allow_bad)
        announced = Artifact(request.source.checksum if request.source else None, None, request.strip)
        if request.source is None:
            if request.state != "bad":
                release_plan.refuse_missing(layout.path, self._before, request.version)
            yield None
        elif self._is_staged_from(announced):
            yield None
        elif request.announced or (self._call.check_mode and request.source.is_remote):
            yield Delivery(request.source.name, "", announced, 0) if self._needs_staging(announced) else None
        else:
            with self._room() as place:
                delivery = self._read(request.source, place)
                yield delivery if self._needs_staging(delivery.artifact) else None

    def _is_staged_from(self, artifact: Artifact) -> bool:
        known = self._before.find(self._request.version)
        if known is None or not known.staged or known.artifact is None:
            return False
        return release_plan.same_artifact(known.artifact, artifact)

    def _needs_staging(self, artifact: Artifact) -> bool:
        return release_plan.needs_staging(self._layout.path, self._before, self._request.version, artifact)

    @contextlib.contextmanager
    def _room(self) -> t.Iterator[str]:
        """Where a download may be put; in check mode not below the path."""
        if self._call.check_mode:
            with tempfile.TemporaryDirectory() as directory:
                yield os.path.join(directory, "delivery")
            return
        place = self._layout.unfinished(self._request.version, "delivery")
        try:
            yield place
        finally:
            durable.remove(place)

    def _read(self, source: Source, place: str) -> Delivery:
        path, checksum = fetch(source, place)
        manifest = inspect(path, self._request.strip, source.name, source.largest)
        return Delivery(source.name, path, Artifact(checksum, manifest.content, self._request.strip), manifest.size)

    def _plan(self, delivery: Delivery | None) -> list[Step]:
        request = self._request
        tree = self._layout.release(request.version)
        unlinked = [] if delivery else release_shared.unlinked(self._layout, tree, request.shared)
        return release_plan.plan(
            request.state, request.version, self._before, delivery is not None, unlinked, request.keep, self._now
        )

    def _make(self, step: Step, delivery: Delivery | None, tree: str, removed: list[str]) -> None:
        """Makes one step; what is only left to be deleted goes into *removed*."""
        layout = self._layout
        if step.kind == "stage" and delivery:
            release_shared.link(layout, tree, self._request.shared)
            layout.publish(tree, step.version, delivery.artifact, self._now)
        elif step.kind == "link":
            release_shared.link(layout, layout.release(step.version), [step.subject])
        elif step.kind == "switch":
            layout.switch(step.version)
        elif step.kind == "mark bad":
            layout.mark_bad(step.version)
        elif step.kind == "prune" and not self._prune(step.version, removed):
            return
        self._made.append(step)

    def _prune(self, version: str, removed: list[str]) -> bool:
        """The version asked for serves by now, so an old one that stays is only worth a warning."""
        try:
            removed.append(self._layout.set_aside(version))
        except OSError as error:
            self._call.warn(f"{self._layout.release(version)} could not be removed: {_in_words(error, version)}")
            return False
        return True


def _shown(snapshot: Snapshot) -> dict[str, t.Any]:
    return {"current": snapshot.current, "versions": snapshot.versions, "bad": snapshot.bad}


def _in_words(error: OSError, path: str) -> str:
    if error.errno in OUT_OF_SPACE:
        return f"{path}: no space left on its file system. Free some, for example with a smaller keep, and run again."
    if isinstance(error, PermissionError):
        return f"{error.filename or path}: permission denied. Run the task as a user who may write there (become)."
    return f"{error.filename or path}: {error.strerror or error}."
