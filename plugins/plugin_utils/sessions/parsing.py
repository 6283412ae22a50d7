# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps the threads of a worker from parsing Python at the same time.

Ansible parses Python to read a plugin's documentation, to pack a module and to convert options. CPython 3.11 counts the depth of
all syntax trees that are being built in one place: a thread that takes over in between, because the garbage collector runs
Python code, makes it raise SystemError, "AST constructor recursion depth mismatch" (python/cpython#106905).
"""

from __future__ import annotations

import threading

ONE_AT_A_TIME = threading.RLock()
