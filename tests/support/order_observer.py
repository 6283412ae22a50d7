# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at every instance of services that need each other, and writes down when one was newer than what it needs.

    order_observer.py --service web=http://10.77.1.5:8083,http://10.77.1.6:8083 --service api=http://... \
        --need web=api --json seen.json

Versions are compared as text, so each part of them has the same number of digits. It ends on SIGTERM, or with the process
that it is for. An instance that does not answer says nothing.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import os
import pathlib
import signal
import sys
import time
import typing as t
import urllib.request

LOOK_EVERY = 0.05
REPORT_EVERY = 0.5
ANSWERS_WITHIN = 1.0
KEPT = 20

Seen = t.Dict[str, t.List[str]]


def violations(seen: t.Mapping[str, t.Sequence[str]], needs: t.Iterable[tuple[str, str]]) -> list[str]:
    """*seen* has the versions that the instances of each service answered."""
    return [
        f"{service} {max(seen[service])} while {other} was on {min(seen[other])}"
        for service, other in needs
        if seen[service] and seen[other] and max(seen[service]) > min(seen[other])
    ]


class Observer:
    """Services in *order*: what needs others before what it needs, so that a change between two looks is none of order."""

    def __init__(self, services: t.Mapping[str, t.Sequence[str]], needs: t.Sequence[tuple[str, str]]) -> None:
        self._services, self._needs = services, needs
        self.looks = 0
        self.wrong: list[str] = []

    def look(self, pool: concurrent.futures.Executor) -> None:
        seen = {}
        for name, urls in self._services.items():
            answers = pool.map(version_of, urls)
            seen[name] = [version for version in answers if version]
        self.looks += 1
        self.wrong += violations(seen, self._needs)

    def report(self) -> dict[str, t.Any]:
        return {"looks": self.looks, "violations": len(self.wrong), "wrong": self.wrong[:KEPT]}


def version_of(url: str) -> str:
    try:
        with urllib.request.urlopen(f"{url}/stats", timeout=ANSWERS_WITHIN) as answer:
            return str(json.load(answer)["version"])
    except (OSError, ValueError, KeyError):
        return ""


def write(path: pathlib.Path, report: dict[str, t.Any]) -> None:
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(report), encoding="utf-8")
    draft.replace(path)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--service", action="append", required=True, help="NAME=URL,URL ...; what needs others first")
    parser.add_argument("--need", action="append", default=[], help="SERVICE=OTHER")
    parser.add_argument("--json", type=pathlib.Path, required=True)
    parser.add_argument("--for-process", type=int, default=0)
    arguments = parser.parse_args()
    services = {name: urls.split(",") for name, dummy, urls in (one.partition("=") for one in arguments.service)}
    needs = [(name, other) for name, dummy, other in (one.partition("=") for one in arguments.need)]
    over: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: over.append(number))
    observer, written_at = Observer(services, needs), 0.0
    with concurrent.futures.ThreadPoolExecutor(max(len(urls) for urls in services.values())) as pool:
        while not over and (not arguments.for_process or os.path.exists(f"/proc/{arguments.for_process}")):
            observer.look(pool)
            if time.monotonic() - written_at >= REPORT_EVERY:
                write(arguments.json, observer.report())
                written_at = time.monotonic()
            time.sleep(LOOK_EVERY)
    write(arguments.json, observer.report())
    return 0


if __name__ == "__main__":
    sys.exit(main())
