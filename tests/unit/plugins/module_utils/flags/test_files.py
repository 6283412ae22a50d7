# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Flags in files: what stands there besides them stays, and nothing is taken for off."""

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.flags.contract import Conflict, FlagSystem, Wanted
from ansible_collections.steady.rollout.plugins.module_utils.flags.file import backend as file_backend
from ansible_collections.steady.rollout.plugins.module_utils.flags.file.backend import open_file
from ansible_collections.steady.rollout.plugins.module_utils.flags.file.formats import Environment
from ansible_collections.steady.rollout.plugins.module_utils.flags.flagd import targeting
from ansible_collections.steady.rollout.plugins.module_utils.flags.flagd.backend import open_flagd

ENV = "# of the shop\nexport PORT=8080\nSEARCH='on' # tried\nCHECKOUT_V2=0\n\nCHECKOUT_V2 = FALSE\n"


def no_commands(*words: t.Any, **options: t.Any) -> tuple[int, str, str]:
    raise AssertionError(f"no command was expected: {words}")


def env(path: pathlib.Path, text: str = ENV, **given: t.Any) -> FlagSystem:
    path.write_text(text)
    return open_file({"path": str(path), **given}, no_commands)


def test_a_line_keeps_its_words_and_everything_else(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "shop.env"
    system = env(path)
    assert [system.read(name).state for name in ("search", "checkout-v2", "other")] == ["on", "off", "absent"]
    system.apply(system.read("search"), Wanted("off"))
    system.apply(system.read("checkout-v2"), Wanted("on"))
    system.apply(system.read("other"), Wanted("on"))
    assert path.read_text() == (
        "# of the shop\nexport PORT=8080\nSEARCH='off' # tried\nCHECKOUT_V2=1\n\nCHECKOUT_V2 = TRUE\nOTHER=true\n"
    )
    assert system.names() == ["SEARCH", "CHECKOUT_V2", "OTHER"]
    system.apply(system.read("checkout-v2"), Wanted("absent"))
    assert "CHECKOUT" not in path.read_text()


def test_a_value_that_is_neither_true_nor_false_is_no_flag(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "shop.env"
    with pytest.raises(RolloutError) as refused:
        env(path, key="PORT").read("checkout-v2")
    assert refused.value.message == (
        f"{path}: 'PORT' is '8080', neither true nor false, so it is not a flag. Nothing was changed; correct the file or "
        "system.key."
    )


def test_names_become_variables() -> None:
    assert [Environment("x").key_of(name) for name in ("checkout-v2", "2fa", "a.b")] == ["CHECKOUT_V2", "_2FA", "A_B"]


def test_json_within_a_section(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"title": "Läden", "shop": {"features": {"search": true, "limit": 7}}}')
    system = open_file({"path": str(path), "section": "shop.features"}, no_commands)
    assert system.names() == ["search"]
    system.apply(system.read("checkout_v2"), Wanted("on"))
    assert json.loads(path.read_text()) == {
        "title": "Läden",
        "shop": {"features": {"search": True, "limit": 7, "checkout_v2": True}},
    }
    with pytest.raises(RolloutError) as refused:
        open_file({"path": str(path), "section": "shop.flags"}, no_commands).read("a")
    assert refused.value.message == (
        f"{path}: has no object 'shop.flags' to keep flags in. Add it to the file, or correct system.section."
    )


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": ' * 200])
def test_a_broken_file_is_an_error_and_never_off(tmp_path: pathlib.Path, text: str) -> None:
    path = tmp_path / "flags.json"
    path.write_text(text)
    for system in (open_file({"path": str(path)}, no_commands), open_flagd({"path": str(path)})):
        with pytest.raises(RolloutError) as refused:
            system.read("a")
        assert refused.value.message.startswith(f"{path}: ")


def test_what_somebody_else_has_written_since_is_not_overwritten(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "flags.json"
    path.write_text("{}")
    system = open_file({"path": str(path)}, no_commands)
    flag = system.read("a")
    path.write_text('{"b": true}')
    with pytest.raises(Conflict):
        system.apply(flag, Wanted("on"))
    assert path.read_text() == '{"b": true}'


def test_the_application_is_reloaded_and_a_failure_of_that_is_said(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "shop.env"
    path.write_text("")
    commands: list[t.Any] = []

    def run(argv: list[str], **options: t.Any) -> tuple[int, str, str]:
        commands.append(argv)
        return len(commands) - 1, "", "no such unit\n"

    system = open_file({"path": str(path), "reload": "systemctl reload 'the shop'"}, run)
    system.apply(system.read("a"), Wanted("on"))
    assert commands == [["systemctl", "reload", "the shop"]]
    with pytest.raises(RolloutError) as failed:
        system.apply(system.read("a"), Wanted("off"))
    assert failed.value.message == (
        "reload: 'systemctl reload 'the shop'' ended with 1 (no such unit). The file is changed, but the application may still "
        "serve what it read before; reload it by hand."
    )
    assert file_backend.KEY.fullmatch("A_B")


def flagd(path: pathlib.Path, **flag: t.Any) -> FlagSystem:
    path.write_text(json.dumps({"flags": {"a": flag} if flag else {}, "$evaluators": {"x": 1}}))
    return open_flagd({"path": str(path)})


def written(path: pathlib.Path) -> dict[str, t.Any]:
    return dict(json.loads(path.read_text())["flags"]["a"])


YES_NO = {"new": True, "old": False}


def test_flagd_a_new_flag(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "flags.json"
    system = flagd(path)
    system.apply(system.read("a"), Wanted("on", 10, kind="experiment", description="SHOP-1", at=1_770_000_000))
    assert written(path) == {
        "variants": {"on": True, "off": False},
        "state": "ENABLED",
        "defaultVariant": "off",
        "targeting": {"fractional": [["on", 10], ["off", 90]]},
        "metadata": {
            "kind": "experiment",
            "description": "SHOP-1",
            "created": "2026-02-02T02:40:00Z",
            "changed": "2026-02-02T02:40:00Z",
        },
    }
    assert json.loads(path.read_text())["$evaluators"] == {"x": 1}
    found = system.read("a")
    assert (found.percent, found.created, found.kind) == (10, 1_770_000_000.0, "experiment")


def test_flagd_a_kill_whose_flag_is_on_again_is_over(tmp_path: pathlib.Path) -> None:
    note = {"killedReason": "orders twice", "killedAt": "2026-11-22T10:00:00Z"}
    found = flagd(tmp_path / "flags.json", state="ENABLED", variants=YES_NO, defaultVariant="new", metadata=note).read(
        "a"
    )
    assert (found.on, found.state, found.reason, found.killed_at) == (True, "on", "", None)
    found = flagd(tmp_path / "flags.json", state="ENABLED", variants=YES_NO, defaultVariant="old", metadata=note).read(
        "a"
    )
    assert (found.on, found.state, found.reason) == (False, "killed", "orders twice")


def test_flagd_how_users_are_distinguished_stays(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "flags.json"
    by = {"cat": [{"var": "email"}]}
    split = {"fractional": [by, ["new", 1], ["old", 3]]}
    system = flagd(path, state="ENABLED", variants=YES_NO, defaultVariant="old", targeting=split)
    assert (system.read("a").percent, system.read("a").rules) == (25, ())
    system.apply(system.read("a"), Wanted("on", 50))
    assert written(path)["targeting"] == {"fractional": [by, ["new", 50], ["old", 50]]}


def test_flagd_rules_of_others_stay_while_the_flag_is_off(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "flags.json"
    rule = {"if": [{"var": "beta"}, "new", "old"]}
    system = flagd(path, state="ENABLED", variants=YES_NO, defaultVariant="old", targeting=rule)
    assert (system.read("a").on, len(system.read("a").rules)) == (True, 1)
    system.apply(system.read("a"), Wanted("killed", reason="x", at=1_770_000_000))
    assert (written(path)["targeting"], written(path)["state"]) == (rule, "DISABLED")
    assert (system.read("a").state, system.read("a").killed_at) == ("killed", 1_770_000_000.0)
    system.apply(system.read("a"), Wanted("on"))
    assert (written(path)["targeting"], written(path)["state"]) == (rule, "ENABLED")
    assert system.read("a").state == "on"


@pytest.mark.parametrize(
    "variants",
    [None, {}, {"on": True}, {"on": 1, "off": 0}, {"on": True, "off": False, "third": "x"}, {"a": True, "b": True}],
)
def test_flagd_a_flag_with_other_values_is_not_touched(tmp_path: pathlib.Path, variants: t.Any) -> None:
    path = tmp_path / "flags.json"
    system = flagd(path, state="ENABLED", variants=variants, defaultVariant="on")
    with pytest.raises(RolloutError) as refused:
        system.read("a")
    assert refused.value.message == (
        f"{path}: 'a' does not have one variant with true and one with false, so it is not turned on or off. Nothing was changed."
    )


@pytest.mark.parametrize(
    ("split", "percent"),
    [
        ([["new", 10], ["old", 90]], 10),
        ([["old", 100]], 0),
        ([["new", 0], ["old", 0]], None),
        ([["new", True], ["old", 1]], None),
        ([["other", 10], ["old", 90]], None),
        ([["new"], ["old"]], None),
        ("new", None),
        ({}, None),
    ],
)
def test_flagd_shares(split: t.Any, percent: int | None) -> None:
    assert targeting._percent(split, targeting.Variants("new", "old")) == percent


INTERNAL, BETA = {"$ref": "internal"}, {"$ref": "beta"}


def test_flagd_segments_come_before_the_share_of_everybody_else(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "flags.json"
    system = flagd(path, state="ENABLED", variants=YES_NO, defaultVariant="old")
    assert system.segments() == ["x"]
    system.apply(system.read("a"), Wanted("on", 0, ("internal",)))
    assert written(path)["targeting"] == {"if": [INTERNAL, "new", "old"]}
    assert (system.read("a").percent, system.read("a").segments, system.read("a").rules) == (0, ("internal",), ())
    system.apply(system.read("a"), Wanted("on", 10, ("beta", "internal")))
    share = {"fractional": [["new", 10], ["old", 90]]}
    assert written(path)["targeting"] == {"if": [BETA, "new", INTERNAL, "new", share]}
    assert (system.read("a").percent, system.read("a").segments) == (10, ("beta", "internal"))
    system.apply(system.read("a"), Wanted("on", 20))
    assert system.read("a").segments == ("beta", "internal")
    system.apply(system.read("a"), Wanted("off"))
    assert (system.read("a").on, "targeting" in written(path)) == (False, False)


@pytest.mark.parametrize(
    "rule",
    [
        {"if": [INTERNAL, "old", "new"]},
        {"if": [{"var": "beta"}, "new", "old"]},
        {"if": [INTERNAL, "new"]},
        {"if": [INTERNAL, "new", "other"]},
        {"if": [INTERNAL, "new", "old"], "or": []},
    ],
)
def test_flagd_an_if_that_says_something_else_is_a_rule_of_others(tmp_path: pathlib.Path, rule: t.Any) -> None:
    path = tmp_path / "flags.json"
    system = flagd(path, state="ENABLED", variants=YES_NO, defaultVariant="old", targeting=rule)
    assert (system.read("a").segments, len(system.read("a").rules)) == ((), 1)
    with pytest.raises(RolloutError) as refused:
        system.apply(system.read("a"), Wanted("on", 0, ("internal",)))
    assert refused.value.message == (
        f"{path}: 'a' has targeting that is not managed here, so segments cannot be added. Nothing was changed; add them to "
        "that targeting by hand."
    )
