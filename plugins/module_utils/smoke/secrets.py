# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What must not be shown: credentials of the requests, cookies and kept values, in every form they may come back in."""

from __future__ import annotations

import base64
import binascii
import html
import json
import re
import threading
import typing as t
from urllib.parse import parse_qsl, quote, quote_plus, unquote

from ansible_collections.steady.rollout.plugins.module_utils import documents
from ansible_collections.steady.rollout.plugins.module_utils.http import targets as targets_
from ansible_collections.steady.rollout.plugins.module_utils.http.excerpts import HIDDEN, names_a_secret
from ansible_collections.steady.rollout.plugins.module_utils.smoke import templates

SHORTEST = targets_.SHORTEST_SECRET
"""Shorter values are hidden only as whole words of what a server said: elsewhere that would mangle every figure."""


class Secrets:
    """A growing collection of secrets that texts are cleaned of; may be used by several threads."""

    def __init__(self, values: t.Iterable[str] = ()) -> None:
        self._lock = threading.Lock()
        self._long: set[str] = set()
        self._short: set[str] = set()
        self.add(*values)

    def add(self, *values: str) -> None:
        """Remembers values in all the forms in which a server may repeat them."""
        forms = {form for value in values if value.strip() for form in _forms(value)}
        with self._lock:
            self._long.update(form for form in forms if len(form) >= SHORTEST)
            self._short.update(form for form in forms if len(form) < SHORTEST)

    def hide(self, text: str) -> str:
        """A text of ours without the secrets."""
        with self._lock:
            longest_first = sorted(self._long, key=len, reverse=True)
        return targets_.redacted(text, longest_first)

    def hide_in_answer(self, text: str) -> str:
        """A text that a server sent without the secrets, the short ones among them too."""
        with self._lock:
            short = sorted(self._short, key=len, reverse=True)
        text = self.hide(text)
        if not short:
            return text
        words = "|".join(re.escape(word) for word in short)
        return re.sub(rf"(?<![0-9A-Za-z])(?:{words})(?![0-9A-Za-z])", HIDDEN, text)

    def hide_everywhere(self, result: t.Any) -> t.Any:
        """A structure with all its texts cleaned."""
        if isinstance(result, dict):
            return {name: self.hide_everywhere(value) for name, value in result.items()}
        if isinstance(result, list):
            return [self.hide_everywhere(value) for value in result]
        return self.hide(result) if isinstance(result, str) else result


def of_params(params: t.Mapping[str, t.Any]) -> set[str]:
    """The secrets that a call's options hold: headers, secret parts of URLs and bodies, bodies marked as secret."""
    found: set[str] = set()
    for target in params.get("targets") or []:
        found.update(of_url(target.get("url") if isinstance(target, dict) else target))
    found.update(of_headers(params.get("headers") or {}))
    for request in params["requests"]:
        found.update(of_url(request.get("url")))
        found.update(of_headers(request.get("headers") or {}))
        found.update(of_body(request.get("body"), bool(request.get("secret"))))
    return {value for value in found if not templates.PLACE.fullmatch(value)}


def shown_options(params: t.Mapping[str, t.Any], secrets: t.Iterable[str]) -> dict[str, t.Any]:
    """The options as they may be shown: no header, no body, and no credentials in URLs, however short."""
    hidden = Secrets(secrets)

    def shown(option: t.Any, name: str = "") -> t.Any:
        if name in ("headers", "body") and option:
            return HIDDEN
        if isinstance(option, dict):
            return {key: shown(value, key) for key, value in option.items()}
        if isinstance(option, list):
            return [shown(value) for value in option]
        return hidden.hide_in_answer(option) if isinstance(option, str) else option

    return {name: shown(option, name) for name, option in params.items()}


def of_headers(headers: t.Mapping[str, t.Any]) -> set[str]:
    """The values of all headers but the harmless ones, whole and by their words, with what Basic stands for."""
    found: set[str] = set()
    for name, value in headers.items():
        if value is None or targets_.HARMLESS_HEADERS.fullmatch(str(name)):
            continue
        text = templates.as_text(value)
        found.update({text, *text.split()[1:]})
        if name.lower() == "cookie":
            found.update(pair.partition("=")[2].strip() for pair in text.split(";"))
        if text.lower().startswith("basic "):
            found.update(_password_of(text.split(None, 1)[1]))
    return found


def of_url(url: t.Any) -> set[str]:
    """The password in a URL and the values of parameters with the name of a secret."""
    parts = targets_.split_url(url) if isinstance(url, str) else None
    if parts is None:
        return set()
    found = {value for name, value in parse_qsl(parts.query) if targets_.SECRET_PARAMETERS.fullmatch(name)}
    if parts.password:
        basic = targets_.basic_authorization(url) or ""
        found.update({parts.password, unquote(parts.password), basic.rpartition(" ")[2]})
    return found


def of_body(body: t.Any, is_secret: bool) -> set[str]:
    """The texts and figures of a body: all of a secret one, else those with the name of a secret."""
    if isinstance(body, dict):
        return {
            one
            for name, value in body.items()
            for one in of_body(value, is_secret or names_a_secret(str(name)))
        }  # fmt: skip
    if isinstance(body, (list, tuple)):
        return {one for value in body for one in of_body(value, is_secret)}
    if isinstance(body, str) and not is_secret:
        document = documents.parsed_or_none(body)
        if isinstance(document, (dict, list)):
            return of_body(document, False)
        return {value for name, value in parse_qsl(body) if names_a_secret(name)}
    return {templates.as_text(body)} if is_secret and body not in (None, "") and not isinstance(body, bool) else set()


def _forms(value: str) -> set[str]:
    in_json = json.dumps(value)[1:-1]
    return {
        value,
        value.strip(),
        " ".join(value.split()),
        quote(value),
        quote(value, safe=""),
        quote_plus(value),
        in_json,
        in_json.replace("/", "\\/"),
        json.dumps(value, ensure_ascii=False)[1:-1],
        html.escape(value),
    }


def _password_of(basic: str) -> set[str]:
    try:
        return {base64.b64decode(basic, validate=True).decode().partition(":")[2]} - {""}
    except (binascii.Error, ValueError):
        return set()
