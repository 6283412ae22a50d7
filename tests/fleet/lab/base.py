# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tree that all hosts of the lab have in common: a small Debian, built once and kept in the cache."""

from __future__ import annotations

import fcntl
import hashlib
import pathlib
import shutil

from fleet.lab.places import LabError, Places, command

SUITE = "bookworm"
ANY_MIRROR = "http://deb.debian.org/debian"
PACKAGES = (
    "systemd", "systemd-sysv", "dbus", "openssh-server", "python3", "iproute2", "procps", "sudo", "curl", "haproxy",
    "nginx-light", "apache2",
)  # fmt: skip
LEFT_OUT = ("/usr/share/man/*", "/usr/share/locale/*", "/usr/share/doc/*")

NOT_STARTED = (
    "apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "fstrim.timer",
    "e2scrub_reap.service", "systemd-pstore.service", "haproxy.service", "nginx.service", "apache2.service",
)  # fmt: skip
MASKED = (
    "getty@.service", "console-getty.service", "systemd-udevd.service", "systemd-udev-trigger.service",
    "systemd-networkd.service", "systemd-firstboot.service", "systemd-journal-flush.service",
    "systemd-tmpfiles-clean.timer",
)  # fmt: skip

SSHD = """\
HostKey /etc/ssh/ssh_host_ed25519_key
UseDNS no
PasswordAuthentication no
PrintMotd no
MaxStartups 100:30:200
"""
JOURNAL = """\
[Journal]
Storage=volatile
RuntimeMaxUse=8M
"""
REVISION = "1"  # another one, when prepare() changes, has the tree built anew


def tree(places: Places) -> pathlib.Path:
    """The path of the common tree; builds it when the cache has none (half a minute, needs the Debian mirror)."""
    recipe = repr((SUITE, PACKAGES, LEFT_OUT, NOT_STARTED, MASKED, SSHD, JOURNAL, REVISION))
    path = places.cache / f"{SUITE}-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"
    places.cache.mkdir(parents=True, exist_ok=True)
    with (places.cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            _build(path)
    return path


def _build(path: pathlib.Path) -> None:
    draft = path.with_name(path.name + ".draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    _bootstrap(draft)
    _prepare(draft)
    draft.rename(path)


def _bootstrap(root: pathlib.Path) -> None:
    excluded = [f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT]
    packages = f"--include={','.join(PACKAGES)}"
    command("mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", packages, *excluded, SUITE, root, _mirror())


def _mirror() -> str:
    """The mirror that this machine's own apt uses, where it is a Debian of the same release."""
    listed = command("apt-get", "indextargets", "--format", "$(REPO_URI)", f"Codename: {SUITE}", check=False)
    return (listed.split() or [ANY_MIRROR])[0]


def _prepare(root: pathlib.Path) -> None:
    """Leaves out what a host of the lab has no use for and what would make its boot or logins slow."""
    units = root / "etc/systemd/system"
    for name in ("etc/hostname", "etc/resolv.conf"):
        (root / name).unlink(missing_ok=True)
    for key in (root / "etc/ssh").glob("ssh_host_*"):
        key.unlink()
    (root / "etc/machine-id").write_text("", encoding="ascii")
    for name in NOT_STARTED:
        for wanted in units.glob(f"*.wants/{name}"):
            wanted.unlink()
    for name in MASKED:
        (units / name).unlink(missing_ok=True)
        (units / name).symlink_to("/dev/null")
    _without_login_manager(root)
    _write(root / "etc/systemd/journald.conf.d/lab.conf", JOURNAL)
    _write(root / "etc/ssh/sshd_config.d/lab.conf", SSHD)
    command("chroot", root, "useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", "shop")
    (root / "opt/shop").mkdir()


def _without_login_manager(root: pathlib.Path) -> None:
    """Each ssh login would wait for the login manager; a reboot still needs it, so it starts on demand."""
    (root / "lib/systemd/system/multi-user.target.wants/systemd-logind.service").unlink(missing_ok=True)
    for file in (root / "etc/pam.d").iterdir():
        lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
        file.write_text("".join(line for line in lines if "pam_systemd" not in line), encoding="utf-8")


def _write(path: pathlib.Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def forget(places: Places) -> None:
    """Removes every tree from the cache."""
    if places.hosts.exists():
        raise LabError("hosts may run on the tree: 'fleet down' first.")
    shutil.rmtree(places.cache, ignore_errors=True)
