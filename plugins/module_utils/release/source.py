# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Where an artifact comes from: a path or a URL, as it is written."""

from __future__ import annotations

import dataclasses
import re
import typing as t
from urllib.parse import SplitResult, unquote, urlsplit

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.http.targets import shown_url, split_url
from ansible_collections.steady.rollout.plugins.module_utils.release.archive import LARGEST

SCHEMES = ("http", "https", "file")


@dataclasses.dataclass(frozen=True)
class Source:
    """Where an artifact comes from: a local path or a URL."""

    location: str
    checksum: str | None = None
    headers: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    timeout: float = 60.0
    """Seconds that a server may be silent."""
    deadline: float = 1800.0
    """Seconds for all of a download."""
    largest: int = LARGEST
    validate_certs: bool = True

    @property
    def scheme(self) -> str:
        """http, https, file or, for a plain path, nothing."""
        return scheme_of(self.location)

    @property
    def is_remote(self) -> bool:
        return self.scheme in ("http", "https")

    @property
    def path(self) -> str:
        """The local path of a source that is one."""
        return unquote(urlsplit(self.location).path) if self.scheme == "file" else self.location

    @property
    def name(self) -> str:
        """The source as it may be shown."""
        return shown_url(self.location) if self.is_remote else self.path


def scheme_of(location: str) -> str:
    return location.partition("://")[0].lower() if "://" in location else ""


def check_source(source: Source) -> None:
    """InputError where the source cannot be right as written."""
    if source.scheme and source.scheme not in SCHEMES:
        raise InputError(f"source: '{source.scheme}://' is not known; use a path or an http, https or file URL.")
    if source.is_remote and not (split_url(source.location) or SplitResult("", "", "", "", "")).hostname:
        raise InputError("source: the URL has no host or is not well formed.")
    if source.is_remote and not source.checksum:
        raise InputError(f"checksum is needed for {source.name}: sha256: and 64 hexadecimal digits.")
    if source.checksum and not re.fullmatch(r"sha256:[0-9a-f]{64}", source.checksum):
        raise InputError(f"checksum: '{source.checksum}' is not sha256: and 64 hexadecimal digits.")
