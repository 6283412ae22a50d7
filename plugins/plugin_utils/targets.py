# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Turns the user's rollout_health into targets of health_wait."""

from __future__ import annotations

import typing as t

Target = t.Dict[str, t.Any]
EXPECTATIONS = ("expect", "version", "latency")


def health_target(health: t.Mapping[str, t.Any], name: str) -> Target:
    return {**health, "name": name}


def bare_target(health: t.Mapping[str, t.Any], name: str) -> Target:
    """The same target without anything that depends on the version: does it answer, and as what?"""
    return {key: value for key, value in health_target(health, name).items() if key not in EXPECTATIONS}


def version_seen(looked: t.Mapping[str, t.Any]) -> str:
    """The version that a look found in the answer, or an empty text."""
    return next((str(seen["version"]) for seen in _targets(looked) if seen.get("version") is not None), "")


def healthy_seen(answer: t.Mapping[str, t.Any], look: t.Mapping[str, t.Any]) -> bool:
    """Healthy as of the version that runs; where the answer names no version, whether it answered well."""
    return bool((look if version_seen(answer) else answer).get("healthy", False))


def _targets(looked: t.Mapping[str, t.Any]) -> t.Iterable[t.Mapping[str, t.Any]]:
    return (looked.get("targets") or {}).values()
