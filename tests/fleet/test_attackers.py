# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user tries who may do everything but be root: on the coordinator, on a balancer, on a host, on the controller.

The table is the list. Each attempt is made after a first rollout, while a second one is held in the middle of a step, so
that all files of a run are there; then that rollout goes on. A refused attempt fails by itself. A harmless one may succeed:
the rollout ends well all the same, and what is root's is as it was.
"""

from __future__ import annotations

import dataclasses
import pathlib
import subprocess
import typing as t

import pytest
from fleet.lab.hosts import Lab
from fleet.world.coordinator import LEDGER, LIVES_ON, Coordinator
from fleet.world.held_step import HeldStep
from fleet.world.rolling import Ended, Rolling
from fleet.world.shop import Shop
from support.background import traffic

HOST = "app1"
CONTROLLER = "controller"
CLAIMS = "/var/lib/steady-rollout-claims"
REFUSED, HARMLESS = "refused", "harmless"
ROOTS = "cat /etc/passwd /etc/shadow /etc/group | sha256sum; stat -c '%n %U %a' /etc /root /opt/shop /var/lib; ls /root"
"""What an attempt would change if root followed a link or used a file of somebody else's."""
STAYS = "(setsid {} >/dev/null 2>&1 &) ; sleep 0.3"
"""Something that goes on while the rollout does."""


@dataclasses.dataclass(frozen=True)
class Attempt:
    what: str
    place: str
    user: str
    script: str
    ends: str = REFUSED


def on_host(what: str, script: str, ends: str = REFUSED) -> Attempt:
    """By the service's own user."""
    return Attempt(what, HOST, "shop", script, ends)


def on_balancer(what: str, script: str, ends: str = REFUSED) -> Attempt:
    """By HAProxy's own user."""
    return Attempt(what, "lb2", "haproxy", script, ends)


def on_coordinator(what: str, script: str, ends: str = REFUSED) -> Attempt:
    return Attempt(what, LIVES_ON, "nobody", script, ends)


def on_controller(what: str, script: str, ends: str = REFUSED) -> Attempt:
    return Attempt(what, CONTROLLER, "nobody", script, ends)


