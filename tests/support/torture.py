# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that do what no server should, and every client of the collection in a process of its own.

``python -m support.torture CLIENT ADDRESS DIRECTORY`` asks one and prints what came of it, with the seconds it took and
the megabytes that the process grew by.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import pathlib
import random
import resource
import socket
import sys
import threading
import time
import typing as t

TIMEOUT = 1.0
"""Seconds that each client is given."""
MODULES = "ansible_collections.steady.rollout.plugins.modules"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
Send = t.Callable[[bytes], None]


def slow(send: Send) -> None:
    for byte in HEAD + b"\r\n" + b'{"a": ' * 10_000:
        send(bytes([byte]))
        time.sleep(0.2)


def slow_body(send: Send) -> None:
    send(HEAD + b"\r\n")
    slow(send)


def silent(send: Send) -> None:
    time.sleep(60)


def half_head(send: Send) -> None:
    send(HEAD[:20])


def half_body(send: Send) -> None:
    send(HEAD + b'Content-Length: 1000\r\n\r\n{"status": ')


def half_and_silent(send: Send) -> None:
    half_body(send)
    time.sleep(60)


def endless_body(send: Send) -> None:
    send(HEAD + b"\r\n[")
    while True:
        send(b"1234567, " * 10_000)


def endless_line(send: Send) -> None:
    while True:
        send(b"x" * 100_000)


def endless_lines(send: Send) -> None:
    while True:
        send(b"# a: b,c,d\n" * 10_000)


def endless_heads(send: Send) -> None:
    send(HEAD)
    while True:
        send(b"X-A: " + b"y" * 1000 + b"\r\n")


def endless_continue(send: Send) -> None:
    while True:
        send(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)


def huge_chunk(send: Send) -> None:
    send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n7fffffffffffffff\r\n")
    while True:
        send(b"y" * 100_000)


def huge_length(send: Send) -> None:
    send(HEAD + b"Content-Length: 99999999999999999999\r\n\r\n")
    while True:
        send(b"z" * 100_000)


def deep(send: Send) -> None:
    send(HEAD + b"\r\n" + b"[" * 900_000)


def garbage(send: Send) -> None:
    send(random.Random("garbage").getrandbits(8 * 500_000).to_bytes(500_000, "big"))


def circle(send: Send) -> None:
    send(b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n")


BEHAVIOURS: dict[str, t.Callable[[Send], None]] = {
    one.__name__: one
    for one in (
        slow, slow_body, silent, half_head, half_body, half_and_silent, endless_body, endless_line, endless_lines,
        endless_heads, endless_continue, huge_chunk, huge_length, deep, garbage, circle,
    )
}  # fmt: skip


@contextlib.contextmanager
def serving(behaviour: str, unix: pathlib.Path | None = None) -> t.Iterator[str]:
    """A server on TCP, or on a unix socket; yields its address."""
    listening = socket.socket(socket.AF_UNIX if unix else socket.AF_INET, socket.SOCK_STREAM)
    with listening:
        listening.bind(str(unix) if unix else ("127.0.0.1", 0))
        listening.listen(64)
        threading.Thread(target=_accept, args=(listening, BEHAVIOURS[behaviour]), daemon=True).start()
        yield str(unix) if unix else f"127.0.0.1:{listening.getsockname()[1]}"
        with contextlib.suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)


def _accept(listening: socket.socket, behave: t.Callable[[Send], None]) -> None:
    with contextlib.suppress(OSError):
        while True:
            connection, dummy = listening.accept()
            threading.Thread(target=_behave, args=(connection, behave), daemon=True).start()


def _behave(connection: socket.socket, behave: t.Callable[[Send], None]) -> None:
    with connection, contextlib.suppress(OSError):
        connection.settimeout(30)
        connection.recv(65536)
        behave(connection.sendall)


def clients(address: str, directory: str) -> dict[str, tuple[str, dict[str, t.Any]]]:
    """The module and the options of each client; those with a path as address speak to a unix socket."""
    url = f"http://{address}"
    source = {"url": url, "timeout": TIMEOUT}
    metric = {
        "metrics": [{"name": "a", "source": "s", "query": "up", "limit": "< 5"}],
        "window": 0.01,
        "interval": 0.01,
    }
    checksum = "sha256:" + "0" * 64
    pool = {"pool": "shop", "timeout": TIMEOUT}
    envoy = {"type": "envoy", "eds_file": f"{directory}/eds.json", "admin": address, **pool}
    info = {"members": [], "counters": True}
    return {
        "haproxy": ("lb_member_info", {"balancer": {"type": "haproxy", "socket": address, **pool}, **info}),
        "haproxy socket": ("lb_member_info", {"balancer": {"type": "haproxy", "socket": address, **pool}, **info}),
        "apache": ("lb_member_info", {"balancer": {"type": "apache", "manager_url": f"{url}/m", **pool}, **info}),
        "envoy": ("lb_member_info", {"balancer": envoy, **info}),
        "envoy socket": ("lb_member_info", {"balancer": envoy, **info}),
        "health": (
            "health_wait",
            {"targets": [{"name": "a", "url": url, "timeout": TIMEOUT, "follow_redirects": True}], "timeout": 0},
        ),
        "smoke": ("smoke_test", {"requests": [{"url": url, "timeout": TIMEOUT, "follow_redirects": True}]}),
        "compare": (
            "http_compare",
            {"candidate": {"urls": [url]}, "rate": 20, "seconds": 1, "max_seconds": 1, "warm_up": 0, "timeout": 0.5,
             "min_samples": 10, "percentile": 50},
        ),
        "json": ("metric_gate", {"sources": {"s": {"type": "json", **source}}, **metric}),
        "prometheus": ("metric_gate", {"sources": {"s": {"type": "prometheus", **source}}, **metric}),
        "alertmanager": ("metric_gate", {"sources": {"s": {"type": "alertmanager", **source}}, **metric, "metrics": [
            {"name": "a", "source": "s"}]}),
        "download": (
            "release",
            {"path": f"{directory}/shop", "version": "1.0", "source": url, "remote_source": True, "checksum": checksum,
             "download_timeout": TIMEOUT, "max_size": 2**40},
        ),
    }  # fmt: skip


def ask(client: str, address: str, directory: str) -> dict[str, t.Any]:
    from support.cores import params_of

    from ansible_collections.steady.rollout.plugins.module_utils.call import Call, perform
    from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError

    name, options = clients(address, directory)[client]
    module = importlib.import_module(f"{MODULES}.{name}")
    call = Call(params_of(module, options), False, False, lambda text: None, lambda *words, **more: (1, "", ""))
    pathlib.Path(directory, "eds.json").write_text('{"resources": []}')
    before, began = _megabytes(), time.monotonic()
    try:
        perform(module.core, call)
        outcome = "answered"
    except RolloutError as error:
        outcome = error.message
    return {"outcome": outcome, "seconds": time.monotonic() - began, "megabytes": _megabytes() - before}


def _megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    os.environ["no_proxy"] = "*"
    print(json.dumps(ask(*sys.argv[1:])))
    sys.stdout.flush()
    os._exit(0)
