# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the documentation of lb_route and lb_page says is what they accept and return."""

from __future__ import annotations

import typing as t

import pytest
import yaml

from ansible_collections.steady.rollout.plugins.doc_fragments import balancer
from ansible_collections.steady.rollout.plugins.module_utils import maintenance_pages, tester_routes
from ansible_collections.steady.rollout.plugins.modules import lb_page, lb_route

Options = t.Dict[str, t.Any]
RESULTS = {lb_page: maintenance_pages.nothing_done, lb_route: tester_routes.nothing_done}


def facts(options: Options, nested: str) -> Options:
    """Type, default and so on of all options, by dotted name."""
    flat: Options = {}
    for name, option in options.items():
        flat[name] = {key: option.get(key) for key in ("type", "elements", "choices", "default")}
        flat[name]["required"] = bool(option.get("required"))
        flat.update({f"{name}.{inner}": more for inner, more in facts(option.get(nested) or {}, nested).items()})
    return flat


@pytest.mark.parametrize("module", [lb_page, lb_route])
def test_options(module: t.Any) -> None:
    documented = yaml.safe_load(balancer.ModuleDocFragment.DOCUMENTATION)["options"]
    documented.update(yaml.safe_load(module.DOCUMENTATION)["options"])
    assert facts(module.SPEC["argument_spec"], "options") == facts(documented, "suboptions")


@pytest.mark.parametrize("module", [lb_page, lb_route])
def test_results(module: t.Any) -> None:
    assert set(yaml.safe_load(module.RETURN)) | {"changed"} == set(RESULTS[module]("shop"))
