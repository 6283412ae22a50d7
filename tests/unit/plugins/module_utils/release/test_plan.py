# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be done with the releases of a host."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.release import plan as release_plan
from ansible_collections.steady.rollout.plugins.module_utils.release.plan import Artifact, Release, Snapshot

ONE = Artifact("sha256:1", "sha256:c1")


def snapshot(*versions: str, current: str | None = None, activated: str = "", bad: str = "") -> Snapshot:
    return Snapshot(
        tuple(Release(version, True, float(at), ONE, version in bad.split()) for at, version in enumerate(versions)),
        current,
        tuple(activated.split()),
    )


def texts(steps: list[release_plan.Step]) -> list[str]:
    return [str(step) for step in steps]


def plan(state: str, version: str, before: Snapshot, stage: bool = False, keep: int = 5) -> list[str]:
    return texts(release_plan.plan(state, version, before, stage, [], keep, now=100.0))


def test_a_first_release() -> None:
    assert plan("active", "1", Snapshot(), stage=True) == ["stage 1", "switch from nothing to 1"]


def test_staging_ahead_switches_nothing() -> None:
    assert plan("staged", "2", snapshot("1", current="1"), stage=True) == ["stage 2"]


def test_what_is_reached_needs_no_step() -> None:
    before = snapshot("1", "2", current="2", activated="1 2")
    assert plan("active", "2", before) == []
    assert plan("staged", "1", before) == []
    assert plan("bad", "1", snapshot("1", bad="1")) == []


def test_an_already_staged_release_gets_its_missing_links() -> None:
    steps = release_plan.plan("active", "1", snapshot("1", current="1"), False, ["log", "uploads"], 5, 0.0)
    assert texts(steps) == ["link log of 1 to shared", "link uploads of 1 to shared"]


def test_old_releases_go_when_a_new_one_is_active() -> None:
    before = snapshot("1", "2", "3", "4", current="4", activated="1 2 3 4")
    assert plan("active", "5", before, stage=True, keep=3) == ["stage 5", "switch from 4 to 5", "prune 1", "prune 2"]


def test_bad_releases_go_first() -> None:
    before = snapshot("1", "2", "3", "4", current="4", activated="1 2 3 4", bad="2")
    assert plan("active", "5", before, stage=True, keep=4) == ["stage 5", "switch from 4 to 5", "prune 2"]


def test_keep_0_keeps_all() -> None:
    assert plan("active", "3", snapshot("1", "2", current="2"), stage=True, keep=0) == ["stage 3", "switch from 2 to 3"]


def test_a_version_not_staged_can_be_marked_bad() -> None:
    assert plan("bad", "9", Snapshot()) == ["mark 9 bad"]


def test_previous_is_what_was_active_before() -> None:
    assert snapshot("1", "2", current="2", activated="1 2").previous == "1"
    assert snapshot("1", "2", current="1", activated="1 2 1").previous == "2"
    assert snapshot("1", "2", current="2", activated="1 3 2").previous == "1", "3 is gone"
    assert snapshot("1", "2", current="2", activated="1").previous == "1", "killed before the list was written"
    assert snapshot("1", current="1", activated="1").previous is None


def test_a_release_switched_to_by_hand_is_remembered() -> None:
    assert release_plan.activations(("1", "2"), "3", "4") == ("1", "2", "3", "4")


@pytest.mark.parametrize(
    "version", ["", "..", "../x", "a/b", "current", "previous", "shared", "-x", ".x", "a b", "a\n"]
)
def test_unsafe_versions_are_refused(version: str) -> None:
    with pytest.raises(InputError) as refused:
        release_plan.check_version(version)
    assert refused.value.message == (
        f"version: '{version}' cannot name a release; use letters, digits and . _ + ~ -, starting with a letter, digit or "
        "_, at most 128 of them, and none of current, previous, releases, shared."
    )


@pytest.mark.parametrize("version", ["1", "2.0.0", "2.0.0-rc.1+build.5", "main_ab12", "1:2"[:1]])
def test_ordinary_versions_are_fine(version: str) -> None:
    release_plan.check_version(version)


@pytest.mark.parametrize("path", ["/etc", "../x", "a/../b", "", "./a"])
def test_shared_paths_stay_inside(path: str) -> None:
    with pytest.raises(InputError) as refused:
        release_plan.check_shared([path])
    assert refused.value.message == (
        f"shared: '{path}' is not a path inside the release; use a relative one such as var/log."
    )


