# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runner as it is sent to hosts: the sources that cores need, in one compressed piece named by its hash."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import pathlib
import zlib

PACKAGE = "ansible_collections.steady.rollout.plugins"
SERVE = f"{PACKAGE}.plugin_utils.sessions.remote.serve"
PLUGINS = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = ("module_utils", "plugin_utils/sessions/remote")
COMPRESSION = 3
"""Each run compresses it, and each host receives it once: 6 takes 35 ms more for a seventh less."""


@dataclasses.dataclass(frozen=True)
class Payload:
    content: bytes
    """zlib of JSON: {module: [is a package, source]}"""
    digest: str
    bootstrap: str
    """The text that asks for the content where it is missing, and starts it."""


@functools.lru_cache(maxsize=None)
def payload() -> Payload:
    """Made once a process; see executors.prepare."""
    sources = {name: [True, ""] for name in _packages(PACKAGE)}
    for folder in FOLDERS:
        for path in sorted((PLUGINS / folder).rglob("*.py")):
            parts = path.relative_to(PLUGINS).with_suffix("").parts
            is_package = parts[-1] == "__init__"
            module = ".".join([PACKAGE, *(parts[:-1] if is_package else parts)])
            sources.update((name, [True, ""]) for name in _packages(module)[:-1] if name not in sources)
            sources[module] = [is_package, path.read_text(encoding="utf-8")]
    content = zlib.compress(json.dumps(sources, sort_keys=True).encode(), COMPRESSION)
    bootstrap = (PLUGINS / "plugin_utils/sessions/remote/bootstrap.py").read_text(encoding="utf-8")
    return Payload(content, hashlib.sha256(content).hexdigest(), bootstrap)


def _packages(module: str) -> list[str]:
    """*module* and what it lies in, from the top."""
    parts = module.split(".")
    return [".".join(parts[:length]) for length in range(1, len(parts) + 1)]
