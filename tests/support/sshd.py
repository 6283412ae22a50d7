# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real sshd on loopback in a mount namespace of its own: its users, sudoers and home directories are nobody else's.

Needs root. All that is mounted goes with the sshd.
"""

from __future__ import annotations

import os
import pathlib
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import typing as t

USER, UID = "ops", 47110
PASSWORD = "open-sesame"
HASH = "$6$steadysalt$hQ30fagdg6xbEKVC.1bI8CEruEjHHn45RQTbj5BHVUu9Vf2ewZfWg4ll6yoVyKBzThmB/B4bKbhdLyqqI9dXR1"
STATE = pathlib.Path("/var/lib/steady-rollout")
MISSING = [
    name
    for name in ("sshd", "ssh", "sudo", "unshare")
    if shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin") is None
]
CONFIG = """
Port {port}
ListenAddress 127.0.0.1
HostKey {directory}/host
AuthorizedKeysFile {directory}/authorized
PidFile none
PermitRootLogin yes
PasswordAuthentication yes
KbdInteractiveAuthentication no
StrictModes no
UsePAM no
"""


class Sshd:
    """*home* is where the user's home directory is mounted: options of a tmpfs, or empty for a plain directory.

    *sudoers* are further lines; MaxSessions and MaxStartups are sshd's own.
    """

    def __init__(self, home: str = "", sudoers: str = "", config: str = "") -> None:
        # Not below pytest's directory: other users may not pass through it.
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="sshd-", dir="/tmp"))
        self.directory.chmod(0o755)
        self.port = _free_port()
        self.key = self.directory / "key"
        self.home = self.directory / "home"
        self.state = self.directory / "state"
        self._mounts = self._prepared(home, sudoers)
        (self.directory / "config").write_text(CONFIG.format(port=self.port, directory=self.directory) + config)

    def _prepared(self, home: str, sudoers: str) -> list[str]:
        for name in ("host", "key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.directory / name], check=True)
        shutil.copy(f"{self.key}.pub", self.directory / "authorized")
        for directory in (self.home, self.state):
            directory.mkdir(mode=0o700)
        STATE.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        files = {
            "passwd": pathlib.Path("/etc/passwd").read_text() + f"{USER}:x:{UID}:{UID}::{self.home}:/bin/sh\n",
            "group": pathlib.Path("/etc/group").read_text() + f"{USER}:x:{UID}:\n",
            "shadow": pathlib.Path("/etc/shadow").read_text() + f"{USER}:{HASH}:19000:0:99999:7:::\n",
            "sudoers": f"Defaults lecture=never\nDefaults !fqdn\nroot ALL=(ALL:ALL) ALL\n{USER} ALL=(ALL:ALL) ALL\n{sudoers}",
        }
        for name, text in files.items():
            (self.directory / name).write_text(text)
            (self.directory / name).chmod({"shadow": 0o600, "sudoers": 0o440}.get(name, 0o644))
        mounts = [f"mount --bind {self.directory / name} /etc/{name}" for name in files]
        mounts.append(f"mount --bind {self.state} {STATE}")
        if home:
            mounts.append(f"mount -t tmpfs -o {home} tmpfs {self.home}")
        return [*mounts, f"chown {UID}:{UID} {self.home}"]

    def __enter__(self) -> Sshd:
        sshd = shutil.which("sshd", path="/usr/sbin:/usr/bin")
        script = " && ".join([*self._mounts, f"exec {sshd} -D -f {self.directory}/config -E {self.directory}/log"])
        environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
        self.process = subprocess.Popen(
            ["unshare", "-m", "--propagation", "private", "/bin/sh", "-ec", script], env=environment
        )
        deadline = time.monotonic() + 30
        while not _answers(self.port):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"sshd does not start: {self.log()}")
            time.sleep(0.02)
        return self

    def __exit__(self, *_error: object) -> None:
        for pid in self.connections():
            os.kill(pid, signal.SIGKILL)
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)

    def inside(self, command: str) -> str:
        """Output of a command in the sshd's namespace, which is where its files are."""
        done = subprocess.run(
            ["nsenter", "-t", str(self.process.pid), "-m", "/bin/sh", "-c", command],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.stdout

    def log(self) -> str:
        path = self.directory / "log"
        return path.read_text() if path.exists() else ""

    def connections(self) -> list[int]:
        """The sshd processes of connections, in the namespace of this one."""
        own = os.readlink(f"/proc/{self.process.pid}/ns/mnt")
        return [pid for pid in _pids_of("sshd") if pid != self.process.pid and _namespace(pid) == own]

    def sessions(self) -> list[int]:
        """The processes at the other end of sessions."""
        own = os.readlink(f"/proc/{self.process.pid}/ns/mnt")
        return [pid for pid in _pids_of("steady-rollout-session", exact=True) if _namespace(pid) == own]

    def variables(self, user: str = "root", by_password: bool = False) -> dict[str, t.Any]:
        """How Ansible reaches it."""
        options = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
        common = {
            "ansible_host": "127.0.0.1",
            "ansible_port": self.port,
            "ansible_user": user,
            "ansible_python_interpreter": "/usr/bin/python3",
        }
        if by_password:
            options += ["-o", "PreferredAuthentications=password", "-o", "PubkeyAuthentication=no"]
            return {**common, "ansible_password": PASSWORD, "ansible_ssh_common_args": shlex.join(options)}
        options += ["-o", "IdentitiesOnly=yes"]
        return {
            **common,
            "ansible_ssh_private_key_file": str(self.key),
            "ansible_ssh_common_args": shlex.join(options),
        }

    def jump(self) -> list[str]:
        """ssh options of a host that is reached through this one."""
        words = ["ssh", "-i", str(self.key), "-p", str(self.port), "-o", "StrictHostKeyChecking=no"]
        words += ["-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-W", "%h:%p", "root@127.0.0.1"]
        return ["-o", f"ProxyCommand={shlex.join(words)}"]


def _pids_of(word: str, exact: bool = False) -> list[int]:
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            words = _read(f"/proc/{name}/cmdline").split("\0")
            if word in words if exact else word in words[0]:
                found.append(int(name))
    return found


def _namespace(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/ns/mnt")
    except OSError:
        return ""


def _read(path: str) -> str:
    try:
        return pathlib.Path(path).read_text(errors="replace")
    except OSError:
        return ""


def _free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


def _answers(port: int) -> bool:
    with socket.socket() as client:
        client.settimeout(1)
        try:
            client.connect(("127.0.0.1", port))
            return client.recv(4) == b"SSH-"
        except OSError:
            return False