ATTEMPTS = [
    on_host("a link in place of the next release", "ln -s /etc /opt/shop/releases/3.0.0-planted"),
    on_host("a link in place of the staging area", "rm -rf /opt/shop/.rollout; ln -s /etc /opt/shop/.rollout"),
    on_host("another release made the current one", "ln -sfn /tmp /opt/shop/current"),
    on_host("a file of a release changed", "echo 'import os' >> /opt/shop/current/app.py"),
    on_host("the claim replaced", f"echo '{{}}' > {CLAIMS}/shop.claim"),
    on_host("the claim removed", f"rm -f {CLAIMS}/shop.claim; test ! -e {CLAIMS}/shop.claim"),
    on_host("the claims moved away", f"mv {CLAIMS} {CLAIMS}-old"),
    on_host("a claim of another service planted", f"touch {CLAIMS}/other.claim"),
    on_host("the claim's lock held", f"flock -n {CLAIMS}/shop.claim.lock sleep 300"),
    on_host("the claim itself locked", STAYS.format(f"flock {CLAIMS}/shop.claim sleep 300"), HARMLESS),
    on_host("the directory of the claims locked", STAYS.format(f"flock {CLAIMS} sleep 300"), HARMLESS),
    on_host("the runner replaced", "ls /var/lib/steady-rollout/runner && touch /var/lib/steady-rollout/runner/planted"),
    on_host("a link beside the runner", "ln -s /etc /var/lib/steady-rollout/planted"),
    on_host("a program in place of the fence", "echo 'import os' > /var/lib/steady-rollout-fence/sitecustomize.py"),
    on_host("a module planted beside the fence", "touch /var/lib/steady-rollout-fence/json.py"),
    on_host("the fence moved away", "mv /var/lib/steady-rollout-fence /tmp/fence"),
    on_host("the environment of root's processes read", "cat /proc/1/environ"),
    on_host("root's processes stopped", "kill -STOP 1"),
    on_host(
        "root's temporary directory guessed", "mkdir /tmp/steady-rollout-0; chmod 777 /tmp/steady-rollout-0", HARMLESS
    ),
    on_host(
        "links under the names of drafts",
        "for name in steady-rollout steady-rollout-0 ansible-tmp .ansible; do ln -s /etc/passwd /tmp/$name; done; true",
        HARMLESS,
    ),
    on_host(
        "a process with the mark of a run",
        STAYS.format("env STEADY_ROLLOUT_RUN=guessed python3 -c 'import time; time.sleep(300)' AnsiballZ_x.py"),
        HARMLESS,
    ),
    on_host(
        "terminal escapes and a false step in the journal",
        r"printf '\033]0;owned\007\033[2Japp1  proven\n' | systemd-cat -t shop",
        HARMLESS,
    ),
    on_balancer("a link under the old name of a draft", "ln -s /etc/passwd /var/lib/haproxy/server-state.new"),
    on_balancer(
        "links under names like those of drafts",
        "for n in 1 2 3; do ln -s /etc/passwd /var/lib/haproxy/.server-state.$n; done",
    ),
    on_balancer("the pool's lock held", f"for lock in {CLAIMS}/*.lock; do flock -n $lock true && exit 0; done; exit 1"),
    on_balancer("the claim of a balancer replaced", f"echo '{{}}' > {CLAIMS}/shop.claim"),
    on_balancer("the state file locked", STAYS.format("flock /var/lib/haproxy/server-state sleep 300"), HARMLESS),
    on_coordinator("the ledger read", f"cat {LEDGER}/ledger.db"),
    on_coordinator("its folder listed", f"ls {LEDGER}"),
    on_coordinator("the ledger replaced", f"mv {LEDGER} {LEDGER}-old"),
    on_coordinator("a file planted in its folder", f"touch {LEDGER}/ledger.db-journal"),
    on_coordinator("the ledger locked", f"flock -n {LEDGER}/ledger.db sleep 300"),
    on_coordinator("its folder locked", f"flock -n {LEDGER} sleep 300"),
    on_coordinator(
        "an event forged",
        "python3 -c \"import sqlite3; c = sqlite3.connect('"
        + LEDGER
        + "/ledger.db'); c.execute('DELETE FROM lease')\"",
    ),
    on_coordinator("the ledger's session stopped", "kill -STOP $(pgrep -f steady-rollout-sessio[n])"),
    on_controller("the mark of the lease forged", "for mark in {run}/lease; do echo > $mark; done"),
    on_controller("what an interrupted run says forged", "echo '[]' > {run}/interrupted"),
    on_controller("the run's directory listed", "ls {run}"),
    on_controller("a socket of ssh used", "ls {sockets}"),
    on_controller("the run killed", "kill -KILL {pid}"),
    on_controller("the run's environment read", "cat /proc/{pid}/environ"),
    on_controller(
        "a directory of the same name elsewhere", "mkdir -p /tmp/steady-attack/steady; ls /tmp/steady-attack", HARMLESS
    ),
]


@dataclasses.dataclass(frozen=True)
class Aftermath:
    ended: Ended
    exit_codes: dict[str, int]
    said: dict[str, str]
    roots_before: dict[str, str]
    roots_after: dict[str, str]
    failed_requests: int


@pytest.fixture(scope="module")
def aftermath(fleet: Lab, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Aftermath]:
    """All attempts in the middle of one rollout."""
    folder = tmp_path_factory.mktemp("attacks")
    shop, coordinator = Shop(fleet), Coordinator(fleet, folder)
    shop.reset()
    coordinator.remove()
    coordinator.appear()
    rolling = Rolling(fleet, coordinator.settings)
    for version in ("2.0.0", "3.0.0"):
        fleet.add_release(version)
    try:
        first = rolling.run("2.0.0", *coordinator.words)
        assert first.exit_code == 0, first.output
        with traffic(fleet.urls(), folder / "traffic.json", inside=fleet.inside(), rate=40) as users:
            yield attacked(shop, rolling, coordinator, folder, users)
    finally:
        clean_up(shop)
        coordinator.remove()


