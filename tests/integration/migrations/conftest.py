# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pathlib
import typing as t

import pytest
from support.databases import database, server
from support.orders_site import Site, orders_site
from support.postgres import Postgres

__all__ = ["database", "server"]


@pytest.fixture
def site(tmp_path: pathlib.Path, database: Postgres) -> t.Iterator[Site]:
    with orders_site(tmp_path, database) as site:
        yield site
