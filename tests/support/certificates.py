# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server's certificate, as a fixture for a conftest to offer."""

from __future__ import annotations

import pathlib
import shutil
import subprocess

import pytest


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A key and a certificate for localhost that nobody else trusts."""
    if not shutil.which("openssl"):
        pytest.skip("openssl is not on this machine, and a certificate is made with it")
    place = tmp_path_factory.mktemp("tls") / "server.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        + ["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
        + ["-keyout", str(place), "-out", f"{place}.crt"],
        check=True,
        capture_output=True,
    )
    place.write_text(place.read_text() + pathlib.Path(f"{place}.crt").read_text())
    return place
