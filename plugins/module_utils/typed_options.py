# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Options that have a type, such as a load balancer or a flag system: each type declares its own, with documentation.

The argument spec of the whole option is made from the rows of a registry.
"""

from __future__ import annotations

import typing as t


class Option(t.NamedTuple):
    """*spec* is an argument spec's, *docs* are paragraphs of Ansible's documentation."""

    spec: t.Dict[str, t.Any]
    docs: t.Tuple[str, ...]


Options = t.Dict[str, Option]


class Row(t.Protocol):
    """One type in a registry. Types may share an option; its documentation is then that of all."""

    @property
    def options(self) -> Options: ...
    @property
    def required(self) -> tuple[str, ...]: ...


def option(*docs: str, **spec: t.Any) -> Option:
    return Option({"type": "str", **spec}, docs)


def of_all_types(name: str, common: Options, types: t.Mapping[str, Row]) -> Options:
    """The *common* options and those of every type together, for the option *name*."""
    found = dict(common)
    for kind, row in types.items():
        for key, one in row.options.items():
            required = (f"Required if O({name}.type={kind}).",) if key in row.required else ()
            known = found[key].docs if key in found else ()
            found[key] = Option(one.spec, tuple(dict.fromkeys((*known, *one.docs, *required))))
    return found


def argument(options: Options, types: t.Mapping[str, Row]) -> dict[str, t.Any]:
    """The argument spec of the option that has these suboptions."""
    return {
        "type": "dict",
        "required": True,
        "options": {name: one.spec for name, one in options.items()},
        "required_if": [("type", kind, row.required) for kind, row in types.items()],
    }