def test_shared_paths_do_not_overlap() -> None:
    with pytest.raises(InputError) as refused:
        release_plan.check_shared(["a/b", "a//"])
    assert refused.value.message == "shared: 'a' appears twice or contains a/b; keep one."
    with pytest.raises(InputError) as refused:
        release_plan.check_shared(["a", "a/"])
    assert refused.value.message == "shared: 'a' appears twice or contains itself; keep one."


@pytest.mark.parametrize(
    ("known", "given", "same"),
    [
        (ONE, ONE, True),
        (ONE, Artifact("sha256:other", "sha256:c1"), True),
        (ONE, Artifact("sha256:1", None), True),
        (ONE, Artifact("sha256:1", None, strip=1), False),
        (ONE, Artifact("sha256:2", "sha256:c2"), False),
        (Artifact(), Artifact(), False),
    ],
)
def test_same_artifact(known: Artifact, given: Artifact, same: bool) -> None:
    assert release_plan.same_artifact(known, given) is same


def test_other_files_under_the_current_version_are_refused() -> None:
    with pytest.raises(RolloutError) as refused:
        release_plan.needs_staging("/opt/shop", snapshot("1", current="1"), "1", Artifact("sha256:2"))
    assert refused.value.message == (
        "/opt/shop: 1 is the current release and the artifact is another one (staged from sha256:1, strip 0; given "
        "sha256:2, strip 0). Give the new artifact a version of its own."
    )


def test_other_files_under_a_version_that_is_not_in_use_replace_it() -> None:
    assert release_plan.needs_staging("/opt/shop", snapshot("1", "2", current="2"), "1", Artifact("sha256:2"))


def test_a_current_release_of_unknown_origin_is_left_alone() -> None:
    unknown = Snapshot((Release("1", True),), "1")
    assert not release_plan.needs_staging("/opt/shop", unknown, "1", ONE)
    assert release_plan.needs_staging("/opt/shop", Snapshot((Release("1", True),), None), "1", ONE)


def test_a_bad_version_is_not_activated() -> None:
    with pytest.raises(RolloutError) as refused:
        release_plan.refuse_bad("/opt/shop", snapshot("1", bad="1"), "1", allow_bad=False)
    assert refused.value.message == (
        "/opt/shop: 1 is marked bad and is not activated. Deploy another version, or set allow_bad to activate it "
        "anyway."
    )
    release_plan.refuse_bad("/opt/shop", snapshot("1", bad="1"), "1", allow_bad=True)


def test_nothing_to_stage_from() -> None:
    with pytest.raises(RolloutError) as refused:
        release_plan.refuse_missing("/opt/shop", snapshot("1", "2"), "3")
    assert refused.value.message == (
        "/opt/shop: 3 is not staged and no source is given. Give a source, or one of the staged versions: 1, 2."
    )


names = st.sampled_from(["1", "2", "3", "4", "5", "6", "7"])
snapshots = st.builds(
    lambda versions, current, activated, bad: Snapshot(
        tuple(Release(version, True, float(at), ONE, version in bad) for at, version in enumerate(versions)),
        current if current in versions else None,
        tuple(activated),
    ),
    st.lists(names, unique=True),
    st.none() | names,
    st.lists(names),
    st.sets(names),
)


@given(snapshots, names, st.booleans(), st.integers(0, 8))
def test_what_serves_and_what_a_rollback_needs_is_never_removed(
    before: Snapshot, version: str, stage: bool, keep: int
) -> None:
    stage = stage or not before.is_staged(version)
    steps = release_plan.plan("active", version, before, stage, [], keep, now=100.0)
    end = release_plan.after(before, steps, 100.0)
    removed = {step.version for step in steps if step.kind == "prune"}
    assert end.current == version
    assert version in end.versions
    assert before.current is None or before.current in end.versions
    assert not removed & {end.current, end.previous}
    assert keep == 0 or len(end.versions) <= max(keep, 2)
    assert len(end.versions) >= min(keep or 99, len(set(before.versions) | {version}))
    spared_bad = [v for v in end.versions if v in end.bad and v not in (end.current, end.previous)]
    assert not spared_bad or removed <= set(before.bad)
    assert release_plan.plan("active", version, end, False, [], keep, now=200.0) == []
