# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the ready update steps write and ask for, evaluated by Ansible."""

from __future__ import annotations

import typing as t

import pytest
from support.role_tasks import ROLES_VARS, evaluated, holds, task


@pytest.mark.parametrize(
    ("running", "refused"),
    [
        ({"rc": 0, "stdout": "sha256:abc"}, False),
        ({"rc": 0, "stdout": "abc"}, False),
        ({"rc": 0, "stdout": "sha256:old"}, True),
    ],
)
def test_a_container_of_another_image_is_refused(running: dict[str, t.Any], refused: bool) -> None:
    refuse = task("updates/container", "Container | Refuse a container of another image than that of the target")
    assert holds(refuse, __rollout_running=running, __rollout_image={"stdout": "sha256:abc"}) is refused


def test_an_image_that_crashes_failed_the_step_and_was_not_marked_bad() -> None:
    """There is no container at the moment: whether the version works, the health check says."""
    refuse = task("updates/container", "Container | Refuse a container of another image than that of the target")
    gone = {"rc": 125, "stdout": "", "stderr": "Error: no such container shop"}
    assert holds(refuse, __rollout_running=gone, __rollout_image={"stdout": "sha256:abc"}) is False


@pytest.mark.parametrize(
    ("pulled", "because"),
    [
        ({"rc": 125, "stderr_lines": ["Trying to pull...", "Error: manifest unknown"]}, "Error: manifest unknown"),
        ({"rc": 2, "msg": "No such file or directory: podman"}, "No such file or directory: podman"),
        ({"rc": 1, "stderr_lines": []}, "no reason given"),
    ],
)
def test_an_image_that_cannot_be_pulled_is_named(pulled: dict[str, t.Any], because: str) -> None:
    refuse = task("updates/container_image", "Container | Refuse an image that cannot be pulled")
    given = {"__rollout_pulled": pulled, "rollout_container": {"image": "registry.example.com/shop:2.0.0"}}
    assert holds(refuse, **given)
    assert evaluated(refuse["ansible.builtin.fail"]["msg"], **{**refuse["vars"], **given}) == (
        f"Image registry.example.com/shop:2.0.0 cannot be pulled: {because}. Push it, or correct "
        "rollout_container.image, then run again."
    )


@pytest.mark.parametrize(("version", "refused"), [("4.3.1", True), ("4.4.0", False), ("5.4.2", False)])
def test_a_podman_without_quadlet_is_refused(version: str, refused: bool) -> None:
    refuse = task("updates/container_check_podman", "Container | Refuse a version without Quadlet")
    assert holds(refuse, __rollout_podman={"stdout": version}) is refused


@pytest.mark.parametrize(
    ("file", "refused"),
    [
        ("", False),
        ("/run/systemd/generator/shop.service", False),
        ("/etc/systemd/system/shop.service", True),
        ("/usr/lib/systemd/system/shop.service", True),
    ],
)
def test_the_unit_of_another_file_was_started_in_place_of_the_container(file: str, refused: bool) -> None:
    refuse = task("updates/container_check_podman", "Container | Refuse a name that another unit has")
    assert holds(refuse, __rollout_unit_file={"stdout": file}) is refused


@pytest.mark.parametrize(
    ("reader", "read", "because"),
    [
        (
            "Quadlet",
            {
                "rc": 1,
                "stderr_lines": ["quadlet-generator[12]: Loading", "quadlet-generator[12]: unsupported key 'Typo'"],
            },
            "unsupported key 'Typo'",
        ),
        ("Quadlet", {"rc": 2, "msg": "No such file or directory"}, "No such file or directory"),
        ("Quadlet", {"rc": 1, "stderr_lines": []}, "it printed nothing"),
        (
            "Compose",
            {"rc": 15, "stderr_lines": ["validating compose.yaml: services.shop.command.4 must be a string"]},
            "validating compose.yaml: services.shop.command.4 must be a string",
        ),
        ("Compose", {"rc": 2, "msg": "No such file or directory"}, "No such file or directory"),
        ("Compose", {"rc": 1, "stderr_lines": []}, "it printed nothing"),
    ],
)
def test_settings_that_the_engine_cannot_read_are_refused(reader: str, read: dict[str, t.Any], because: str) -> None:
    engine, name = {"Quadlet": ("podman", "Quadlet"), "Compose": ("docker", "Docker Compose")}[reader]
    refuse = task(f"updates/container_check_{engine}", f"Container | Refuse what {reader} cannot read")
    given = {**refuse["vars"], f"__rollout_{reader.lower()}_read": read}
    assert holds(refuse, **given)
    assert evaluated(refuse["ansible.builtin.fail"]["msg"], **given) == (
        f"rollout_container: {name} cannot read it, {because}. Correct the setting, then run again."
    )


