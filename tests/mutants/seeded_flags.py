# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bugs in the release of a feature by its flag."""

from __future__ import annotations

from seeded import Mutant, of

UTILS = "plugins/module_utils/"
LEDGER = UTILS + "ledger/"
RELEASES = (
    "tests/unit/plugins/module_utils/ledger/rules/test_flag_release.py",
    "tests/unit/plugins/module_utils/ledger/operations/test_flag_release.py",
    "tests/unit/plugins/module_utils/ledger/test_flag_release_story.py",
)

MUTANTS: tuple[Mutant, ...] = (
    *of(
        LEDGER + "rules/flag_release.py",
        ("11 no data lets a share grow", "if inputs.verdict in NOT_GOOD:", 'if inputs.verdict in ("fail",):'),
        (
            "6 a release that has failed goes on",
            "if inputs.status != model.OPEN and phase != WITHDRAWING:",
            "if inputs.status == model.REVERTING and phase != WITHDRAWING:",
        ),
        ("6 a pause holds no share", "    if inputs.paused:\n", "    if False:\n"),
        (
            "13 a share counts as set where one place has it",
            "if all(not one.why and one.share == share for one in inputs.found):",
            "if any(not one.why and one.share == share for one in inputs.found):",
        ),
        ("13 on for nobody is taken for off", 'return not self.why and self.state != "on"', "return not self.share"),
        (
            "14 what was intended when the run was killed is a surprise",
            "else {release.seen, release.intended}",
            "else {release.seen}",
        ),
        ("a kill by somebody is overruled", 'if one.state == "killed"), None)', "if False), None)"),
        ("a share begins below what users have", "if not one.share.is_within(steps[0].share):", "if False:"),
        tests=RELEASES,
    ),
    *of(
        LEDGER + "operations/open_flag_release.py",
        (
            "a step that nobody has judged counts as baked",
            "dataclasses.replace(release, tries=0, baked_from=session.now)",
            "dataclasses.replace(release, tries=0)",
        ),
        (
            "a refusal keeps a flag on",
            "    if not is_back:\n        _refuse_refused(params)",
            "    _refuse_refused(params)",
        ),
        (
            "half a fleet gets a feature",
            "    if latest is not None and (latest.concluded_at",
            "    if False and (latest.concluded_at",
        ),
        tests=RELEASES,
    ),
    *of(
        LEDGER + "operations/flag_release.py",
        (
            "12 a share is set before it is on record",
            "    if act.kind not in (traffic_acts.SET, rules.OFF):\n",
            "    if act.kind not in (rules.OFF,):\n",
        ),
        tests=RELEASES,
    ),
    *of(
        "plugins/plugin_utils/flags/release_settings.py",
        (
            "hosts are a baseline for a flag",
            "if _counts(one) or not _by_variant(one",
            "if False and not _by_variant(one",
        ),
        (
            "all users are compared with nobody",
            '"baseline": [] if percent >= 100 else list',
            '"baseline": list',
        ),
    ),
    *of(
        LEDGER + "rules/flag_steps.py",
        (
            "a step takes the feature from the segment before",
            "return tuple(sorted({*before.segments, name}))",
            "return (name,)",
        ),
        (
            "a release takes the feature from a segment that has it",
            "return self.percent <= other.percent and set(self.segments) <= set(other.segments)",
            "return self.percent <= other.percent",
        ),
        tests=("tests/unit/plugins/module_utils/ledger/rules/test_flag_steps.py", *RELEASES),
    ),
    *of(
        UTILS + "flags/planning.py",
        ("a segment that is not there counts as one", "    if unknown:\n", "    if False:\n"),
        (
            "a segment that nobody has named is overlooked",
            "rules = (*flag.rules, *_unwanted(flag, wanted))",
            "rules = flag.rules",
        ),
        tests=("tests/unit/plugins/module_utils/flags/test_planning.py",),
    ),
    *of(
        LEDGER + "rules/flags.py",
        (
            "a rollout that never began turns off what is on at the end of the next",
            "last is not None and bool(last.by_rollback) and last.goal == OFF",
            "last is not None and last.goal == OFF",
        ),
        (
            "a flag that a rollback has left on is forgotten",
            "last.goal == OFF and last.status != DONE",
            "last.goal == OFF and last.status == INTENDED",
        ),
        tests=("tests/unit/plugins/module_utils/ledger/operations/test_flags.py",),
    ),
    *of(
        "plugins/plugin_utils/flags/drive.py",
        ("a first step is refused only at the end", "            self._rehearse(flag)\n", ""),
        tests=("tests/unit/plugins/plugin_utils/flags/test_drive.py",),
    ),
)
