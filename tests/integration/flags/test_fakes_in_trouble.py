# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a vendor's server does in trouble, each with a sentence of its own; on the fakes, as nobody can order it elsewhere."""

from __future__ import annotations

import pathlib
import time
import typing as t

import pytest
from support.fake_flag_server import READER, SDK_KEY, TOKEN, FakeFlags, Trouble
from support.fake_flagsmith import FlagsmithFake
from support.fake_launchdarkly import LaunchDarklyFake
from support.fake_split import SplitFake
from support.flag_calls import Flags
from support.flag_systems import FLAG

FAKES = {fake.name: fake for fake in (FlagsmithFake, LaunchDarklyFake, SplitFake)}
HTML = "<html>bad gateway</html>"


@pytest.fixture(params=sorted(FAKES))
def fake(
    request: pytest.FixtureRequest, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> t.Iterator[FakeFlags]:
    monkeypatch.setattr(FAKES[request.param], "connect", lambda self: None)
    made = FAKES[request.param](tmp_path)
    made.start()
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture
def flags(fake: FakeFlags) -> Flags:
    made = Flags(fake)
    made.set("off")
    return made


def refused(flags: Flags, state: str = "on", **settings: t.Any) -> str:
    """The sentence, in which no key is."""
    system = {**flags.real.settings(), **settings}
    outcome = flags.set(state, system=system)
    assert outcome.error
    for key in (TOKEN, READER, SDK_KEY):
        assert key not in f"{outcome.error}{outcome.result}"
    return outcome.error


@pytest.mark.parametrize(
    "trouble",
    [
        Trouble(429, {"Retry-After": "1"}),
        Trouble(429),
        Trouble(503),
        Trouble(502, document=HTML),
        Trouble(after=0.3),
    ],
    ids=["429 with Retry-After", "429 without", "503", "502 as a page", "slow"],
)
def test_what_is_over_at_once_is_waited_out(flags: Flags, fake: FakeFlags, trouble: Trouble) -> None:
    fake.troubles = [trouble]
    assert flags.set("on").error == ""
    assert flags.state()["on"] is True


def test_a_limit_by_the_moment_of_its_end_is_waited_out(flags: Flags, fake: FakeFlags) -> None:
    fake.troubles = [Trouble(429, {"X-Ratelimit-Reset": str(int((time.time() + 1) * 1000))})]
    assert flags.set("on").error == ""


def test_a_limit_that_lasts_is_named_with_its_time(flags: Flags, fake: FakeFlags) -> None:
    fake.troubles = [Trouble(429, {"Retry-After": "90"})]
    assert refused(flags) == (f"{fake.url} limits the rate of requests (429). Try again after 90 s.")


def test_a_limit_without_a_time_that_lasts(flags: Flags, fake: FakeFlags) -> None:
    fake.troubles = [Trouble(429)] * 3
    assert refused(flags) == (f"{fake.url} limits the rate of requests (429). Try again after 0.5 s.")


def test_an_error_that_lasts(flags: Flags, fake: FakeFlags) -> None:
    fake.troubles = [Trouble(500, document={"message": "the database is gone"})] * 3
    assert refused(flags) == f"{fake.url} answered 500: the database is gone."


def test_an_answer_that_is_too_slow(flags: Flags, fake: FakeFlags) -> None:
    fake.troubles = [Trouble(after=2.0)] * 3
    assert refused(flags, timeout="0.3").endswith("did not answer within 0.3 s.")


def test_a_change_that_needs_an_approval(flags: Flags, fake: FakeFlags) -> None:
    fake.requires_approval = True
    said = refused(flags)
    assert "was refused with 4" in said
    assert ". In other words, changes in this environment need " in said
    assert flags.state()["on"] is False


def test_a_key_that_is_not_known(flags: Flags, fake: FakeFlags) -> None:
    said = refused(flags, token="another-secret")
    assert "was refused with 401: " in said
    assert "In other words, the token is not known; give an" in said
    assert "another-secret" not in said


def test_a_key_that_only_evaluates_cannot_manage(flags: Flags, fake: FakeFlags) -> None:
    assert "was refused with 401: " in refused(flags, token=SDK_KEY)


def test_a_key_that_may_only_read(flags: Flags, fake: FakeFlags) -> None:
    said = refused(flags, token=READER)
    assert "was refused with 403: " in said
    assert "In other words, the token may not do that; " in said


def test_what_is_not_the_vendor_s_server(flags: Flags, fake: FakeFlags) -> None:
    fake.troubles = [Trouble(200, document=[HTML])]
    assert flags.info().error


def test_a_project_that_is_not_there_is_not_a_flag_that_is_not_there(flags: Flags, fake: FakeFlags) -> None:
    outcome = flags.info(system={**fake.settings(), **fake.elsewhere})
    assert "was refused with 404: " in outcome.error


def test_a_second_writer_in_between_is_overruled(flags: Flags, fake: FakeFlags) -> None:
    flags.set("on")
    fake.overwrite(False)
    assert flags.state()["on"] is False
    assert flags.set("on").error == ""
    assert (flags.state()["on"], FLAG in flags.info(names=[])["flags"]) == (True, True)
