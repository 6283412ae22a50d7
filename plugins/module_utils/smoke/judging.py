# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Whether an answer is the one that was expected, and what to keep of it. Pure."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import documents
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.http import excerpts
from ansible_collections.steady.rollout.plugins.module_utils.smoke import options, templates
from ansible_collections.steady.rollout.plugins.module_utils.smoke.secrets import Secrets
from ansible_collections.steady.rollout.plugins.module_utils.smoke.steps import BODY, COOKIE, HEADER, REGEX, Keep, Step

LONGEST_VALUE = 64 * 1024
Headers = t.Tuple[t.Tuple[str, str], ...]


@dataclasses.dataclass(frozen=True)
class Reply:
    """What came back: a *trouble* in words, or an answer. *seconds* is how long that took."""

    seconds: float
    trouble: str | None = None
    status: int | None = None
    text: str = ""
    headers: Headers = ()
    cookies: t.Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def document(self) -> t.Any:
        return documents.parsed_or_none(self.text)

    def header(self, name: str) -> str | None:
        found = [value for given, value in self.headers if given.lower() == name.lower()]
        return ", ".join(found) if found else None


def problem(step: Step, reply: Reply, kept: templates.Kept) -> str | None:
    """Why an answer is not good, to follow the address that gave it; None where it is."""
    if reply.trouble:
        return reply.trouble
    answered = f"answered {reply.status}"
    if reply.status not in step.status:
        return f"{answered}, expected {' or '.join(str(status) for status in step.status)}"
    if step.latency is not None and reply.seconds > step.latency:
        return f"{answered} but took longer than {step.latency:g} s"
    wrong = _wrong_header(step, reply, kept) or _wrong_body(step, reply, kept)
    return f"{answered} but {wrong}" if wrong else None


def kept_from(step: Step, reply: Reply) -> tuple[dict[str, templates.Value], str | None]:
    """The values to keep of a good answer, and what is wrong where one of them is not there."""
    found: dict[str, templates.Value] = {}
    for keep in step.keep:
        value = _found(keep, reply)
        if not isinstance(value, (str, int, float)) or value == "":
            why = "is nothing" if value in (None, "") else "is not a text, number or boolean"
            return found, f"answered {reply.status} but what it should keep as {keep.name}, {keep.place}, {why}"
        if len(str(value)) > LONGEST_VALUE:
            return found, f"answered {reply.status} but what it should keep as {keep.name}, {keep.place}, is too long"
        found[keep.name] = value
    return found, None


def excerpt(step: Step, reply: Reply, secrets: Secrets) -> str:
    """The beginning of an answer on one line; empty where it may hold what must not be shown."""
    if step.is_confidential or not reply.text:
        return ""
    return excerpts.excerpt(reply.text, secrets.hide_in_answer)


def _wrong_header(step: Step, reply: Reply, kept: templates.Kept) -> str | None:
    for name, expected in step.expect_headers.items():
        found = reply.header(name)
        if found is None:
            return f"without the header {name}"
        if templates.filled(expected, kept) not in found:
            return f'its header {name} does not hold "{expected}"'
    return None


def _wrong_body(step: Step, reply: Reply, kept: templates.Kept) -> str | None:
    if step.contains is not None and templates.filled(step.contains, kept) not in reply.text:
        return f'its body does not hold "{step.contains}"'
    try:
        query = options.compiled_expect(step, kept)
    except InputError:
        # The expression as written was compiled before; its error would show what was kept.
        return f'expect "{step.expect}" cannot be judged with the kept values in its places'
    if query is None:
        return None
    found = query(reply.document)
    return None if found is True else f'expect "{step.expect}" was {_described(found, reply)}'


def _described(found: t.Any, reply: Reply) -> str:
    """What an expectation came to; never the value itself, which may be the secret that was asked for."""
    if reply.document is None:
        return "not true: the body is not JSON"
    if found is False:
        return "false"
    kinds = {str: "a text", dict: "a dictionary", list: "a list", type(None): "nothing"}
    return f"not true but {kinds.get(type(found), 'a number')}"


def _found(keep: Keep, reply: Reply) -> t.Any:
    if keep.source == HEADER:
        return reply.header(keep.key)
    if keep.source == COOKIE:
        return reply.cookies.get(keep.key)
    if keep.source == REGEX and keep.pattern:
        match = keep.pattern.search(reply.text)
        return match.group(1 if keep.pattern.groups else 0) if match else None
    return keep.query({BODY: reply.document}) if keep.query else None
