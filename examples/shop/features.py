# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shop's feature flag: read every so often from where the operators keep it, as the clients of flag systems do.

A system that cannot be read changes nothing: the last known value stays, and at the start the feature is off. Of a
percentage only 100 counts, because the shop has no users of whom some could be in.
"""

from __future__ import annotations

import asyncio
import json
import pathlib
import socket
import typing as t
import urllib.request

ANSWERS_WITHIN = 5.0


class Feature:
    """One flag. *system* has the type and the address as rollout_flags does, and *refresh* are seconds."""

    def __init__(self, name: str, system: dict[str, t.Any], refresh: float = 1.0, served: bool = True) -> None:
        self.name = name
        self.served = served
        """Whether this release has the feature at all."""
        self.is_on = False
        self._system = system
        self._refresh = refresh
        self._reads = {"unleash": _unleash, "redis": _redis, "flagd": _flagd, "file": _file}[system["type"]]

    async def follow(self) -> None:
        """Never ends."""
        while True:
            await self.look()
            await asyncio.sleep(self._refresh)

    async def look(self) -> None:
        try:
            self.is_on = await asyncio.get_running_loop().run_in_executor(None, self._reads, self.name, self._system)
        except (OSError, ValueError, LookupError, TypeError) as error:
            print(f"{self.name} stays {'on' if self.is_on else 'off'}: {error!r}", flush=True)


def _unleash(name: str, system: dict[str, t.Any]) -> bool:
    """By Unleash's client API; without any strategy an environment that is on is on for everybody."""
    request = urllib.request.Request(
        f"{system['url']}/api/client/features?namePrefix={name}", headers={"Authorization": system["token"]}
    )
    with urllib.request.urlopen(request, timeout=ANSWERS_WITHIN) as answer:
        listed = json.load(answer)["features"]
    flag = next((one for one in listed if one["name"] == name), {"enabled": False})
    strategies = flag.get("strategies") or []
    return bool(flag["enabled"]) and (not strategies or any(map(_is_for_all, strategies)))


def _is_for_all(strategy: dict[str, t.Any]) -> bool:
    if strategy.get("constraints") or strategy.get("segments"):
        return False
    return strategy["name"] == "default" or strategy.get("parameters", {}).get("rollout") == "100"


def _redis(name: str, system: dict[str, t.Any]) -> bool:
    host, _colon, port = system["address"].rpartition(":")
    keys = (f"feature:{name}", f"kill_switch:{name}")
    words = [("AUTH", system["password"]), *(("GET", key) for key in keys)]
    with socket.create_connection((host, int(port)), ANSWERS_WITHIN) as connection:
        connection.sendall(b"".join(map(_command, words)))
        with connection.makefile("rb") as answers:
            _welcome, state, kill = [_reply(answers) for _word in words]
    return state == b"on" and not kill


def _command(words: t.Sequence[str]) -> bytes:
    parts = [word.encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)


def _reply(answers: t.BinaryIO) -> bytes:
    line = answers.readline().rstrip(b"\r\n")
    if not line or line.startswith(b"-"):
        raise OSError(line.decode(errors="replace") or "the connection was closed")
    if not line.startswith(b"$"):
        return line
    length = int(line[1:])
    return answers.read(length + 2)[:length] if length >= 0 else b""


def _flagd(name: str, system: dict[str, t.Any]) -> bool:
    """By a definition file without targeting rules."""
    flags = json.loads(pathlib.Path(system["path"]).read_text(encoding="utf-8"))["flags"]
    flag = flags.get(name, {"state": "DISABLED"})
    return flag["state"] == "ENABLED" and flag["variants"][flag["defaultVariant"]] is True


def _file(name: str, system: dict[str, t.Any]) -> bool:
    """By a line of an environment file."""
    lines = pathlib.Path(system["path"]).read_text(encoding="utf-8").splitlines()
    return f"{name.upper()}=true" in lines
