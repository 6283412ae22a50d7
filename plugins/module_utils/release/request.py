# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What the options of release ask for, checked before anything is touched."""

from __future__ import annotations

import dataclasses
import grp
import os
import pwd
import re
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import durations
from ansible_collections.steady.rollout.plugins.module_utils.call import Call
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.http.targets import basic_authorization
from ansible_collections.steady.rollout.plugins.module_utils.release import plan as release_plan
from ansible_collections.steady.rollout.plugins.module_utils.release.layout import Layout
from ansible_collections.steady.rollout.plugins.module_utils.release.source import Source, check_source


@dataclasses.dataclass(frozen=True)
class Request:
    """What the options ask for, checked."""

    state: str
    version: str
    source: Source | None
    strip: int
    shared: list[str]
    keep: int
    allow_bad: bool
    announced: bool
    """In check mode: the source is on the controller and is not brought here; only its checksum is known."""


def request_from(call: Call) -> Request:
    """The request in the options; InputError where they cannot be right."""
    params = call.params
    if params["version"] is not None:
        release_plan.check_version(params["version"])
    if params["keep"] < 0 or params["strip"] < 0:
        raise InputError(f"keep is {params['keep']} and strip is {params['strip']}; neither can be negative.")
    source = source_from(params)
    return Request(
        state=params["state"],
        version=params["version"] or "",
        source=source if params["state"] in ("staged", "active") else None,
        strip=params["strip"],
        shared=release_plan.check_shared(params["shared"] or []),
        keep=params["keep"],
        allow_bad=params["allow_bad"],
        announced=bool(call.check_mode and source and not source.scheme and not params["remote_source"]),
    )


def source_from(params: dict[str, t.Any]) -> Source | None:
    """The source in the options, None where there is none."""
    if not params["source"]:
        return None
    headers = {name: str(value) for name, value in (params["headers"] or {}).items()}
    credentials = basic_authorization(params["source"])
    if credentials:
        headers.setdefault("Authorization", credentials)
    checksum = params["checksum"].lower() if params["checksum"] else None
    if params["max_size"] < 1:
        raise InputError(f"max_size is {params['max_size']}; expected a number of bytes from 1 on.")
    source = Source(
        location=params["source"],
        checksum=checksum,
        headers=headers,
        timeout=durations.positive("timeout", params["timeout"]),
        deadline=durations.positive("download_timeout", params["download_timeout"]),
        largest=params["max_size"],
        validate_certs=params["validate_certs"],
    )
    check_source(source)
    return source


def layout_from(params: dict[str, t.Any]) -> Layout:
    """The layout of the path in the options; InputError where path, mode, owner or group cannot be right."""
    path = params["path"]
    if not os.path.isabs(path) or os.path.normpath(path) == "/":
        raise InputError(f"path: '{path}' is not an absolute path below /; expected one such as /opt/shop.")
    mode = str(params["mode"] or "0755")
    if not re.fullmatch(r"0?o?[0-7]{3}", mode):
        raise InputError(f"mode: '{mode}' is not three octal digits, such as '0755'.")
    return Layout(
        os.path.normpath(path),
        int(mode.lstrip("0o") or "0", 8) | 0o700,
        _number(params["owner"], "owner", lambda name: pwd.getpwnam(name).pw_uid),
        _number(params["group"], "group", lambda name: grp.getgrnam(name).gr_gid),
    )


def _number(name: str | None, option: str, look_up: t.Callable[[str], int]) -> int:
    if not name:
        return -1
    if name.isdigit():
        return int(name)
    try:
        return look_up(name)
    except KeyError:
        raise InputError(f"{option}: there is no {name} on this host; create it first.") from None
