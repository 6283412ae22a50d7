# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bugs in revisions, and in what is done on a version that stays."""

from __future__ import annotations

from seeded import Mutant, of

UTILS = "plugins/module_utils/"
LEDGER = UTILS + "ledger/"
STORIES = (
    "tests/unit/plugins/module_utils/ledger/test_story.py",
    "tests/unit/plugins/module_utils/ledger/operations/test_operation.py",
    "tests/unit/plugins/module_utils/ledger/rules/test_versions.py",
)
DRILLS = ("tests/unit/plugins/module_utils/ledger/operations/test_tiers.py",)

MUTANTS: tuple[Mutant, ...] = (
    *of(
        LEDGER + "rules/versions.py",
        ("16 any revision is the one asked for", "bool(asked) and not revision and", "bool(asked) and"),
        (
            "a rollout of a version forgets the revision",
            "return joined(asked, split(running)[1])\n",
            "return asked\n",
        ),
        (
            "the release after an interrupted drill is a drill",
            "if not asked or split(asked)[1] or is_drill(running):",
            "if not asked or split(asked)[1]:",
        ),
        ("9 a host between two revisions is taken for one", "    if len(found) == 1:\n", "    if found:\n"),
        (
            "19 a host reports a revision in its version",
            "return known(reported) if REVISION not in str(reported) else None",
            "return known(reported)",
        ),
        tests=STORIES,
    ),
    *of(
        LEDGER + "storage/tiers.py",
        ("a drill hides the release before it from its rollback", "if not is_drill(state[1])), None)", "), None)"),
        tests=DRILLS,
    ),
    *of(
        LEDGER + "operations/open_tiers.py",
        ("a drill replaces a release that is not finished", "    if tiers.is_drill(asked):\n", "    if False:\n"),
        (
            "a release of what runs goes on with a drill that was killed",
            "return tiers.is_drill(before) == tiers.is_drill(asked) and",
            "return",
        ),
        tests=DRILLS,
    ),
    *of(
        LEDGER + "messages/drill.py",
        (
            "a drill passes whichever service failed",
            "if tier is None or rollout is None or tier.state != tiers.REVERTED or not _passes(records, rollout):",
            "if tier is None or rollout is None:",
        ),
        tests=DRILLS,
    ),
    *of(
        LEDGER + "rules/tiers.py",
        (
            "a killed drill starts over where another service is to fail",
            "versions.plain(tier.version) if versions.is_drill(tier.version) else tier.version",
            "tier.version",
        ),
        tests=DRILLS,
    ),
    *of(
        LEDGER + "operations/read_fleet.py",
        (
            "9 what was half changed counts as unchanged",
            "if host is not None and (host.modified or host.drained_by_us):",
            "if False:",
        ),
        tests=STORIES,
    ),
    *of(
        LEDGER + "operations/host_plan.py",
        (
            "a host that nobody could look at is patched",
            "    if session.rollout.kind == model.PATCH:\n",
            "    if False:\n",
        ),
        tests=STORIES,
    ),
    *of(
        LEDGER + "operations/operation.py",
        (
            "an interrupted restart starts over",
            "if latest is not None and latest.kind == model.RESTART and _is_left(latest):",
            "if False:",
        ),
        ("a rollout that was interrupted is restarted", "and not unfinished.operation:", "and False:"),
        tests=STORIES,
    ),
    *of(
        LEDGER + "operations/report.py",
        (
            "9 a host that fails in a restart goes to another version",
            "target = None if session.rollout.keeps_release else _rollback_target(session, before)",
            "target = _rollback_target(session, before)",
        ),
        tests=STORIES,
    ),
    *of(
        LEDGER + "operations/revert.py",
        (
            "9 a failed restart is rolled back",
            'return session.limits.on_failure == "revert" and not session.rollout.keeps_release',
            'return session.limits.on_failure == "revert"',
        ),
        tests=STORIES,
    ),
    *of(
        UTILS + "reboot.py",
        ("a kernel of another flavour asks for a reboot", "if _flavour(name) == flavour", "if True"),
        (
            "what is left of a removed kernel counts",
            'os.path.join(root + KERNELS, name, "modules.dep")',
            "root + KERNELS",
        ),
        tests=("tests/unit/plugins/module_utils/test_reboot.py",),
    ),
)
