# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the documentation of lb_weight says is what it accepts and returns."""

from __future__ import annotations

import typing as t

import yaml

from ansible_collections.steady.rollout.plugins.doc_fragments import balancer
from ansible_collections.steady.rollout.plugins.module_utils.weight_report import nothing_done
from ansible_collections.steady.rollout.plugins.modules import lb_weight

Options = t.Dict[str, t.Any]


def facts(options: Options, nested: str) -> Options:
    """Type, default and so on of all options, by dotted name."""
    flat: Options = {}
    for name, option in options.items():
        flat[name] = {key: option.get(key) for key in ("type", "elements", "choices", "default")}
        flat[name]["required"] = bool(option.get("required"))
        flat.update({f"{name}.{inner}": more for inner, more in facts(option.get(nested) or {}, nested).items()})
    return flat


def test_options() -> None:
    documented = yaml.safe_load(balancer.ModuleDocFragment.DOCUMENTATION)["options"]
    documented.update(yaml.safe_load(lb_weight.DOCUMENTATION)["options"])
    assert facts(lb_weight.SPEC["argument_spec"], "options") == facts(documented, "suboptions")


def test_results() -> None:
    assert set(yaml.safe_load(lb_weight.RETURN)) | {"changed"} == set(nothing_done("shop"))
