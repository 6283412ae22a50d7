# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""One probe of one target over HTTP or TCP or by a command, and the verdict on its answer."""

from __future__ import annotations

import dataclasses
import http.client
import json
import shutil
import ssl
import time
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import documents
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.health.policy import Sample
from ansible_collections.steady.rollout.plugins.module_utils.http import excerpts, queries, tls
from ansible_collections.steady.rollout.plugins.module_utils.http import exchange as client
from ansible_collections.steady.rollout.plugins.module_utils.http.targets import Target, redacted

RunCommand = t.Callable[..., t.Tuple[int, str, str]]


@dataclasses.dataclass(frozen=True)
class Seen:
    """What came back, before it is judged: either a *trouble* or a *status* (of HTTP, or an exit code) and a body."""

    text: str = ""
    status: int | None = None
    trouble: str | None = None


class Prober:
    """Probes targets; holds what can be prepared once, such as certificates."""

    def __init__(
        self, targets: list[Target], run_command: RunCommand, clock: t.Callable[[], float] = time.monotonic
    ) -> None:
        self._run_command = run_command
        self._clock = clock
        self._tls = {target.name: _tls(target) for target in targets if _may_need_tls(target)}

    def probe(self, target: Target, seconds: float) -> Sample:
        """One probe that takes at most *seconds*; never raises. The sample's *at* is for the caller to set."""
        began = self._clock()
        seen = self._ask(target, seconds)
        return judged(target, seen, self._clock() - began)

    def _ask(self, target: Target, seconds: float) -> Seen:
        try:
            if target.command:
                return _run(target.command, seconds, self._run_command)
            if target.tcp:
                client.connect(*target.tcp, client.Deadline(seconds)).close()
                return Seen()
            return self._ask_http(target, seconds)
        except (OSError, http.client.HTTPException, ValueError) as error:
            return Seen(trouble=client.in_words(error, seconds))

    def _ask_http(self, target: Target, seconds: float) -> Seen:
        request = client.Request(
            method=target.method,
            url=target.url or "",
            headers=target.headers,
            body=target.body,
            tls=self._tls.get(target.name),
            follow_redirects=target.follow_redirects,
        )
        answer = client.exchange(request, client.Deadline(seconds))
        return Seen(text=answer.body.decode("utf-8", "replace"), status=answer.status)


def judged(target: Target, seen: Seen, latency: float) -> Sample:
    """The sample that an answer amounts to. Pure."""
    document = documents.parsed_or_none(seen.text)
    version, revision = _found(target.version_path, document), _found(target.revision_path, document)
    problem = seen.trouble or _problem(target, seen, document, latency)
    reason = f"{target.place} {problem or _answered(target, seen)}"
    return Sample(
        at=0.0,
        ok=problem is None,
        reason=redacted(reason, target.secrets),
        latency=latency,
        status=seen.status,
        version=None if version is None else redacted(version, target.secrets),
        revision=None if revision is None else redacted(revision, target.secrets),
        body=excerpts.excerpt(seen.text, excerpts.known(target.secrets)) if seen.text else None,
    )


def _problem(target: Target, seen: Seen, document: t.Any, latency: float) -> str | None:
    answered = _answered(target, seen)
    if target.command and seen.status != 0:
        return answered
    if target.url and seen.status not in target.status:
        return f"{answered}, expected {' or '.join(str(status) for status in target.status)}"
    if target.latency is not None and latency > target.latency:
        return f"{answered} but took longer than {target.latency:g} s"
    wrong = _wrong("version", target.version, target.version_path, document)
    wrong = wrong or _wrong("revision", target.revision, target.revision_path, document)
    if wrong:
        return f"{answered} with the wrong {wrong}"
    expect = _expectation(target, document)
    if expect and expect(document) is not True:
        return f'{answered} but expect "{expect.expression}" was {_shown(expect, document)}'
    return None


def _expectation(target: Target, document: t.Any) -> queries.Query | None:
    """What is expected of an answer that names this version and revision."""
    if not target.expect:
        return None
    expression = target.expect.expression
    for placeholder, path in (
        (target.version_placeholder, target.version_path),
        (target.revision_placeholder, target.revision_path),
    ):
        if placeholder and placeholder in expression:
            found = _found(path, document)
            if found is None:
                return None
            quoted = found.replace("\\", "\\\\").replace("'", "\\'")
            expression = expression.replace(placeholder, quoted)
    return queries.compiled(target.name, "expect", expression)


def _answered(target: Target, seen: Seen) -> str:
    if target.command:
        return f"exited with {seen.status}"
    return f"answered {seen.status}" if target.url else "accepted the connection"


def _wrong(what: str, wanted: str | None, path: queries.Query | None, document: t.Any) -> str | None:
    found = _found(path, document)
    if wanted is None or found == wanted:
        return None
    if found is not None:
        return f"{what}: expected {wanted}, found {found}"
    if document is None:
        return f"{what}: expected {wanted}, found none as the body is not JSON"
    return f'{what}: expected {wanted}, found none at "{path.expression if path else what}"'


def _shown(expect: queries.Query, document: t.Any) -> str:
    """What an expectation came to; not the value where the expression names a secret."""
    value = expect(document)
    if document is None:
        return "not true: the body is not JSON"
    if value is False:
        return "false"
    if excerpts.names_a_secret(expect.expression.replace("\n", " ")):
        return "not true"
    text = json.dumps(excerpts.without_secrets(value))
    return f"not true but {text if len(text) <= 60 else text[:57] + '...'}"


def _found(path: queries.Query | None, document: t.Any) -> str | None:
    found = path(document) if path else None
    return str(found) if isinstance(found, (str, int, float)) and not isinstance(found, bool) else None


def _run(argv: tuple[str, ...], seconds: float, run_command: RunCommand) -> Seen:
    guarded = list(argv)
    if shutil.which("timeout"):
        guarded = ["timeout", "-k", "1", f"{seconds:.3f}", *argv]
    status, stdout, stderr = run_command(guarded, handle_exceptions=False, expand_user_and_vars=False)
    if len(guarded) > len(argv) and status in (124, 137):
        return Seen(trouble=f"did not end within {seconds:.3g} s")
    if status:
        said = (stderr.strip() or stdout.strip()).splitlines()
        return Seen(text=said[-1] if said else "", status=status)
    return Seen(text=stdout, status=status)


def _may_need_tls(target: Target) -> bool:
    return target.url is not None and (target.url.startswith("https:") or target.follow_redirects)


def _tls(target: Target) -> ssl.SSLContext:
    try:
        return tls.context(target.validate_certs, target.ca_path)
    except OSError as error:
        raise InputError(
            f"targets: ca_path of '{target.name}' cannot be used: {target.ca_path} ({error.strerror or error})."
        ) from None
