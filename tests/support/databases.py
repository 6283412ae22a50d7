# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the tests on a real PostgreSQL, and alembic's environment for it; a conftest.py imports what it needs."""

from __future__ import annotations

import typing as t

import pytest
from support.postgres import Postgres, postgres

ALEMBIC_ENV = """\
import os
from alembic import context
from sqlalchemy import create_engine
url = os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://")
if context.is_offline_mode():
    context.configure(url=url, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    with create_engine(url).connect() as connection:
        context.configure(connection=connection)
        with context.begin_transaction():
            context.run_migrations()
"""


@pytest.fixture(scope="session")
def server() -> t.Iterator[Postgres]:
    with postgres() as server:
        yield server


@pytest.fixture
def database(server: Postgres) -> Postgres:
    """An empty database named shop."""
    server.fresh()
    return server
