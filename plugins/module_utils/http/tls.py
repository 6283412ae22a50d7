# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""How servers prove who they are."""

from __future__ import annotations

import os
import ssl


def context(validate_certs: bool, ca_path: str | None = None) -> ssl.SSLContext:
    """For connections to servers; *ca_path* is a file or directory of authorities to trust as well.

    OSError where it cannot be read or holds no certificate.
    """
    made = ssl.create_default_context()
    if ca_path:
        made.load_verify_locations(**{"capath" if os.path.isdir(ca_path) else "cafile": ca_path})
    if not validate_certs:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    return made
