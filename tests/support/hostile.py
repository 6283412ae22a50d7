# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values that nobody means: for options, and for what hosts and servers answer."""

from __future__ import annotations

import copy
import random
import typing as t

Options = t.Dict[str, t.Any]


def deep(levels: int, leaf: t.Any = 1) -> t.Any:
    for level in range(levels):
        leaf = [leaf] if level % 2 else {"a": leaf}
    return leaf


TEXTS = (
    "",
    " ",
    "\n",
    "\0",
    "a\0b",
    "\ud800",
    "a\udcffb",
    "\u202egnp.exe",
    "\x1b[2J\x1b]0;x\x07",
    "x" * 100_000,
    "../../../../etc/passwd",
    "/",
    "//",
    "-rf",
    "--help",
    "; touch x",
    "$(touch x)",
    "`touch x`",
    "{{ 7 * 7 }}",
    "%s%n",
    "nan",
    "inf",
    "-1",
    "1e999",
    "0",
    "00",
    "٣",
    "9" * 5000,
    "true",
    "null",
    "a b",
    "a,b",
    "a:b",
    "a;b\nset server x/y state maint",
    "1.0.0\n",
    "ﬀ",
    "CON",
    "http://",
    "http://[",
    "http://[::1",
    "http://a:99999/",
    "http://127.0.0.1:1/\r\nX: y",
    "http://user:p@ss@127.0.0.1:1/",
    "ftp://127.0.0.1/",
    "file:///etc/passwd",
    "unix:/nowhere",
    "127.0.0.1:0",
    "[::1]:1",
    "a" * 300 + ".invalid",
    "xn--a",
    "'",
    '"',
    "\\",
    "${x}",
    "body.[",
    "length(@",
    "sha256:zz",
    "*",
    "<script>",
    "&#x0;",
)
NUMBERS = (
    0,
    -1,
    1,
    2**31,
    2**63,
    -(2**63),
    2**64,
    10**30,
    0.0,
    -0.0,
    0.1,
    -0.5,
    1e308,
    float("nan"),
    float("inf"),
    -float("inf"),
)
STRUCTURES = (
    [],
    {},
    [None],
    [[]],
    [{}],
    {"": ""},
    {"a": None},
    {"\ud800": "\0"},
    ["x"] * 2000,
    {"a": {"b": {"c": []}}},
)
DOCUMENTS = (
    "",
    "null",
    "[]",
    "{}",
    "true",
    '"text"',
    "NaN",
    "-Infinity",
    "1e999",
    "9" * 5000,
    '{"status": NaN}',
    '{"version": "1.0.0; touch x"}',
    '{"version": "\\ud800", "status": "healthy"}',
    '{"version": "\\u001b[2J", "status": {"a": [1]}}',
    '{"version": 1e400}',
    '{"a": ' * 5000 + "1" + "}" * 5000,
    "[" * 100_000,
    '{"status": "success", "data": {}}',
    '{"status": "success", "data": {"resultType": "vector", "result": [{}]}}',
    '{"status": "success", "data": {"resultType": "vector", "result": [{"metric": [], "value": "x"}]}}',
    '{"status": "success", "data": {"resultType": "matrix", "result": [{"metric": {}, "values": [[1, "x"], [], 7]}]}}',
    '{"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1e999, "1"]}]}}',
    '{"status": "success", "warnings": 7, "data": {"resultType": "scalar", "result": [1]}}',
    '[{"labels": []}, 7, {"labels": {"alertname": {}, "instance": []}}, null]',
    "\x1b[31m" * 100,
    "\x00\xff\xfe",
    "<html><body>" + "x" * 100_000,
)
"""What a server may send instead of what was asked for."""


def text(rng: random.Random) -> str:
    if rng.random() < 0.8:
        return rng.choice(TEXTS)
    return "".join(
        chr(rng.choice((rng.randrange(32), rng.randrange(0x300), rng.randrange(0x11000))))
        for _one in range(rng.randrange(40))
    )


def value(rng: random.Random) -> t.Any:
    """Anything that YAML, extra variables or templates may make of an option."""
    kind = rng.random()
    if kind < 0.45:
        return text(rng)
    if kind < 0.7:
        return rng.choice(NUMBERS)
    if kind < 0.9:
        return copy.deepcopy(rng.choice(STRUCTURES))
    if kind < 0.95:
        return rng.choice((None, True, False))
    return deep(rng.choice((3, 30, 70, 400)))


def mutated(rng: random.Random, options: t.Any, spec: t.Mapping[str, t.Any]) -> Options:
    """The options with one to three of them, at any depth, replaced, added or left out."""
    changed: Options = copy.deepcopy(options)
    for _change in range(rng.choice((1, 1, 2, 3))):
        _mutate(rng, changed, spec)
    return changed


def _mutate(rng: random.Random, options: Options, spec: t.Mapping[str, t.Any]) -> None:
    names = sorted(set(spec) | set(options)) or ["a"]
    name = rng.choice(names)
    inner = spec.get(name, {}).get("options")
    found = options.get(name)
    if inner and isinstance(found, dict) and rng.random() < 0.85:
        _mutate(rng, found, inner)
    elif isinstance(found, (dict, list)) and found and rng.random() < 0.75:
        _mutate_within(rng, found, inner)
    elif rng.random() < 0.1:
        options.pop(name, None)
    elif "choices" in spec.get(name, {}) and rng.random() < 0.7:
        options[name] = rng.choice(spec[name]["choices"])
    else:
        options[name] = value(rng)


def _mutate_within(rng: random.Random, found: t.Any, inner: t.Mapping[str, t.Any] | None) -> None:
    key = rng.choice(sorted(found, key=str)) if isinstance(found, dict) else rng.randrange(len(found))
    if isinstance(found[key], dict) and rng.random() < 0.8:
        _mutate(rng, found[key], inner if isinstance(found, list) and inner else {})
    elif isinstance(found[key], list) and found[key] and rng.random() < 0.6:
        _mutate_within(rng, found[key], None)
    else:
        found[key] = value(rng)
