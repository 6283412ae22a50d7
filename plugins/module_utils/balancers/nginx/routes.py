# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""nginx's routes for testers: lines of a map in a file of its configuration.

map $http_x_canary $shop_route {
    default shop;
    green shop-green;
}
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.balancers import routing
from ansible_collections.steady.rollout.plugins.module_utils.balancers.common.reloaded_routing import ReloadedRoutes
from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import quoted
from ansible_collections.steady.rollout.plugins.module_utils.balancers.nginx.upstream import NotUnderstood, statements
from ansible_collections.steady.rollout.plugins.module_utils.balancers.routing import Seen, Selector
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError

UPSTREAM = re.compile(r"^\s*upstream\s+[\"']?([^\s\"'{]+)[\"']?\s*\{", re.MULTILINE)
# Words that mean something in a map unless there is a backslash before them.
SPECIAL = ("default", "hostnames", "include", "volatile")


class Line(t.NamedTuple):
    """One line of a map, and its place in the text."""

    target: str
    start: int
    end: int


class Map(t.NamedTuple):
    """A map; *start* and *end* are where its lines may stand."""

    source: str
    default: str
    lines: dict[str, Line]
    """By the value in small letters: nginx ignores case."""
    start: int
    end: int


class NginxRoutes(ReloadedRoutes):
    """Testers' routes."""

    what = "nginx upstream"

    def read(self, testers: Selector) -> Seen:
        line = self._map(self._file.file.read(), testers).lines.get(testers.value.lower())
        return Seen(line.target if line else "", self._file.is_read())

    def send(self, testers: Selector, target: str) -> None:
        self._file.edit(lambda text: edited(text, self._map(text, testers), testers.value, target))

    def _map(self, text: str, testers: Selector) -> Map:
        source, path = source_of(testers), self._file.file.path
        try:
            found = maps(text)
        except NotUnderstood as error:
            raise RolloutError(
                f"{self._where}: {path} cannot be read as nginx configuration: {error}. Keep nothing but plain maps in "
                "that file."
            ) from error
        fitting = [one for one in found if one.source == source]
        ours = [one for one in fitting if one.default == self._pool]
        if len(fitting) != 1 and len(ours) != 1:
            sources = quoted(dict.fromkeys(one.source for one in found))
            raise InputError(
                f"{self._where}: {path} has {len(fitting)} maps of {source}, {len(ours)} of them with 'default "
                f"{self._pool}'; exactly one is expected. Its maps are of {sources or 'nothing'}. Add 'map {source} "
                f"$variable {{ default {self._pool}; }}' and use the variable in proxy_pass."
            )
        return fitting[0] if len(fitting) == 1 else ours[0]


def upstreams(configuration: str) -> list[str]:
    """Their names in all files of a configuration, given as one text."""
    return list(dict.fromkeys(UPSTREAM.findall(configuration)))


def source_of(testers: Selector) -> str:
    """The variable that has the header or cookie."""
    name = testers.name.replace("-", "_")
    return f"$http_{name}" if testers.kind == routing.HEADER else f"$cookie_{testers.name}"


def maps(text: str) -> list[Map]:
    """The maps in a text, in order; raises NotUnderstood."""
    found: list[Map] = []
    lines: dict[str, Line] | None = None
    source, default, start = "", "", 0
    for statement in statements(text):
        if statement.mark == "{":
            if statement.words[:1] != ["map"] or len(statement.words) != 3 or lines is not None:
                raise NotUnderstood(f"'{' '.join(statement.words)}' is not a map")
            source, default, start, lines = statement.words[1], "", statement.end, {}
        elif statement.mark == "}":
            if lines is None:
                raise NotUnderstood("there is an unmatched '}'")
            found.append(Map(source, default, lines, start, statement.end - 1))
            lines = None
        elif lines is not None and len(statement.words) == 2:
            value, target = statement.words
            if value.lower() not in SPECIAL:
                lines[value.lstrip("\\").lower()] = Line(target, statement.start, statement.end)
            elif value == "default":
                default = target
    if lines is not None:
        raise NotUnderstood(f"the map of {source} is not closed")
    return found


def edited(text: str, found: Map, value: str, target: str) -> str:
    """The text with one line of a map set, or removed where there is no target; everything else as it is."""
    line = found.lines.get(value.lower())
    statement = f"{_escaped(value)} {target};"
    if line and target:
        return text[: line.start] + statement + text[line.end :]
    if line:
        return _without(text, line)
    if not target:
        return text
    inner = text[found.start : found.end].rstrip()
    separator = "\n    " if "\n" in inner else " "
    closing = "\n" if "\n" in text[found.start : found.end] else " "
    return text[: found.start] + inner + separator + statement + closing + text[found.end :]


def _without(text: str, line: Line) -> str:
    """A line that has nothing else goes as a whole."""
    start, end = line.start, line.end
    begin = text.rfind("\n", 0, start) + 1
    stop = text.find("\n", end)
    if stop >= 0 and not text[begin:start].strip() and not text[end:stop].strip():
        return text[:begin] + text[stop + 1 :]
    return text[:start].rstrip(" \t") + text[end:]


def _escaped(value: str) -> str:
    return f"\\{value}" if value.startswith("~") or value.lower() in SPECIAL else value
