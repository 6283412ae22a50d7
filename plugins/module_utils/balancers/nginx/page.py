# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""nginx's maintenance page: a file of its own in a server block, and the page's text in another one beside it.

The page is reached by a status that nobody else uses (599), so that pages of the user's for 503 stay what they are.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json

from ansible_collections.steady.rollout.plugins.module_utils.balancers.common.reloaded_routing import (
    OURS,
    ReloadedPages,
    refuse_foreign,
)
from ansible_collections.steady.rollout.plugins.module_utils.balancers.routing import Page

NONE = f"{OURS}no maintenance page.\n"
LOCATION = "/.steady-rollout-page"
TEXT = """\
location = {location} {{
    internal;
    types {{ }}
    default_type "{page.content_type}";
    add_header Retry-After {page.retry_after} always;
    alias "{path}";
}}
error_page 599 =503 {location};
if ($uri != {location}) {{
    return 599;
}}
"""


class NginxPages(ReloadedPages):
    """The maintenance page in the server block that includes the file."""

    def show(self, page: Page | None) -> None:
        kind = _kind(page) if page else ""
        if page:
            self._file.file.write_beside(kind, page.body)
        self._file.edit(lambda text: self._text(text, page))
        # What was shown before may still be sent to somebody.
        self._file.file.clear_beside("page-", keep=2)

    def _text(self, before: str, page: Page | None) -> str:
        self._page(before)
        if page is None:
            return NONE
        path = self._file.file.beside(_kind(page))
        header = OURS + json.dumps({**dataclasses.asdict(page), "body": None})
        return f"{header}\n{TEXT.format(location=LOCATION, page=page, path=path)}"

    def _page(self, text: str) -> Page | None:
        refuse_foreign(self._where, self._file, text)
        first = text.partition("\n")[0]
        header_text = first[len(OURS) :]
        if not header_text.startswith("{"):
            return None
        page = Page(**{**json.loads(header_text), "body": ""})
        return dataclasses.replace(page, body=self._body(text))

    def _body(self, text: str) -> str:
        path = text.partition('alias "')[2].partition('"')[0]
        try:
            with open(path, encoding="utf-8", newline="") as stream:
                return stream.read()
        except (OSError, UnicodeDecodeError):
            return ""


def _kind(page: Page) -> str:
    """Another name for another text: nginx may keep files open that it has once served."""
    return f"page-{hashlib.sha256(page.body.encode()).hexdigest()[:12]}"
