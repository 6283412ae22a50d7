# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Makes the request of a step: kept values in their places, the body in its format, the URL on the target. Pure."""

from __future__ import annotations

import json
import ssl
import typing as t
from urllib.parse import quote, urlencode, urlsplit

from ansible_collections.steady.rollout.plugins.module_utils.http import exchange as client
from ansible_collections.steady.rollout.plugins.module_utils.http import targets as targets_
from ansible_collections.steady.rollout.plugins.module_utils.smoke import templates
from ansible_collections.steady.rollout.plugins.module_utils.smoke.options import UNFIT_FOR_A_HEADER
from ansible_collections.steady.rollout.plugins.module_utils.smoke.steps import Step, Target

AGENT = "steady.rollout smoke_test"
CONTENT_TYPES = {"json": "application/json", "form-urlencoded": "application/x-www-form-urlencoded"}


def request_of(step: Step, target: Target, kept: templates.Kept, tls: ssl.SSLContext | None) -> client.Request:
    """What is sent for *step*; ValueError where a kept value does not fit where it is to go."""
    return client.Request(
        method=step.method,
        url=_url(step, target, kept),
        headers=_headers(step, target, kept),
        body=_body(step, kept),
        tls=tls,
    )


def shown_address(step: Step, target: Target) -> str:
    """Where a step goes, as it may be shown: kept values by their names, without credentials and query."""
    path = step.url.partition("?")[0].partition("#")[0]
    if path.startswith("/"):
        return targets_.shown_url(target.url) + path
    if path.startswith("${"):
        return f"{targets_.shown_url(target.url)} {path}"
    return targets_.shown_url(step.url)


def _url(step: Step, target: Target, kept: templates.Kept) -> str:
    start = templates.PLACE.match(step.url)
    if start is None or start.group(0) == templates.LITERAL:
        return (target.url if step.url.startswith("/") else "") + templates.filled(step.url, kept, _escaped)
    begun = _on_target(target, templates.as_text(kept[start.group(1)]))
    return begun + templates.filled(step.url[start.end() :], kept, _escaped)


def _on_target(target: Target, address: str) -> str:
    """An address out of an answer, asked of the target itself.

    A service names itself as its users know it. That may lead to a host that is not the one to test.
    """
    try:
        parts = urlsplit(address)
    except ValueError:
        raise ValueError("its url is made of a kept value that is not a URL") from None
    path = parts._replace(scheme="", netloc="", fragment="").geturl()
    base = urlsplit(target.url)
    if parts.netloc or path.startswith("/"):
        return f"{base.scheme}://{base.netloc}{_clean(path) or '/'}"
    return f"{target.url}/{_clean(path)}"


def _clean(path: str) -> str:
    return quote(path, safe="/?&=#%:;,+@!$'()*~[]")


def _escaped(value: str) -> str:
    return quote(value, safe="")


def _headers(step: Step, target: Target, kept: templates.Kept) -> dict[str, str]:
    headers = {name: templates.filled(value, kept) for name, value in step.headers.items()}
    for name, value in headers.items():
        if UNFIT_FOR_A_HEADER.search(value):
            raise ValueError(f"a kept value does not fit into its header {name}")
    given = {name.lower() for name in headers}
    authorization = targets_.basic_authorization(target.url if step.url[:1] in "/$" else step.url)
    if authorization and "authorization" not in given:
        headers["Authorization"] = authorization
    if step.body is not None and step.body_format in CONTENT_TYPES and "content-type" not in given:
        headers["Content-Type"] = CONTENT_TYPES[step.body_format]
    if "user-agent" not in given:
        headers["User-Agent"] = AGENT
    return headers


def _body(step: Step, kept: templates.Kept) -> bytes | None:
    body = step.body
    if body is None:
        return None
    if isinstance(body, str):
        encode = _escaped if step.body_format == "form-urlencoded" else str
        return templates.filled(body, kept, encode).encode()
    structure = templates.filled_structure(body, kept)
    if step.body_format == "form-urlencoded":
        return urlencode(_pairs(structure)).encode()
    return json.dumps(structure).encode()


def _pairs(form: dict[str, t.Any]) -> list[tuple[str, str]]:
    """A field with a list of values is sent once for each."""
    return [
        (name, templates.as_text(value))
        for name, values in form.items()
        for value in (values if isinstance(values, list) else [values])
    ]
