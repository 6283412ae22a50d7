# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What starting each module costs, and what AWS would add: processor time to import it in a fresh interpreter.

The third column is the price of boto3 and of the makes that use it, which only a task pays whose balancer is of AWS.
Writes build/bench/startup.json.
"""

from __future__ import annotations

import json
import pathlib
import statistics
import subprocess
import sys
import typing as t

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
BUILD = REPOSITORY / "build" / "bench"
COLLECTION = "ansible_collections.steady.rollout.plugins"
MAKES = tuple(f"{COLLECTION}.module_utils.balancers.{name}" for name in ("aws_target_group", "aws_listener", "route53"))
BOTO = ("boto3", "botocore.exceptions", "botocore.config")
ROUNDS = 5
CHILD = """
import importlib, json, sys, time
sys.path.insert(0, sys.argv[1])
began = time.process_time()
for name in sys.argv[2:]:
    importlib.import_module(name)
took = time.process_time() - began
print(json.dumps({"ms": 1000 * took, "aws": sorted({"boto3", "botocore"} & set(sys.modules))}))
"""


class Cost(t.NamedTuple):
    alone_ms: float
    with_aws_ms: float
    imports: list[str]
    """Which of AWS's packages it imports by itself; none is right."""


def cost_of(module: str) -> Cost:
    """Medians of some rounds."""
    alone = [imported(module) for dummy in range(ROUNDS)]
    with_aws = [imported(module, *MAKES, *BOTO) for dummy in range(ROUNDS)]
    return Cost(median_ms(alone), median_ms(with_aws), alone[0]["aws"])


def imported(*names: str) -> dict[str, t.Any]:
    argv = [sys.executable, "-c", CHILD, str(REPOSITORY / ".collections"), *names]
    answer = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True).stdout
    return t.cast("dict[str, t.Any]", json.loads(answer))


def median_ms(rounds: t.Sequence[t.Mapping[str, t.Any]]) -> float:
    return round(statistics.median(one["ms"] for one in rounds), 1)


def main() -> int:
    BUILD.mkdir(parents=True, exist_ok=True)
    names = sorted(path.stem for path in (REPOSITORY / "plugins" / "modules").glob("*.py"))
    basis = median_ms([imported("ansible.module_utils.basic") for dummy in range(ROUNDS)])
    costs = {name: cost_of(f"{COLLECTION}.modules.{name}") for name in names}
    figures = {"ansible_ms": basis, "modules": {name: cost._asdict() for name, cost in costs.items()}}
    (BUILD / "startup.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print(f"importing a module, ms of processor time (median of {ROUNDS}); of that Ansible's own part {basis}")
    print(f"{'':22}{'alone':>8}{'with AWS in use':>18}  imports of AWS")
    for name, cost in costs.items():
        print(f"{name:22}{cost.alone_ms:>8}{cost.with_aws_ms:>18}  {', '.join(cost.imports) or 'none'}")
    return int(any(cost.imports for cost in costs.values()))


if __name__ == "__main__":
    sys.exit(main())
