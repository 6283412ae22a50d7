# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waits until hosts answer: wait_ready.py SECONDS ssh|http,NAME,ADDRESS,PORT ...; names who does not in time."""

from __future__ import annotations

import asyncio
import sys

LOOK_INTERVAL = 0.03


async def _answers(kind: str, address: str, port: int) -> bool:
    try:
        reader, writer = await asyncio.wait_for(asyncio.open_connection(address, port), 1.0)
        try:
            if kind == "http":
                writer.write(b"GET /health HTTP/1.0\r\n\r\n")
            said = await asyncio.wait_for(reader.readline(), 2.0)
        finally:
            writer.close()
    except (OSError, asyncio.TimeoutError):
        return False
    return said.startswith(b"SSH-") or b" 200 " in said


async def _wait(target: str) -> None:
    kind, _name, address, port = target.split(",")
    while not await _answers(kind, address, int(port)):
        await asyncio.sleep(LOOK_INTERVAL)


async def main(seconds: float, targets: list[str]) -> int:
    waits = {target: asyncio.ensure_future(_wait(target)) for target in targets}
    await asyncio.wait(waits.values(), timeout=seconds)
    late = [target for target, wait in waits.items() if not wait.done()]
    for target in late:
        waits[target].cancel()
        print(f"no answer after {seconds:g} s: {target}", file=sys.stderr)
    return 1 if late else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(float(sys.argv[1]), sys.argv[2:])))
