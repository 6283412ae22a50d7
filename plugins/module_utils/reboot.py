# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Which boot a host is in, and whether it needs another one: read from whatever the host has that shows it."""

from __future__ import annotations

import os
import re
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.call import Call
from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError

RunCommand = t.Callable[..., t.Tuple[int, str, str]]

BOOT_ID = "/proc/sys/kernel/random/boot_id"
RUNNING_KERNEL = "/proc/sys/kernel/osrelease"
REQUIRED = "/run/reboot-required"
PACKAGES = "/run/reboot-required.pkgs"
KERNELS = "/lib/modules"
PENDING_KERNEL = re.compile(r"^NEEDRESTART-KSTA: [23]$", re.MULTILINE)
"""needrestart: 2 is a new build of the same kernel version, 3 another version."""
SECONDS = "60"
NAMED = 5


def core(call: Call, root: str = "") -> dict[str, t.Any]:
    """reboot_info; all paths are below *root*."""
    reasons = [
        *_required(root),
        *_newer_kernel(_read(root + RUNNING_KERNEL).strip(), _kernels(root)),
        *_needrestart(call.run_command),
        *_needs_restarting(call.run_command),
    ]
    boot_id = _read(root + BOOT_ID).strip()
    if not boot_id:
        raise RolloutError(f"{BOOT_ID} cannot be read, so a reboot could not be proven; this needs Linux with /proc.")
    said = f"needs a reboot: {'; '.join(reasons)}" if reasons else "needs no reboot"
    return {"changed": False, "needed": bool(reasons), "reasons": reasons, "boot_id": boot_id, "msg": said}


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def _required(root: str) -> list[str]:
    """Debian's packages leave a file; it is gone with the boot."""
    if not os.path.exists(root + REQUIRED):
        return []
    packages = sorted(set(_read(root + PACKAGES).split()))
    named = ", ".join(packages[:NAMED]) + (f" and {len(packages) - NAMED} more" if len(packages) > NAMED else "")
    return [f"{REQUIRED} is there{f', for {named}' if named else ''}"]


def _kernels(root: str) -> list[str]:
    """The kernels that could be booted; a folder of modules without them is what a removed one left."""
    try:
        names = os.listdir(root + KERNELS)
    except OSError:
        return []
    return [name for name in names if os.path.exists(os.path.join(root + KERNELS, name, "modules.dep"))]


def _newer_kernel(running: str, installed: t.Sequence[str]) -> list[str]:
    """Only where the running one is among them: in a container, or with a kernel from elsewhere, this cannot be determined."""
    if running not in installed:
        return []
    flavour = _flavour(running)
    newest = max((name for name in installed if _flavour(name) == flavour), key=_order)
    return [f"the kernel {newest} is installed and {running} is running"] if _order(newest) > _order(running) else []


def _flavour(kernel: str) -> str:
    """The part that no number is in, such as amd64, cloud-amd64 or el9.x86_64."""
    return re.sub(r"^[0-9][0-9.+~-]*(?:(?:deb|bpo|rc|rt)[0-9+.]*)*", "", kernel)


def _order(kernel: str) -> list[int]:
    return [int(number) for number in re.findall(r"[0-9]+", kernel)]


def _needrestart(run_command: RunCommand) -> list[str]:
    status, stdout = _asked(run_command, "needrestart", "-b", "-k")
    return ["needrestart says that another kernel is pending"] if not status and PENDING_KERNEL.search(stdout) else []


def _needs_restarting(run_command: RunCommand) -> list[str]:
    """dnf-utils: exit status 1 says that core packages were updated since the boot."""
    status, stdout = _asked(run_command, "needs-restarting", "-r")
    is_said = status == 1 and "reboot" in stdout.lower()
    return ["needs-restarting says that core packages were updated since the boot"] if is_said else []


def _asked(run_command: RunCommand, *argv: str) -> tuple[int, str]:
    """127 where the program is not there."""
    try:
        status, stdout, dummy = run_command(
            ["timeout", "-k", "1", SECONDS, *argv], handle_exceptions=False, expand_user_and_vars=False
        )
    except OSError:
        return 127, ""
    return status, stdout
