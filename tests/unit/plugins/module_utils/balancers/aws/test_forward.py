# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The actions of listeners and rules: only the weights change."""

from __future__ import annotations

import copy
import typing as t

import pytest

from ansible_collections.steady.rollout.plugins.module_utils.balancers.aws import forward as aws_forward
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError

GROUP = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/{}/0123456789abcdef"
BLUE, GREEN = GROUP.format("blue"), GROUP.format("green")
STICKY = {"Enabled": True, "DurationSeconds": 60}


def forward(**more: t.Any) -> dict[str, t.Any]:
    groups = [{"TargetGroupArn": GREEN, "Weight": 0}, {"TargetGroupArn": BLUE, "Weight": 100}]
    return {"Type": "forward", "Order": 2, "ForwardConfig": {"TargetGroups": groups, **more}}


def test_only_weights_change_and_nothing_given_is_touched() -> None:
    login = {"Type": "authenticate-cognito", "Order": 1, "AuthenticateCognitoConfig": {"UserPoolArn": "arn:x"}}
    actions = [login, forward(TargetGroupStickinessConfig=STICKY)]
    before = copy.deepcopy(actions)
    sent = aws_forward.reweighted(actions, {BLUE: 95, GREEN: 5})
    assert actions == before
    assert aws_forward.weights(sent[1]) == {BLUE: 95, GREEN: 5}
    for action in (sent[1], before[1]):
        for group in action["ForwardConfig"]["TargetGroups"]:
            del group["Weight"]
    assert sent == before


def test_the_short_form_becomes_the_long_one() -> None:
    """Beside several groups the short form would be refused."""
    short = {"Type": "forward", "TargetGroupArn": BLUE}
    assert aws_forward.weights(short) == {BLUE: 1}
    (sent,) = aws_forward.reweighted([short], {BLUE: 100, GREEN: 0})
    assert sent == {
        "Type": "forward",
        "ForwardConfig": {
            "TargetGroups": [{"TargetGroupArn": BLUE, "Weight": 100}, {"TargetGroupArn": GREEN, "Weight": 0}]
        },
    }


def test_a_client_secret_is_kept_although_it_is_never_shown() -> None:
    login = {"Type": "authenticate-oidc", "AuthenticateOidcConfig": {"ClientId": "shop"}}
    sent = aws_forward.reweighted([login, forward()], {BLUE: 1})
    assert sent[0]["AuthenticateOidcConfig"] == {"ClientId": "shop", "UseExistingClientSecret": True}


def test_the_action_that_forwards() -> None:
    assert aws_forward.forward([{"Type": "authenticate-oidc"}, forward()], "here")["Order"] == 2
    with pytest.raises(RolloutError) as caught:
        aws_forward.forward([{"Type": "redirect"}], "AWS front:80")
    assert caught.value.message == (
        "AWS front:80: forwards to no target group (its actions: redirect). Give one that does."
    )


def test_stickiness() -> None:
    assert aws_forward.stickiness(forward(TargetGroupStickinessConfig=STICKY)) == 60
    assert aws_forward.stickiness(forward(TargetGroupStickinessConfig={"Enabled": False})) is None
    assert aws_forward.stickiness(forward()) is None


@pytest.mark.parametrize(
    ("weights", "error"),
    [
        ({"blue": 1000}, "here: 'blue' cannot have the weight 1000; AWS takes 0 to 999."),
        ({"blue": -1}, "here: 'blue' cannot have the weight -1; AWS takes 0 to 999."),
        (
            {"blue": 0, "green": 0},
            "here: every target group would have the weight 0 and clients an error; leave at least one above 0.",
        ),
        (dict.fromkeys("abcdef", 1), "here: 6 target groups in one action; AWS takes at most 5."),
    ],
)
def test_weights_that_aws_would_not_take(weights: dict[str, int], error: str) -> None:
    with pytest.raises(InputError) as caught:
        aws_forward.check(weights, "here")
    assert caught.value.message == error


def test_names() -> None:
    assert aws_forward.group_name(BLUE) == "blue"
    assert aws_forward.group_name("something else") == "something else"
