# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation of options that are declared in a registry, as YAML."""

from __future__ import annotations

import json

from ansible_collections.steady.rollout.plugins.module_utils.typed_options import Option, Options

SHOWN = ("type", "elements", "choices", "default", "required")


def documented(name: str, described: list[str], kind: list[str], options: Options) -> str:
    """One option with these suboptions; *kind* are its further lines, such as 'type: dict'."""
    lines = ["options:", f"  {name}:", "    description:", *_items(described, 6), *(f"    {line}" for line in kind)]
    lines.append("    suboptions:")
    for option_name, option in options.items():
        lines += [f"      {option_name}:", *_option(option)]
    return "".join(f"{line}\n" for line in lines)


def _option(option: Option) -> list[str]:
    facts = [f"        {name}: {json.dumps(option.spec[name])}" for name in SHOWN if name in option.spec]
    return ["        description:", *_items(option.docs, 10), *facts]


def _items(texts: list[str] | tuple[str, ...], indent: int) -> list[str]:
    """JSON's strings are YAML's, too, and need no rules for quoting."""
    return [f"{' ' * indent}- {json.dumps(text)}" for text in texts]
