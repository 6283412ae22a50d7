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
            "if all(not one.why and one.share == percent for one in inputs.found):",
            "if any(not one.why and one.share == percent for one in inputs.found):",
        ),
        ("13 on for nobody is taken for off", 'return not self.why and self.state != "on"', "return not self.share"),
        (
            "14 what was intended when the run was killed is a surprise",
            "else {release.shown, release.goal}",
            "else {release.shown}",
        ),
        ("a kill by somebody is overruled", 'if one.state == "killed"), None)', "if False), None)"),
        ("a share begins below what users have", "if one.share > steps[0].percent:", "if False:"),
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
)
