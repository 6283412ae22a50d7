# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Apache's routes for testers and its maintenance page: files of our own that its configuration includes.

A tester's request is rewritten to another balancer where ProxyPass would have sent it to the pool's, which is found by a
subrequest (LA-U). Those of its paths that a subrequest reads differently, with % ? or # in them, are left alone.

A page is a setting for all that is sent to the pool's balancer, wherever it was sent from. It switches the pool's
routes off, so that testers get it, too.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import re
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.balancers import routing
from ansible_collections.steady.rollout.plugins.module_utils.balancers.common.reloaded_routing import (
    OURS,
    ReloadedPages,
    ReloadedRoutes,
    refuse_foreign,
)
from ansible_collections.steady.rollout.plugins.module_utils.balancers.routing import Page, Seen, Selector

ROUTES, PAGE, NO_PAGE = f"{OURS}routes of testers.", f"{OURS}maintenance page ", f"{OURS}no maintenance page.\n"
ROUTE = "# route "
RULE = """\
<IfDefine !{define}>
{route}{facts}
RewriteCond "{subject}" "{pattern}"
RewriteCond "%{{REQUEST_URI}}" "^[^?#%]*$"
RewriteCond "%{{LA-U:REQUEST_FILENAME}}" "^proxy:balancer://{pool}(/.*)$"
RewriteRule "^" "balancer://{target}%1" [P,NS]
</IfDefine>
"""
SHOWN = """\
{header}
Define {define}
<Proxy "balancer://{pool}/*">
  Redirect 503 "/"
  ErrorDocument 503 "{text}"
  Header always set Retry-After "{page.retry_after}"
  Header always set Content-Type "{page.content_type}"
</Proxy>
"""
# Characters that Apache takes in one string of an expression, rounded down to what is whole in base64.
LONGEST_STRING = 8000
NOTE_PATHS = "Requests whose path has %25, %3F or %23 in it still go by the weights."

Facts = t.Dict[str, str]


class ApacheRoutes(ReloadedRoutes):
    """Testers' routes of a pool."""

    what = "Apache balancer"
    notes = (NOTE_PATHS,)

    def read(self, testers: Selector) -> Seen:
        target = self._targets(self._file.file.read()).get(self._key(testers), "")
        return Seen(target, self._file.is_read())

    def send(self, testers: Selector, target: str) -> None:
        self._file.edit(lambda text: self._edited(text, testers, target))

    def _edited(self, text: str, testers: Selector, target: str) -> str:
        targets = {**self._targets(text), self._key(testers): target}
        rules = [_rule(pool, one, to) for (pool, one), to in targets.items() if to]
        return "".join([f"{ROUTES}\n", "RewriteEngine On\n" if rules else "", *rules])

    def _key(self, testers: Selector) -> tuple[str, Selector]:
        return self._pool, testers

    def _targets(self, text: str) -> dict[tuple[str, Selector], str]:
        refuse_foreign(self._where, self._file, text)
        found = [json.loads(line[len(ROUTE) :]) for line in text.splitlines() if line.startswith(ROUTE)]
        return {(one["pool"], Selector(one["kind"], one["name"], one["value"])): one["target"] for one in found}


class ApachePages(ReloadedPages):
    """The maintenance page of a pool."""

    def show(self, page: Page | None) -> None:
        self._file.edit(lambda text: self._text(text, page))

    def _text(self, before: str, page: Page | None) -> str:
        self._page(before)
        if page is None:
            return NO_PAGE
        body = base64.b64encode(page.body.encode()).decode()
        header = PAGE + json.dumps({**dataclasses.asdict(page), "body": body})
        text = "".join(f"%{{unbase64:{part}}}" for part in _parts(body))
        return SHOWN.format(header=header, define=_define(self._pool), pool=self._pool, text=text, page=page)

    def _page(self, text: str) -> Page | None:
        refuse_foreign(self._where, self._file, text)
        if not text.startswith(PAGE):
            return None
        page = Page(**json.loads(text.partition("\n")[0][len(PAGE) :]))
        return dataclasses.replace(page, body=base64.b64decode(page.body).decode())


def _parts(body: str) -> list[str]:
    return [body[start : start + LONGEST_STRING] for start in range(0, len(body), LONGEST_STRING)]


def _rule(pool: str, testers: Selector, target: str) -> str:
    facts = {"pool": pool, **dataclasses.asdict(testers), "target": target}
    if testers.kind == routing.HEADER:
        subject, pattern = f"%{{HTTP:{testers.name}}}", f"={testers.value}"
    else:
        subject, pattern = "%{HTTP:Cookie}", testers.cookie_pattern
    return RULE.format(
        define=_define(pool),
        route=ROUTE,
        facts=json.dumps(facts),
        subject=subject,
        pattern=pattern,
        pool=re.escape(pool),
        target=target,
    )


def _define(pool: str) -> str:
    """What is defined while the page of a pool is up."""
    return f"STEADY_PAGE_{re.sub(r'[^A-Za-z0-9]', '_', pool)}"
