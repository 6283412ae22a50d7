"""Addresses, batches, framing, and what a socket can do wrong."""

from __future__ import annotations

import contextlib
import pathlib
import socket
import threading
import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import Unreachable
from ansible_collections.steady.rollout.plugins.module_utils.balancers.haproxy.protocol import (
    Address,
    SocketCli,
    batches,
    expect_silence,
    parse_address,
    split_replies,
)
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError


@pytest.mark.parametrize(
    ("text", "address", "shown"),
    [
        ("/run/haproxy/admin.sock", Address(path="/run/haproxy/admin.sock"), "/run/haproxy/admin.sock"),
        ("unix:/a.sock", Address(path="/a.sock"), "/a.sock"),
        ("unix@/a.sock", Address(path="/a.sock"), "/a.sock"),
        ("lb1:9999", Address(host="lb1", port=9999), "lb1:9999"),
        ("tcp://10.0.0.1:9999", Address(host="10.0.0.1", port=9999), "10.0.0.1:9999"),
        ("ipv4@10.0.0.1:9999", Address(host="10.0.0.1", port=9999), "10.0.0.1:9999"),
        ("[::1]:9999", Address(host="::1", port=9999), "::1:9999"),
    ],
)
def test_addresses(text: str, address: Address, shown: str) -> None:
    assert parse_address(text, "balancer.socket") == address
    assert str(address) == shown


@pytest.mark.parametrize(
    "text", ["", "admin.sock", "lb1", "lb1:", "lb1:0", "lb1:65536", "lb1:http", "::1:9999", "a b:1"]
)
def test_no_addresses(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_address(text, "balancer.socket")
    assert caught.value.message == (
        f"balancer.socket: '{text}' is neither the absolute path of a unix socket nor 'host:port'; "
        "for example /run/haproxy/admin.sock or tcp://10.0.0.1:9999."
    )


def test_a_line_stays_below_the_buffer_of_haproxy() -> None:
    commands = [f"set server shop/{'x' * 60}{number} state drain" for number in range(1000)]
    cut = list(batches(commands))
    assert [command for batch in cut for command in batch] == commands
    assert all(len(";".join(batch)) < 8192 for batch in cut)
    assert list(batches([])) == []
    assert list(batches(["x" * 20000, "y"])) == [["x" * 20000], ["y"]]


@pytest.mark.parametrize(
    ("text", "replies"),
    [
        ("", []),
        ("\n", [""]),
        ("\n\n", ["", ""]),
        ("\nNo such server.\n\n\n", ["", "No such server.", ""]),
        ("1\n# head\nrow\n\nadmin\n\n", ["1\n# head\nrow", "admin"]),
        ("1\n# head\nrow\n", []),  # cut off before its empty line
        ("admin\n\n1\n# he", ["admin"]),
    ],
)
def test_every_reply_ends_with_an_empty_line(text: str, replies: list[str]) -> None:
    assert split_replies(text) == replies


def test_silence_is_success() -> None:
    expect_silence("lb1", "set server shop/a state drain", "")


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        ("No such server.", "lb1: HAProxy answered 'No such server' to 'set server shop/a state drain'."),
        (
            "Permission denied\n",
            "lb1: HAProxy answered 'Permission denied' to 'set server shop/a state drain': the socket's level is operator "
            "or user; add 'level admin' to its 'stats socket' line.",
        ),
        (
            "Unknown command: 'set', but maybe:\n  help",
            "lb1: HAProxy answered 'Unknown command: 'set', but maybe:' to 'set server shop/a state drain'.",
        ),
    ],
)
def test_text_is_an_error(reply: str, message: str) -> None:
    with pytest.raises(RolloutError) as caught:
        expect_silence("lb1", "set server shop/a state drain", reply)
    assert caught.value.message == message


class Server:
    """Answers each connection with the next of *answers*; None answers nothing and keeps the connection open."""

    def __init__(self, path: pathlib.Path, answers: t.Sequence[bytes | None]) -> None:
        self.lines: list[bytes] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve, args=(answers,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join(5)
        self._listener.close()

    def _serve(self, answers: t.Sequence[bytes | None]) -> None:
        for answer in answers:
            stream, dummy = self._listener.accept()
            with stream:
                self.lines.append(stream.recv(65536))
                if answer is None:
                    self._over.wait(10)
                else:
                    stream.sendall(answer)


@contextlib.contextmanager
def server(path: pathlib.Path, *answers: bytes | None) -> t.Iterator[Server]:
    running = Server(path, answers)
    try:
        yield running
    finally:
        running.stop()


def cli(path: pathlib.Path, timeout: float = 5.0) -> SocketCli:
    return SocketCli(Address(path=str(path)), "lb1 a.sock", timeout)


def test_one_connection_for_several_commands(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.sock"
    with server(path, b"admin\n\n\n") as running:
        assert cli(path).ask(["show cli level", "set server a/b state drain"]) == ["admin", ""]
    assert running.lines == [b"show cli level;set server a/b state drain\n"]


def test_severities_are_not_part_of_an_answer(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.sock"
    with server(path, b"[6]:admin\n\n[err]:No such server.\n\n1\n# head\n[3]:row\n\n"):
        replies = cli(path).ask(["show cli level", "set server a/b state drain", "show servers state"])
    assert replies == ["admin", "No such server.", "1\n# head\n[3]:row"]


def test_long_batches_take_several_connections(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.sock"
    commands = ["x" * 5000, "y" * 5000]
    with server(path, b"1\n\n", b"2\n\n") as running:
        assert cli(path).ask(commands) == ["1", "2"]
    assert running.lines == [commands[0].encode() + b"\n", commands[1].encode() + b"\n"]


def test_an_answer_that_was_cut_off(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.sock"
    with server(path, b"admin\n\n1\n# be_id"), pytest.raises(Unreachable) as caught:
        cli(path).ask(["show cli level", "show servers state shop"])
    assert caught.value.message == (
        "lb1 a.sock: HAProxy closed the connection after 1 of 2 answers to 'show cli level'. If it was being "
        "reloaded, run again."
    )


def test_no_answer_in_time(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.sock"
    with server(path, None), pytest.raises(Unreachable) as caught:
        cli(path, timeout=0.05).ask(["show info"])
    assert caught.value.message == (
        "lb1 a.sock: HAProxy did not answer within 0.05 s. Is the process alive and the host reachable?"
    )


def test_permission_to_open(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: SocketCli, deadline: float) -> t.Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(SocketCli, "_connect", refuse)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(Unreachable) as caught:
        cli(tmp_path / "a.sock").ask(["show info"])
    assert caught.value.message == (
        "lb1 a.sock: uid 1000 may not open the socket. Use become, or the 'user' and 'mode' of its line."
    )


def test_other_faults_say_what_the_system_says(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: SocketCli, deadline: float) -> t.Any:
        raise OSError(113, "No route to host")

    monkeypatch.setattr(SocketCli, "_connect", fail)
    with pytest.raises(Unreachable) as caught:
        cli(tmp_path / "a.sock").ask(["show info"])
    assert caught.value.message == "lb1 a.sock: cannot talk to HAProxy: No route to host."
