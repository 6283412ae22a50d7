# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""lb_weight as Ansible runs it: in the worker, and as a module process."""

from __future__ import annotations

import pathlib
import typing as t

from support.playbooks import run_tasks


def test_split_look_refuse_and_go_back(haproxy_site: t.Any, way: dict[str, t.Any], directory: pathlib.Path) -> None:
    groups = haproxy_site.groups
    nobody = {"shares": {"blue": "0", "green": "100"}, "groups": {"blue": ["app1"], "green": ["app22"]}}
    tasks = [
        {"steady.rollout.lb_weight": {"shares": {"blue": "95", "green": "5 %"}, "groups": groups}},
        {"steady.rollout.lb_weight": {"shares": {"blue": 95, "green": 5}, "groups": groups}},
        {"steady.rollout.lb_weight": nobody, "ignore_errors": True},
        {"steady.rollout.lb_weight": {"shares": "{{ result0.before }}", "groups": groups}},
        {"steady.rollout.lb_weight": {"shares": {"blue": 0, "green": 100}, "groups": groups}, "check_mode": True},
    ]
    split, again, unknown, back, checked = run_tasks(
        directory, haproxy_site.settings, [{**task, **way} for task in tasks]
    )
    assert (split["changed"], split["achieved"]) == (True, {"blue": 95.0, "green": 5.0})
    assert (again["changed"], again["actions"]) == (False, [])
    assert unknown["failed"] is True
    assert "has no member 'app22'" in unknown["msg"]
    assert set(unknown) >= set(split) - {"diff"}
    assert (back["changed"], back["achieved"]) == (True, {"blue": 50.0, "green": 50.0})
    assert (checked["changed"], checked["achieved"]["green"]) == (True, 100.0)
    assert haproxy_site.green_answers(200) == 50.0
