# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of the test run, as data: what each does, needs and may take.

In a step's words {bin} stands for the venv's programs, {root} for the checkout, {build} for build/, {reports} for the
folder of the part's JUnit reports. A step without reports counts as one test.
"""

from __future__ import annotations

import dataclasses
import typing as t

from . import haproxy_versions

Words = t.Tuple[str, ...]

SOURCES = ("plugins", "tests", "examples")
PLAIN_PYTEST = ("{bin}/python", "-m", "pytest", "-p", "no:testinfra")
PYTEST = (*PLAIN_PYTEST, "--junitxml={reports}/pytest.xml")
ON_DEBIAN_13 = ("-m", "every_suite", "--suite", "trixie", "--junitxml={reports}/debian-13.xml")
FLEET_PROGRAMS = ("systemd-nspawn", "mmdebstrap", "zstd", "ip", "ssh", "pgrep", "mkfs.ext4")
FLEET_DOWN = ("{root}/tests/fleet/lab/fleet", "down")
LABS = 2
"""In which tests of real hosts run at the same time, for they mostly wait; a file's tests stay in one lab."""
IN_LABS = ("-n", str(LABS), "--dist", "loadfile")
LABS_DOWN = (
    "sh",
    "-c",
    'for lab in "$STEADY_LAB" $(seq -f "$STEADY_LAB-gw%g" 0 {last}); do STEADY_LAB=$lab "$0" down; done'.replace(
        "{last}", str(LABS - 1)
    ),
    "{root}/tests/fleet/lab/fleet",
)
ON_ALL_CORES = ("-n", "auto", "--dist", "worksteal")
COMPUTING, WAITING = "computing", "waiting"
TEST_LAB = {"STEADY_LAB": "steady-test"}
"""A lab of the tests' own, beside the one that somebody may be exploring with."""
MOLECULE_LAB = {"STEADY_LAB": "steady-molecule"}


@dataclasses.dataclass(frozen=True)
class Step:
    name: str
    words: Words


@dataclasses.dataclass(frozen=True)
class Part:
    """*limit* is in seconds: what takes longer hangs. *after* runs always, also when the part was interrupted.

    Parts of one lane run one after the other, lanes at the same time: one lane keeps the processor busy, what is in
    the other mostly waits for hosts and servers.
    """

    name: str
    does: str
    steps: tuple[Step, ...]
    limit: int
    programs: Words = ()
    useful: Words = ()
    """Programs without which some of its tests are skipped."""
    unleash: bool = False
    """Whether some of its tests run a real Unleash."""
    root: bool = False
    after: Words = ()
    env: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    lane: str = COMPUTING


def script(module: str, *words: str) -> Words:
    """A module beside this one, in the runner's own interpreter."""
    return ("{python}", "-m", f"run.{module}", *words)


LINT = Part(
    "lint",
    "ruff, mypy, yamllint, ansible-lint, the documentation's and the changelog's linters",
    (
        Step("ruff check", ("{bin}/ruff", "check", ".")),
        Step("ruff format", ("{bin}/ruff", "format", "--check", ".")),
        Step("mypy", ("{bin}/mypy", "plugins")),
        Step("mypy of the runner", ("{bin}/mypy", "tests/run")),
        Step("yamllint", ("{bin}/yamllint", "--strict", ".")),
        Step("ansible-lint", script("in_copy", "{bin}/ansible-lint", "--offline", "--profile", "production", "--strict")),
        Step(
            "antsibull-docs",
            script("in_copy", "{bin}/antsibull-docs", "lint-collection-docs", "--plugin-docs",
                   "--validate-collection-refs", "all", "--disallow-unknown-collection-refs", "."),
        ),
        Step("settings table", ("{bin}/python", "tests/run/settings_table.py", "--check")),
        Step("balancers table", ("{bin}/python", "tests/run/balancers_table.py", "--check")),
        Step("flags table", ("{bin}/python", "tests/run/flags_table.py", "--check")),
        Step("antsibull-changelog", ("{bin}/antsibull-changelog", "lint")),
    ),
    limit=600,
)  # fmt: skip

SANITY = Part(
    "sanity",
    "ansible-test sanity on the oldest Python that is here and on the checks' own, without ignores; with STEADY_LONG=1 on all",
    (Step("ansible-test", script("sanity", "{reports}")),),
    limit=1800,
    programs=("git",),
)

PACKAGE = Part(
    "package",
    "build, galaxy-importer, and a playbook out of the installed tarball",
    tuple(Step(name, script("package", name)) for name in ("build", "importer", "install", "documentation", "status")),
    limit=600,
    programs=("git",),
)

UNIT = Part(
    "unit",
    "pytest tests/unit, in a time zone of odd offsets",
    (Step("pytest", (*PYTEST, *ON_ALL_CORES, "tests/unit")),),
    limit=1800,
    env={"TZ": "Pacific/Chatham"},
)

FUZZ = Part(
    "fuzz",
    "every module with hostile values, every client with bad servers; results in build/fuzz.json",
    (Step("pytest", (*PYTEST, "tests/fuzz")),),
    limit=900,
    lane=WAITING,
)

