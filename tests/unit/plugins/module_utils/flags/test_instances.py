# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an instance answers about a flag."""

from __future__ import annotations

import socket
import typing as t

import pytest
from support.serving import serving

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.flags import instances
from ansible_collections.steady.rollout.plugins.module_utils.waiting import Clock


def params(*urls: str, **given: t.Any) -> dict[str, t.Any]:
    base = {"name": "checkout-v2", "instances": list(urls), "instances_path": None, "seen_timeout": "0.3"}
    return {**base, "validate_certs": True, **given}


@pytest.mark.parametrize(
    ("answer", "path", "missing"),
    [
        ('{"flags": {"checkout-v2": false}}', None, ""),
        ('{"flags": {"checkout-v2": "off"}}', None, ""),
        ('{"features": {"checkout": {"on": false}}}', "features.checkout.on", ""),
        ('{"flags": {"checkout-v2": true}}', None, "still answers true"),
        ('{"flags": {"checkout-v2": "maybe"}}', None, "has no true or false at flags.checkout-v2"),
        ('{"flags": []}', None, "has no true or false at flags.checkout-v2"),
        ("[]", None, "has no true or false at flags.checkout-v2"),
        ('{"other": 1}', None, "has no true or false at flags.checkout-v2"),
        ("<html>", None, "answered 200 without the flag"),
    ],
)
def test_answers(answer: str, path: str | None, missing: str) -> None:
    def respond(head: str, connection: socket.socket) -> None:
        connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {len(answer)}\r\n\r\n{answer}".encode())

    with serving(respond) as port:
        url = f"http://127.0.0.1:{port}/health"
        listed = instances.from_options(params(url, instances_path=path))
        seen = instances.wait_until_seen(listed, False, Clock(), 0.0)
    assert seen.missing == ({url: missing} if missing else {})


def test_addresses_and_times_that_cannot_be_right() -> None:
    with pytest.raises(InputError) as refused:
        instances.from_options(params("app1:8080"))
    assert refused.value.message == (
        "instances: each has to be an http or https URL with a host, such as http://app1:8080/health."
    )
    with pytest.raises(InputError):
        instances.from_options(params(seen_timeout="soon"))


def test_no_key_of_an_address_is_shown() -> None:
    listed = instances.from_options(params("http://me:secret@app1/health?token=hidden"))
    assert list(listed.urls) == ["http://app1/health"]
