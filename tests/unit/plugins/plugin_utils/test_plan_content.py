# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an approval covers besides the plan: content, not names."""

from __future__ import annotations

import pathlib

from ansible_collections.steady.rollout.plugins.plugin_utils.plan_content import plan_content


def test_a_file_counts_by_what_is_in_it(tmp_path: pathlib.Path) -> None:
    (tmp_path / "tasks").mkdir()
    steps = tmp_path / "tasks" / "update.yml"
    steps.write_text("- ansible.builtin.ping:\n")
    before = plan_content({"rollout_unit": "shop"}, ["update.yml"], [str(tmp_path)])
    assert before["rollout_unit"] == "shop"
    assert before["update.yml"].startswith("sha256:")
    steps.write_text("- ansible.builtin.command: reboot\n")
    assert plan_content({"rollout_unit": "shop"}, ["update.yml"], [str(tmp_path)]) != before


def test_a_folder_counts_by_its_files_names_and_links(tmp_path: pathlib.Path) -> None:
    release = tmp_path / "shop"
    (release / "bin").mkdir(parents=True)
    (release / "bin" / "app").write_text("1")

    def digest() -> str:
        return plan_content({"rollout_artifact": str(release)}, [], [])["rollout_artifact"]

    seen = [digest()]
    (release / "bin" / "app").write_text("2")
    seen.append(digest())
    (release / "bin" / "app").rename(release / "bin" / "App")
    seen.append(digest())
    (release / "link").symlink_to("bin/App")
    seen.append(digest())
    assert len(set(seen)) == 4
    assert digest() == seen[-1]


def test_what_is_no_path_here_counts_as_it_is_written() -> None:
    url = "https://example.com/shop-2.0.0.tar.gz"
    assert plan_content({"rollout_artifact": url}, [], []) == {"rollout_artifact": url}