MAKES = ("haproxy", "nginx", "apache2")
"""Servers of the contract that a machine may have; Envoy and the fake of AWS are in the venv."""
CORE = tuple(f"contract:haproxy@{release}+core" for release in haproxy_versions.RELEASES)
OTHER_VERSIONS = tuple(
    f"{suite}@{release}" for release in haproxy_versions.RELEASES for suite in ("contract:haproxy", "haproxy")
)
"""The suites on HAProxy's other versions."""
MONITORS = ("prometheus", "prometheus-alertmanager")
DATABASES = ("pg_ctlcluster", "redis-server")
"""What a test on real hosts migrates, and what has its feature flags."""
FLAG_SYSTEMS = "flags/test_contract.py"
CLOUDWATCH = "metrics/test_by_cloudwatch.py"
CLUSTERS = ("etcd", "etcdctl", "rabbitmq-server")
CONTRACT = Part(
    "contract",
    "pytest tests/integration: the contract on HAProxy and Envoy, what is HAProxy's own, the flag systems' contract, CloudWatch",
    (
        Step(
            "integration",
            script(
                "integration",
                "{reports}",
                "contract:haproxy",
                "contract:envoy",
                FLAG_SYSTEMS,
                CLOUDWATCH,
                *CORE,
                "haproxy",
                "release",
                "toy",
                "traffic",
            ),
        ),
    ),
    limit=1800,
    programs=("haproxy",),
    useful=DATABASES,
    unleash=True,
)

BALANCERS = Part(
    "balancers",
    "the contract on every load balancer, and what each has of its own; results in build/contract.json",
    (
        Step(
            "integration",
            script(
                "integration",
                "{reports}",
                "aws",
                "contract",
                "weights",
                "haproxy",
                *OTHER_VERSIONS,
                "envoy",
                "apache",
                "nginx",
            ),
        ),
    ),
    limit=1800,
    useful=MAKES,
    lane=WAITING,
)

INTEGRATION = Part(
    "integration",
    "all of tests/integration",
    (Step("integration", script("integration", "{reports}")),),
    limit=2400,
    useful=(*MAKES, *MONITORS, "sshd", "sudo", *DATABASES, "pgbouncer", "mariadbd", *CLUSTERS),
    unleash=True,
    lane=WAITING,
)

FLEET = Part(
    "fleet",
    "pytest tests/fleet: real hosts, traffic, faults",
    (
        Step("pytest", (*PYTEST, *IN_LABS, "tests/fleet")),
        Step("a sample on Debian 13", (*PLAIN_PYTEST, *ON_DEBIAN_13, "tests/fleet")),
    ),
    limit=3300,
    programs=FLEET_PROGRAMS,
    useful=DATABASES,
    unleash=True,
    root=True,
    after=LABS_DOWN,
    env=TEST_LAB,
    lane=WAITING,
)

MOLECULE = Part(
    "molecule",
    "molecule's default scenario on real hosts, verified by testinfra",
    (Step("molecule", script("molecule", "{reports}")),),
    limit=600,
    programs=FLEET_PROGRAMS,
    root=True,
    after=FLEET_DOWN,
    env=MOLECULE_LAB,
    lane=WAITING,
)

FRESH = Part(
    "fresh",
    "the README's set-up commands in a bare Debian 12; with STEADY_LONG=1 also lint, unit tests, the lab's base",
    (Step("set-up", script("fresh")),),
    limit=900,
    programs=("mmdebstrap", "git"),
    root=True,
    lane=WAITING,
)

COMPAT = Part(
    "compat",
    "real rollouts on four ansible-cores, in build/compat.json; unit tests on the oldest and the newest; Python 3.8",
    tuple(Step(name, script("compat", "{reports}", name)) for name in ("rollouts", "oldest", "newest", "python38")),
    limit=3600,
    programs=("haproxy",),
)

OLDEST = Part(
    "oldest",
    "a rolling deployment with a gate, and one that fails, on the oldest ansible-core, on local processes",
    (Step("rollouts", script("compat", "{reports}", "sample")),),
    limit=600,
    programs=("haproxy",),
    lane=WAITING,
)

MUTANTS = Part(
    "mutants",
    "seeded bugs in the pure core, each of which the unit tests must catch",
    (Step("mutants", ("{bin}/python", "tests/mutants/check.py")),),
    limit=3600,
)

ALL = (LINT, SANITY, PACKAGE, UNIT, FUZZ, OLDEST, FRESH, CONTRACT, FLEET, MOLECULE)
EVERY = (*ALL, BALANCERS, INTEGRATION, COMPAT, MUTANTS)
WITHIN_OTHERS = (CONTRACT, BALANCERS, OLDEST)
LONG = tuple(part for part in EVERY if part not in WITHIN_OTHERS)
LONG_FACTOR = 6
"""How much longer than its limit a part may take when the long series run."""

BY_NAME = {part.name: part for part in EVERY}
