# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Brings a release's artifact to the host as one local file, with its checksum."""

from __future__ import annotations

import dataclasses
import hashlib
import http.client
import os
import re
import shutil
import ssl
import typing as t
import urllib.error
import urllib.request
from urllib.parse import SplitResult, unquote, urlsplit

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.http.targets import shown_url, split_url
from ansible_collections.steady.rollout.plugins.module_utils.release.archive import ArtifactError
from ansible_collections.steady.rollout.plugins.module_utils.release.pack import pack

CHUNK = 1024 * 1024
SCHEMES = ("http", "https", "file")


@dataclasses.dataclass(frozen=True)
class Source:
    """Where an artifact comes from: a local path or a URL."""

    location: str
    checksum: str | None = None
    headers: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    timeout: float = 60.0
    validate_certs: bool = True

    @property
    def scheme(self) -> str:
        """http, https, file or, for a plain path, nothing."""
        return scheme_of(self.location)

    @property
    def is_remote(self) -> bool:
        return self.scheme in ("http", "https")

    @property
    def path(self) -> str:
        """The local path of a source that is one."""
        return unquote(urlsplit(self.location).path) if self.scheme == "file" else self.location

    @property
    def name(self) -> str:
        """The source as it may be shown."""
        return shown_url(self.location) if self.is_remote else self.path


def scheme_of(location: str) -> str:
    return location.partition("://")[0].lower() if "://" in location else ""


def check_source(source: Source) -> None:
    """InputError where the source cannot be right as written."""
    if source.scheme and source.scheme not in SCHEMES:
        raise InputError(f"source: '{source.scheme}://' is not known; use a path or an http, https or file URL.")
    if source.is_remote and not (split_url(source.location) or SplitResult("", "", "", "", "")).hostname:
        raise InputError("source: the URL has no host or is not well formed.")
    if source.is_remote and not source.checksum:
        raise InputError(f"checksum is needed for {source.name}: sha256: and 64 hexadecimal digits.")
    if source.checksum and not re.fullmatch(r"sha256:[0-9a-f]{64}", source.checksum):
        raise InputError(f"checksum: '{source.checksum}' is not sha256: and 64 hexadecimal digits.")


def fetch(source: Source, place: str) -> tuple[str, str]:
    """A local archive of the source and its checksum, checked where one is expected.

    Downloads to *place*, and packs a directory there; a local archive is used where it is.
    """
    if source.is_remote:
        checksum = _download(source, place)
        path = place
    elif os.path.isdir(source.path):
        if source.checksum:
            raise InputError(f"checksum: {source.path} is a directory, and a checksum is that of a file; leave it out.")
        pack(source.path, place)
        path, checksum = place, checksum_of(place)
    elif os.path.isfile(source.path):
        path, checksum = source.path, checksum_of(source.path)
    else:
        raise InputError(f"source: there is no file or directory {source.path} on this host.")
    refuse_other_checksum(source, checksum)
    return path, checksum


def refuse_other_checksum(source: Source, found: str) -> None:
    """ArtifactError where the file found is not the one meant."""
    if source.checksum and source.checksum != found:
        raise ArtifactError(
            f"{source.name} is not the file that was meant: expected checksum {source.checksum}, found {found}. "
            "Build or copy it again, or correct the checksum; nothing was changed."
        )


def checksum_of(path: str) -> str:
    """The checksum of a file in the form that the option has."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        for chunk in iter(lambda: stream.read(CHUNK), b""):
            digest.update(chunk)
    return f"sha256:{digest.hexdigest()}"


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but leaves the given headers behind when another host is asked."""

    def __init__(self, given: t.Iterable[str]) -> None:
        self._given = {name.capitalize() for name in given}

    def redirect_request(self, req: t.Any, fp: t.Any, code: t.Any, msg: t.Any, headers: t.Any, newurl: t.Any) -> t.Any:
        request = super().redirect_request(req, fp, code, msg, headers, newurl)
        if request is not None and urlsplit(newurl)[:2] != urlsplit(req.full_url)[:2]:
            for name in self._given:
                request.remove_header(name)
        return request


def _download(source: Source, place: str) -> str:
    """Proxies of the environment are used, as for other downloads on the host."""
    try:
        with _opened(source) as answer, open(place, "wb") as target:
            shutil.copyfileobj(answer, target, CHUNK)
            if getattr(answer, "length", None):
                raise http.client.IncompleteRead(b"", answer.length)
    except urllib.error.HTTPError as error:
        raise RolloutError(f"{source.name} could not be fetched: the server answered {error.code}.") from None
    except urllib.error.URLError as error:
        raise RolloutError(f"{source.name} could not be fetched: {_in_words(error.reason)}.") from None
    except http.client.IncompleteRead:
        raise RolloutError(f"{source.name} could not be fetched: the answer was cut short.") from None
    except http.client.HTTPException as error:
        raise RolloutError(
            f"{source.name} could not be fetched: no proper HTTP answer ({type(error).__name__})."
        ) from None
    except (ConnectionError, TimeoutError, ssl.SSLError) as error:
        raise RolloutError(f"{source.name} could not be fetched: {_in_words(error)}.") from None
    return checksum_of(place)


def _opened(source: Source) -> t.Any:
    request = urllib.request.Request(_bare(source.location), headers=dict(source.headers))
    opener = urllib.request.build_opener(
        _Redirects(source.headers), urllib.request.HTTPSHandler(context=_tls(source.validate_certs))
    )
    return opener.open(request, timeout=source.timeout)


def _bare(url: str) -> str:
    """Without the credentials, which go into a header."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _tls(validate: bool) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if not validate:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _in_words(reason: t.Any) -> str:
    return str(getattr(reason, "strerror", None) or reason)
