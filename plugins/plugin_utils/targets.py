# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Turns the user's rollout_health into targets of health_wait."""

from __future__ import annotations

import typing as t
from urllib.parse import urlsplit

Target = t.Dict[str, t.Any]
ANY_VERSION = "@any@"
"""What rollout_target.version is while a host is looked at whose version is not known."""
ANY_REVISION = "@any revision@"
ANY = {"version": ANY_VERSION, "revision": ANY_REVISION}
"""Whatever runs, as rollout_target."""


def health_target(health: t.Mapping[str, t.Any], name: str) -> Target:
    return {**health, "name": name}


def any_version_target(health: t.Mapping[str, t.Any], name: str) -> Target:
    """The same target, judged as of whatever version it answers to be, and however slow it is."""
    unjudged = ("version", "revision", "latency")
    target = {key: value for key, value in health_target(health, name).items() if key not in unjudged}
    path = {"revision_path": health.get("revision_path") or "revision"} if health.get("revision") else {}
    return {**target, **path, "version_placeholder": ANY_VERSION, "revision_placeholder": ANY_REVISION}


def smoke_targets(health: t.Mapping[str, t.Any], url: str, name: str) -> list[Target]:
    """Where smoke tests go: the given base URL, else where health is looked at; empty where that has no URL."""
    if not url:
        parts = urlsplit(str(health.get("url") or ""))
        url = f"{parts.scheme}://{parts.netloc}" if parts.scheme and parts.netloc else ""
    return [{"name": name, "url": url}] if url else []


def found(looked: t.Mapping[str, t.Any], what: str) -> str | None:
    """The version, or the revision, that a look found in the answer."""
    targets = (looked.get("targets") or {}).values()
    return next((str(seen[what]) for seen in targets if seen.get(what) is not None), None)