def attacked(shop: Shop, rolling: Rolling, coordinator: Coordinator, folder: pathlib.Path, users: t.Any) -> Aftermath:
    step = HeldStep(shop, folder)
    run = rolling.start("3.0.0", *coordinator.words, rollout_after_drain_tasks=step.tasks)
    step.await_hosts(run, 1)
    before = roots(shop)
    places = {
        "pid": run.pid,
        "run": run_directory(run.pid),
        "sockets": shop.lab.places.runtime / "cp",
    }
    done = {attempt.what: made(shop, attempt, places) for attempt in ATTEMPTS}
    step.let_go()
    ended = run.wait()
    shop.await_all_in_rotation()
    return Aftermath(
        ended,
        {what: one.returncode for what, one in done.items()},
        {what: one.stdout + one.stderr for what, one in done.items()},
        before,
        roots(shop),
        users.stop()["failed"],
    )


def made(shop: Shop, attempt: Attempt, places: dict[str, t.Any]) -> subprocess.CompletedProcess[str]:
    script = attempt.script
    if attempt.place == CONTROLLER:
        for name, value in places.items():
            script = script.replace("{" + name + "}", str(value))
        words = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "sh", "-c", script]
        return subprocess.run(words, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return shop.lab.run(attempt.place, ["runuser", "-u", attempt.user, "--", "sh", "-c", script], check=False)


def run_directory(pid: int) -> pathlib.Path:
    """Where the workers of that ansible-playbook keep their marks."""
    found = [mark.parent for mark in pathlib.Path.home().glob(".ansible/tmp/ansible-local-*/steady/lease")]
    own = [place for place in found if place.parent.name.startswith(f"ansible-local-{pid}")]
    return (own or found)[0]


def roots(shop: Shop) -> dict[str, str]:
    places = {HOST: f"{ROOTS}; sha256sum /opt/shop/releases/2.0.0/app.py", "lb1": ROOTS, "lb2": ROOTS}
    return {place: shop.lab.run(place, ["sh", "-c", script], check=False).stdout for place, script in places.items()}


def clean_up(shop: Shop) -> None:
    for place, user in ((HOST, "shop"), (LIVES_ON, "nobody"), ("lb2", "haproxy")):
        shop.lab.run(place, ["pkill", "-u", user, "-f", "sleep"], check=False)
    shop.lab.run(HOST, ["sh", "-c", "find /tmp -user shop -delete"], check=False)
    shop.lab.run("lb2", ["sh", "-c", "find /var/lib/haproxy -type l -delete"], check=False)
    subprocess.run(["rm", "-rf", "/tmp/steady-attack"], check=False)


@pytest.mark.long
@pytest.mark.parametrize("attempt", [pytest.param(one, id=f"{one.place}: {one.what}") for one in ATTEMPTS])
def test_what_is_tried_by_somebody_who_is_not_root(aftermath: Aftermath, attempt: Attempt) -> None:
    said = aftermath.said[attempt.what]
    if attempt.ends == REFUSED:
        assert aftermath.exit_codes[attempt.what] != 0, said
        assert any(word in said for word in ("denied", "not permitted", "unable to open", "cannot open")), said
    else:
        assert aftermath.exit_codes[attempt.what] == 0, said


@pytest.mark.long
def test_a_rollout_under_attack_ends_well(aftermath: Aftermath) -> None:
    assert aftermath.ended.exit_code == 0, aftermath.ended.output
    assert aftermath.ended.last_line == "shop: all 6 hosts are in service on 3.0.0."
    assert "\x1b" not in aftermath.ended.output
    assert aftermath.roots_after == aftermath.roots_before
    assert aftermath.failed_requests == 0
