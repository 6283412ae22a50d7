# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's HAProxy nodes with more in their configuration, for as long as a test needs it."""

from __future__ import annotations

import contextlib
import typing as t

from fleet.lab import files
from fleet.lab.files import SERVICE_PORT, More
from fleet.lab.places import Host
from fleet.world.shifting import CANARY
from fleet.world.shop import Shop

ROUTES = "/etc/haproxy/routes.map"
PAGES = "/etc/haproxy/pages.map"
EXPORTER_PORT = 8405
TESTERS = More(
    frontend=f"""\
    http-request set-var(txn.tester) req.fhdr(x-canary)
    http-request set-var(txn.route) str(x-canary=),concat(,txn.tester),map({ROUTES})
    use_backend %[var(txn.route)] if {{ var(txn.route) -m found }}""",
    sections="backend shop-canary\n"
    + "\n".join(f"    server {name} {Host.named(name).address}:{SERVICE_PORT} check" for name in CANARY),
)
LOGGED = More(
    frontend="    log ring@requests format raw local0\n    option httplog",
    sections="ring requests\n    format raw\n    maxlen 2000\n    size 16777216",
)
PAGE = More(
    frontend=f"""\
    http-request set-var(txn.page) str(shop),map({PAGES})
    acl page var(txn.page) -m found
    http-request return status 503 content-type text/plain hdr Retry-After %[var(txn.page),field(1,:)] lf-string %[var(txn.page),field(3,:),b64dec] if page
    http-after-response set-header Content-Type %[var(txn.page),field(2,:),b64dec] if page"""
)
STICKY = More(backend="    cookie SRV insert indirect nocache", server="cookie {name}")
EXPORTER = More(
    sections=f"""\
frontend figures
    bind 0.0.0.0:{EXPORTER_PORT}
    http-request use-service prometheus-exporter if {{ path /metrics }}"""
)


@contextlib.contextmanager
def configured(shop: Shop, more: More) -> t.Iterator[None]:
    """Every node reloaded with these lines, and at the end without them."""
    _configure(shop, more)
    try:
        yield
    finally:
        _configure(shop, More())


@contextlib.contextmanager
def of_hosts(shop: Shop, names: t.Collection[str]) -> t.Iterator[None]:
    """Every node reloaded with these app hosts alone in its configuration, and at the end with all of them."""
    _configure(shop, More(), names)
    try:
        yield
    finally:
        _configure(shop, More())


def _configure(shop: Shop, more: More, names: t.Collection[str] | None = None) -> None:
    members = set(shop.apps if names is None else names)
    apps = [host for host in shop.lab.hosts if host.name in members]
    script = f'printf %s "$1" >/etc/haproxy/haproxy.cfg; : >{ROUTES}; : >{PAGES}; systemctl reload haproxy'
    for balancer in shop.balancers:
        shop.lab.run(balancer, ["sh", "-ec", script, "sh", files.haproxy(apps, more)])
    shop.await_that(lambda: all(found == members for found in shop.in_rotation().values()))