@pytest.mark.parametrize(
    ("before", "repeated"), [("updates/container_pull.yml", False), ("", True), ("mine.yml", True)]
)
def test_a_drained_host_is_not_checked_again(before: str, repeated: bool) -> None:
    check = task("updates/container", "Container | Check the settings, unless that was done before the drain")
    given = {"rollout_container": {"name": "shop"}, "rollout_before_drain_tasks": before}
    assert holds(check, **given) is repeated


@pytest.mark.parametrize(
    ("journal", "expected"),
    [
        (
            ["Starting shop", "Error: cannot listen on the TCP port", "Main process exited", "Failed to start shop"],
            "shop.service does not start: Error: cannot listen on the TCP port",
        ),
        (["one", "two", "three", "four"], "shop.service does not start: two | three | four"),
        ([], "shop.service does not start: Unable to start service"),
    ],
)
def test_a_unit_that_does_not_start_says_what_it_logged(journal: list[str], expected: str) -> None:
    fail = task("operations/restart", "Restart | Fail with what the unit has logged")
    given = {
        "__rollout_restarted_unit": "shop.service",
        "__rollout_unit_failed": {"journal": journal},
        "ansible_failed_result": {"msg": "Unable to start service"},
    }
    assert evaluated(fail["ansible.builtin.fail"]["msg"], **{**fail["vars"], **given}) == expected


def package(wanted: str, *installed: dict[str, str]) -> bool:
    """Whether the step refuses what is installed."""
    refuse = task("updates/package", "Package | Refuse another version than that of the target")
    facts = {"packages": {"shop": list(installed)}}
    given = {"ansible_facts": facts, "item": "shop", "rollout_package": {"name": "shop", "version": wanted}}
    return holds(refuse, **{**refuse["vars"], **given})


@pytest.mark.parametrize(
    ("wanted", "installed", "refused"),
    [
        ("2.0.0-1", {"version": "2.0.0-1"}, False),
        ("2.0.0-1", {"version": "2.0.0-10"}, True),
        ("2.0.0-*", {"version": "2.0.0-3"}, False),
        ("2.0.0-*", {"version": "2.1.0-3"}, True),
        ("2.0.0", {"version": "2.0.0", "release": "5.el9"}, False),
        ("2.0.0-5.el9", {"version": "2.0.0", "release": "5.el9"}, False),
        ("2.0.0-6.el9", {"version": "2.0.0", "release": "5.el9"}, True),
        ("2.0.0", {"version": "1:2.0.0"}, False),
        ("2.0.0", {"version": "2x0.0"}, True),
    ],
)
def test_another_version_of_a_package_than_the_one_wanted_is_refused(
    wanted: str, installed: dict[str, str], refused: bool
) -> None:
    assert package(wanted, installed) is refused


def test_a_package_that_is_not_installed_is_refused() -> None:
    assert package("2.0.0") is True


@pytest.mark.parametrize(
    ("file", "name", "argument", "expected"),
    [
        ("package", "Package | Install with apt", "ansible.builtin.apt", ["shop=2.0.0-1", "shop-data=2.0.0-1"]),
        ("package", "Package | Install by dnf", "ansible.builtin.dnf", ["shop-2.0.0-1", "shop-data-2.0.0-1"]),
    ],
)
def test_several_packages_get_the_same_version(file: str, name: str, argument: str, expected: list[str]) -> None:
    given = task(f"updates/{file}", name)[argument]
    packages = {"name": ["shop", "shop-data"], "version": "2.0.0-1"}
    assert evaluated(given["name"], rollout_package=packages) == expected
    assert given["allow_downgrade"] is True


def test_the_roles_own_steps_are_found_last() -> None:
    assert (
        evaluated(ROLES_VARS["__rollout_own_tasks"], role_path="/collections/roles/canary")
        == "/collections/roles/rollout/tasks"
    )
    assert ROLES_VARS["__rollout_search_paths"].endswith("+ [__rollout_own_tasks] }}")
