# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the table of settings in roles/rollout/README.md from the role's argument specs; --check only compares."""

from __future__ import annotations

import json
import pathlib
import re
import sys
import typing as t

import yaml

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
SPECS = REPOSITORY / "roles/rollout/meta/argument_specs.yml"
README = REPOSITORY / "roles/rollout/README.md"
BEGIN, END = "<!-- settings: begin -->\n", "<!-- settings: end -->\n"
MARKUP = re.compile(r"\b[OVCPM]\(([^)#]*)(?:#\w+)?\)")


def table(options: dict[str, dict[str, t.Any]]) -> str:
    rows = [f"| `{name}` | {_default(option)} | {_text(option)} |" for name, option in options.items()]
    return "\n".join(["| setting | default | what it means |", "|---|---|---|", *rows, ""])


def _default(option: dict[str, t.Any]) -> str:
    if option.get("required"):
        return "**required**"
    default = option.get("default", "")
    if default in ("", [], {}):
        return ""
    return f"`{default if isinstance(default, str) else json.dumps(default)}`"


def _text(option: dict[str, t.Any]) -> str:
    return MARKUP.sub(r"`\1`", " ".join(option["description"])).replace("|", "\\|")


def rendered(readme: str, specs: dict[str, t.Any]) -> str:
    before, dummy, rest = readme.partition(BEGIN)
    after = rest.partition(END)[2]
    return before + BEGIN + table(specs["argument_specs"]["begin"]["options"]) + END + after


def main() -> int:
    readme = README.read_text(encoding="utf-8")
    wanted = rendered(readme, yaml.safe_load(SPECS.read_text(encoding="utf-8")))
    if "--check" in sys.argv:
        if readme != wanted:
            print(f"{README.name}: the table of settings is not that of {SPECS.name}; run tests/run/settings_table.py")
        return int(readme != wanted)
    README.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
