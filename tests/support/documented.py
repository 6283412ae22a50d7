# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module's options as its documentation has them and as it accepts them, in one form."""

from __future__ import annotations

import importlib
import typing as t

import yaml

FRAGMENTS = "ansible_collections.steady.rollout.plugins.doc_fragments"
OWN = "steady.rollout."
Options = t.Dict[str, t.Any]


def documented(module: t.Any) -> Options:
    """The options of the module's documentation and of the fragments that it extends."""
    documentation = yaml.safe_load(module.DOCUMENTATION)
    options: Options = {}
    for name in documentation["extends_documentation_fragment"]:
        for option, facts in fragment(name[len(OWN) :]).items():
            options[option] = facts
    for option, facts in documentation["options"].items():
        options[option] = {**options.get(option, {}), **facts}
    return comparable(options, "suboptions")


def accepted(module: t.Any) -> Options:
    return comparable(module.SPEC["argument_spec"], "options")


def fragment(name: str) -> Options:
    """*name* is that of a file, or of a file and a variable."""
    file, _dot, variable = name.partition(".")
    source = importlib.import_module(f"{FRAGMENTS}.{file}").ModuleDocFragment
    return dict(yaml.safe_load(getattr(source, variable.upper() or "DOCUMENTATION")).get("options") or {})


def comparable(options: Options, nested: str) -> Options:
    """Type, default, choices and so on of all options, by dotted name."""
    flat: Options = {}
    for name, option in options.items():
        flat[name] = {key: option.get(key) for key in ("type", "elements", "choices", "default")}
        flat[name]["required"] = bool(option.get("required"))
        flat.update({f"{name}.{inner}": more for inner, more in comparable(option.get(nested) or {}, nested).items()})
    return flat
