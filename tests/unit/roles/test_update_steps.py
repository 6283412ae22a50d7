# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the ready update steps write and ask for, evaluated by Ansible."""

from __future__ import annotations

import pytest
from support.role_tasks import ROLES_VARS, evaluated, holds, task


@pytest.mark.parametrize(
    ("running", "refused"),
    [
        ("sha256:abc true", False),
        ("abc true", False),
        ("sha256:abc false", True),
        ("sha256:old true", True),
        ("", True),
    ],
)
def test_a_container_of_another_image_is_refused(running: str, refused: bool) -> None:
    refuse = task("updates/container", "Container | Refuse a container that does not run the image of the target")
    image = {"stdout": "sha256:abc"}
    assert holds(refuse, __rollout_running={"stdout": running}, __rollout_image=image) is refused


@pytest.mark.parametrize(("version", "refused"), [("4.3.1", True), ("4.4.0", False), ("5.4.2", False)])
def test_a_podman_without_quadlet_is_refused(version: str, refused: bool) -> None:
    refuse = task("updates/container", "Container | Refuse a version without Quadlet")
    assert holds(refuse, __rollout_podman={"stdout": version}) is refused


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
        ("package", "Package | Install by apt", "ansible.builtin.apt", ["shop=2.0.0-1", "shop-data=2.0.0-1"]),
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
