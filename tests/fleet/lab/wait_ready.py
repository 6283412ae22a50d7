# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waits until hosts answer; names who does not in time.

    wait_ready.py SECONDS ssh,NAME,ADDRESS,22 http,NAME,ADDRESS,8080 checks,NAME,ADDRESS,9999 ...

ssh: a greeting. http: 200 to GET /health. checks: HAProxy's command socket lists no server that fails its checks, but for those taken out.
"""

from __future__ import annotations

import asyncio
import sys

LOOK_INTERVAL = 0.03
RUNNING = "2"
TAKEN_BY_NOBODY = "0"
QUESTIONS = {"ssh": b"", "http": b"GET /health HTTP/1.0\r\n\r\n", "checks": b"show servers state\n"}


async def _ask(kind: str, address: str, port: int) -> str:
    reader, writer = await asyncio.open_connection(address, port)
    try:
        writer.write(QUESTIONS[kind])
        return (await (reader.readline() if kind == "ssh" else reader.read())).decode(errors="replace")
    finally:
        writer.close()


def _good(kind: str, said: str) -> bool:
    if kind == "ssh":
        return said.startswith("SSH-")
    if kind == "http":
        return " 200 " in said.partition("\r\n")[0]
    rows = [line.split() for line in said.splitlines()[2:] if line]
    return bool(rows) and all(row[5] == RUNNING or row[6] != TAKEN_BY_NOBODY for row in rows)


async def _wait(target: str) -> None:
    kind, _name, address, port = target.split(",")
    while True:
        try:
            if _good(kind, await asyncio.wait_for(_ask(kind, address, int(port)), 2.0)):
                return
        except (OSError, asyncio.TimeoutError):
            pass
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
