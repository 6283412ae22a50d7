# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Brings a release's artifact to the host as one local file, with its checksum."""

from __future__ import annotations

import os

from ansible_collections.steady.rollout.plugins.module_utils.checksums import checksum_of
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.release.archive import ArtifactError
from ansible_collections.steady.rollout.plugins.module_utils.release.pack import pack
from ansible_collections.steady.rollout.plugins.module_utils.release.source import Source


def fetch(source: Source, place: str) -> tuple[str, str]:
    """A local archive of the source and its checksum, checked where one is expected.

    Downloads to *place*, and packs a directory there; a local archive is used where it is.
    """
    if source.is_remote:
        # Late: HTTP and TLS are a third of what a session with a host has to import.
        from ansible_collections.steady.rollout.plugins.module_utils.release.download import download

        checksum = download(source, place)
        path = place
    elif os.path.isdir(source.path):
        if source.checksum:
            raise InputError(f"checksum: {source.path} is a directory, and a checksum is that of a file; leave it out.")
        pack(source.path, place)
        path, checksum = place, checksum_of(place)
    elif os.path.isfile(source.path):
        path, checksum = source.path, checksum_of(source.path)
    else:
        raise InputError(f"source: there is no file or directory {source.path} on this host.")
    refuse_other_checksum(source, checksum)
    return path, checksum


def refuse_other_checksum(source: Source, found: str) -> None:
    """ArtifactError where the file found is not the one meant."""
    if source.checksum and source.checksum != found:
        raise ArtifactError(
            f"{source.name} is not the expected file: expected checksum {source.checksum}, found {found}. "
            "Build or copy it again, or correct the checksum; nothing was changed."
        )
