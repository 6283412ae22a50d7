# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines and greetings of a session, as pure functions."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError

LONGEST = 64 * 1024 * 1024
"""Bytes of one answer."""
KINDS = ("result", "error", "crash", "pong", "ended")


class BadAnswer(RolloutError):
    """The other end of a session said what no runner of ours would say."""


def request(core: str, params: t.Any, paths: t.Any, check_mode: bool, diff: bool) -> dict[str, t.Any]:
    """What is asked of the other end; the session gives it a number."""
    return {"core": core, "params": params, "paths": paths, "check_mode": check_mode, "diff": diff}


def request_line(number: int, request: t.Mapping[str, t.Any]) -> bytes:
    return line({"id": number, **request})


def ping_line(number: int) -> bytes:
    return line({"ping": number})


def cut_line(number: int) -> bytes:
    """Nobody waits for the answer to that request any more."""
    return line({"cut": number})


def line(message: t.Mapping[str, t.Any]) -> bytes:
    return json.dumps(message, default=str).encode() + b"\n"


def greeting(line: bytes, nonce: str) -> dict[str, t.Any] | None:
    """What the bootstrap says, or None for any other line: login shells may print what they like before it."""
    try:
        words = json.loads(line)
    except ValueError:
        return None
    return words if isinstance(words, dict) and words.get("steady") == nonce and "state" in words else None


def parsed(line: bytes) -> dict[str, t.Any]:
    """One answer; raises BadAnswer where it is none."""
    try:
        answer = json.loads(line)
    except ValueError:
        raise BadAnswer(f"the session answered {line[:80]!r}, which is not JSON") from None
    if not isinstance(answer, dict) or sum(kind in answer for kind in KINDS) != 1 or not _is_whole(answer):
        raise BadAnswer(f"the session answered {line[:80]!r}, which is not an answer")
    return answer


def _is_whole(answer: dict[str, t.Any]) -> bool:
    if "pong" in answer:
        return True
    if "ended" in answer:
        return isinstance(answer["ended"], str)
    if not isinstance(answer.get("id"), int) or not isinstance(answer.get("warnings", []), list):
        return False
    if "result" in answer:
        return isinstance(answer["result"], dict)
    if "error" in answer:
        error = answer["error"]
        return (
            isinstance(error, dict) and isinstance(error.get("message"), str) and isinstance(error.get("result"), dict)
        )
    return isinstance(answer["crash"], dict) and isinstance(answer["crash"].get("what"), str)


def split_lines(buffer: bytes) -> tuple[list[bytes], bytes]:
    """Whole lines, and what has come of the next one."""
    if len(buffer) > LONGEST and b"\n" not in buffer:
        raise BadAnswer(f"the session answered more than {LONGEST >> 20} MB in one line")
    *lines, rest = buffer.split(b"\n")
    return lines, rest
