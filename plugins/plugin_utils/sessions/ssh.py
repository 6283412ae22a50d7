# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ssh connections that sessions share: never too many sessions over one, never too many being opened at once.

sshd allows 10 sessions a connection (MaxSessions) and begins to drop connections when 10 are not authenticated
yet (MaxStartups). Where one connection is full another is opened, and few are opened at the same time.
"""

from __future__ import annotations

import hashlib
import os
import random
import re
import shlex
import socket
import subprocess
import time
import typing as t

from ansible.errors import AnsibleError
from ansible.plugins.connection import ConnectionBase
from ansible.utils.path import unfrackpath

from ansible_collections.steady.rollout.plugins.plugin_utils import controller
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions import slots

SESSIONS_EACH = 8
"""Of the 10 that sshd allows; the others are for Ansible's own tasks."""
CONNECTIONS = 32
OPENING = 3
"""Connections to one host, or through one jump host, that are opened at the same time."""
ATTEMPTS = 6
"""Of opening a connection that the server ends before it is authenticated."""
FIRST_PAUSE = 0.2
PERSIST = "60s"
OVERLOADED = re.compile(
    r"kex_exchange_identification|ssh_exchange_identification|banner exchange|Connection (closed|reset) by", re.I
)
JUMP = re.compile(rb"(?i)(?:proxyjump|proxycommand)[= ]|\A-J")


class CannotOpen(Exception):
    """No connection to the host can be had; says why."""


class Link:
    """The way to one host. Connection 0 is Ansible's own where it keeps one, the others are for sessions alone."""

    def __init__(self, connection: ConnectionBase) -> None:
        self._connection = connection
        connection.host = connection.get_option("host") or connection._play_context.remote_addr
        words = self._words()
        self._directory = unfrackpath(connection.get_option("control_path_dir"))
        self.identity = hashlib.sha256(b"\0".join([*words, str(connection.host).encode()])).hexdigest()
        self._own_first = self._plugins_path()
        self._gateway = hashlib.sha256(gateway(words) or str(connection.host).encode()).hexdigest()[:10]

    def start(self, command: str, skip: t.Collection[int] = ()) -> tuple[subprocess.Popen[bytes], int, int]:
        """Runs *command* there; returns the process, the held place's file and the number of the connection."""
        directory = slots.private_directory(os.path.join(slots.private_directory(self._directory), "slots"))
        while True:
            for number in range(CONNECTIONS):
                path = self._path(number)
                held = None if number in skip else slots.taken(directory, os.path.basename(path), SESSIONS_EACH)
                if held is None:
                    continue
                try:
                    self._ensure_open(path, directory)
                    return self._attached(path, command), held, number
                except BaseException:
                    os.close(held)
                    raise
            controller.leave_if_ended()
            time.sleep(slots.POLL_INTERVAL)

    def _path(self, number: int) -> str:
        if number == 0 and self._own_first:
            return self._own_first
        name = hashlib.sha256(f"{self.identity}-{number}".encode()).hexdigest()[:10]
        return os.path.join(self._directory, name)

    def _plugins_path(self) -> str | None:
        """The ControlPath that the plugin gives its connection; None where it keeps none, or one of the user's own."""
        template = self._connection.control_path
        path = template % {"directory": self._directory} if template else ""
        return path if path and "%" not in path else None

    def _words(self, *tail: str) -> list[bytes]:
        """The plugin's own command, without the program that would type a password: there is none to type."""
        executable = self._connection.get_option("ssh_executable")
        words: list[bytes] = self._connection._build_command(executable, "ssh", *tail)
        if getattr(self._connection, "sshpass_pipe", None):
            for handle in self._connection.sshpass_pipe:
                os.close(handle)
            self._connection.sshpass_pipe = None
        return words[words.index(os.fsencode(executable)) :]

    def _attached(self, path: str, command: str) -> subprocess.Popen[bytes]:
        """Through the open connection or not at all: ``false`` is what ssh would connect through otherwise."""
        program, *words = self._words("-T", self._connection.host, command)
        options = [f'ControlPath="{path}"', "ControlMaster=no", "ProxyCommand=false"]
        argv = [program, *(word for option in options for word in (b"-o", os.fsencode(option))), *words]
        return subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
        )

    def _ensure_open(self, path: str, directory: str) -> None:
        if is_open(path):
            return
        with slots.place(directory, f"{os.path.basename(path)}.open", 1):
            for attempt in range(ATTEMPTS):
                if is_open(path):
                    return
                if attempt:
                    time.sleep(FIRST_PAUSE * 2 ** (attempt - 1) * random.uniform(0.5, 1.5))
                with slots.place(directory, f"{self._gateway}.opening", OPENING):
                    trouble = self._open(path)
                if trouble and not OVERLOADED.search(trouble):
                    raise CannotOpen(trouble)
        if not is_open(path):
            raise CannotOpen(trouble or "ssh keeps no connection open (ControlPersist)")

    def _open(self, path: str) -> str:
        """Has the plugin open the connection, with whatever password it needs; returns what went wrong."""
        before = self._connection.get_option("ssh_args")
        if path != self._own_first:
            options = [f'ControlPath="{path}"', "ControlMaster=auto", f"ControlPersist={PERSIST}"]
            given = " ".join(f"-o {shlex.quote(option)}" for option in options)
            self._connection.set_option("ssh_args", f"{given} {before or ''}")
        try:
            self._connection.exec_command("exit 0", sudoable=False)
        except AnsibleError as error:
            return str(error)
        finally:
            self._connection.set_option("ssh_args", before)
        return ""


class LocalLink:
    """To another user of this machine."""

    identity = "local"

    def start(self, command: str, skip: t.Collection[int] = ()) -> tuple[subprocess.Popen[bytes], int, int]:
        pipe = subprocess.PIPE
        process = subprocess.Popen(
            ["/bin/sh", "-c", command], stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True
        )
        return process, os.open(os.devnull, os.O_RDONLY), 0


def gateway(words: t.Sequence[bytes]) -> bytes:
    """The words that name a jump host, which all connections through it have in common; empty without one."""
    found = [
        word + (words[number + 1] if word == b"-J" and number + 1 < len(words) else b"")
        for number, word in enumerate(words)
        if JUMP.search(word)
    ]
    return b"\0".join(found)


def is_open(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(path)
        except OSError:
            return False
    return True
