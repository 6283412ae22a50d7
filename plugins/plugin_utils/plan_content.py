# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an approval covers besides the plan: the artifact and the steps of the user's, by their content."""

from __future__ import annotations

import hashlib
import os
import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.steady.rollout.plugins.module_utils.checksums import checksum_of
from ansible_collections.steady.rollout.plugins.plugin_utils.preflight.files import located


def plan_content(settings: t.Mapping[str, t.Any], files: t.Sequence[str], search: t.Sequence[str]) -> dict[str, str]:
    """The settings as they are, and for each path that exists on the controller the digest of what is in it."""
    try:
        found = {name: _digest(located(str(value), search)) for name, value in settings.items()}
        found.update({str(path): _digest(located(str(path), search)) for path in files})
    except OSError as error:
        raise AnsibleFilterError(
            f"{error.filename} cannot be read ({error.strerror}), so the plan cannot be approved."
        ) from error
    return found


def _digest(value: str) -> str:
    if os.path.isdir(value):
        return _of_folder(value)
    return checksum_of(value) if os.path.isfile(value) else value


def _of_folder(folder: str) -> str:
    content = hashlib.sha256()
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(place, name)
            what = os.readlink(path) if os.path.islink(path) else checksum_of(path)
            content.update(f"{os.path.relpath(path, folder)}\0{what}\0".encode())
    return f"sha256:{content.hexdigest()}"
