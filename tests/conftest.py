"""Makes the checkout importable as ansible_collections.steady.rollout."""

from __future__ import annotations

import pathlib
import sys

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY / ".collections"))
sys.path.insert(0, str(REPOSITORY / "tests"))
