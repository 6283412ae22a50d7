# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All benchmarks of `make bench`, one after the other. Each prints its figures; they also go below build/bench."""

from __future__ import annotations

import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
BENCHES = ("startup.py", "ledger.py", "rolling.py")


def main() -> int:
    return max(subprocess.run([sys.executable, str(HERE / bench)], check=False).returncode for bench in BENCHES)


if __name__ == "__main__":
    sys.exit(main())
