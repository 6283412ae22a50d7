# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tree that all hosts of a lab have in common: a small Debian, built once, checked, and kept in the cache."""

from __future__ import annotations

import fcntl
import hashlib
import os
import pathlib
import shutil
import typing as t

from fleet.lab.places import LabError, Places, command

SUITES = ("bookworm", "trixie")
"""Debian 12 and 13, the first one unless a lab asks for the other."""
ANY_MIRROR = "http://deb.debian.org/debian"
PACKAGES = (
    "systemd", "systemd-sysv", "dbus", "openssh-server", "python3", "iproute2", "procps", "sudo", "curl", "haproxy",
    "nginx-light", "apache2", "python3-apt",
)  # fmt: skip
LEFT_OUT = ("/usr/share/man/*", "/usr/share/locale/*", "/usr/share/doc/*")

ENABLED = ("ssh.service",)
"""All that a host starts by itself; a lab enables HAProxy or the shop on top, on each host as it needs."""
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


def tree(places: Places, suite: str = SUITES[0], more: t.Sequence[str] = ()) -> pathlib.Path:
    """The path of the common tree; builds it when the cache has none (half a minute, needs the Debian mirror).

    *more*: packages beside the usual ones, in a tree of its own.
    """
    path = places.cache / f"{'+'.join([suite, *more])}-{_recipe()}"
    places.cache.mkdir(parents=True, exist_ok=True)
    with (places.cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            _build(path, suite, more)
    return path


def _recipe() -> str:
    """Another one, whenever this file changes, has the trees built anew."""
    return hashlib.sha256(pathlib.Path(__file__).read_bytes()).hexdigest()[:12]


def _build(path: pathlib.Path, suite: str, more: t.Sequence[str]) -> None:
    draft = path.with_name(path.name + ".draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    _bootstrap(draft, suite, more)
    _prepare(draft)
    check_units(draft)
    draft.rename(path)


def _bootstrap(root: pathlib.Path, suite: str, more: t.Sequence[str]) -> None:
    excluded = [f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT]
    packages = f"--include={','.join([*PACKAGES, *more])}"
    options = ["--quiet", "--mode=root", "--variant=minbase", packages, *excluded]
    command("mmdebstrap", *options, suite, root, mirror(suite))


def mirror(suite: str) -> str:
    """The mirror that this machine's own apt uses, where it is a Debian of the same release."""
    listed = command("apt-get", "indextargets", "--format", "$(REPO_URI)", f"Codename: {suite}", check=False)
    return (listed.split() or [ANY_MIRROR])[0]


def _prepare(root: pathlib.Path) -> None:
    """Leaves out what a host of the lab has no use for and what would make its boot or logins slow."""
    for name in ("etc/hostname", "etc/resolv.conf"):
        (root / name).unlink(missing_ok=True)
    for key in (root / "etc/ssh").glob("ssh_host_*"):
        key.unlink()
    (root / "etc/machine-id").write_text("", encoding="ascii")
    set_units(root)
    _without_login_manager(root)
    _write(root / "etc/systemd/journald.conf.d/lab.conf", JOURNAL)
    _write(root / "etc/ssh/sshd_config.d/lab.conf", SSHD)
    command("chroot", root, "useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", "shop")
    (root / "opt/shop").mkdir()


def set_units(root: pathlib.Path) -> None:
    """Disables every unit but those of ENABLED, and masks those of MASKED."""
    for link in _enabling_links(root):
        if link.name not in ENABLED:
            link.unlink()
    units = root / "etc/systemd/system"
    for name in MASKED:
        (units / name).unlink(missing_ok=True)
        (units / name).symlink_to("/dev/null")


def check_units(root: pathlib.Path) -> None:
    """Raises LabError where the tree would start something else than was asked for."""
    found = {link.name for link in _enabling_links(root)}
    masked = {name for name in MASKED if _is_masked(root / "etc/systemd/system" / name)}
    wrong = [f"{name} is enabled and should not be" for name in sorted(found - set(ENABLED))]
    wrong += [f"{name} is not enabled" for name in sorted(set(ENABLED) - found)]
    wrong += [f"{name} is not masked" for name in sorted(set(MASKED) - masked)]
    if wrong:
        raise LabError(f"the common tree {root} is not as its hosts need it: {'; '.join(wrong)}.")


def _enabling_links(root: pathlib.Path) -> t.Iterator[pathlib.Path]:
    """The links in etc that enable units. Most of them dangle outside of the tree, and Path.glob passes those over."""
    for folder, _folders, names in os.walk(root / "etc/systemd/system"):
        if folder.endswith((".wants", ".requires")):
            yield from (pathlib.Path(folder, name) for name in sorted(names))


def _is_masked(path: pathlib.Path) -> bool:
    return path.is_symlink() and os.readlink(path) == "/dev/null"


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
