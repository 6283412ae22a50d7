# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The actions of an AWS listener or rule, and the shares in them. No I/O."""

from __future__ import annotations

import copy
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError

Action = t.Dict[str, t.Any]

HEAVIEST = 999
MOST_GROUPS = 5


def group_name(arn: str) -> str:
    """The name in 'arn:...:targetgroup/name/id'."""
    parts = arn.split("/")
    return parts[1] if len(parts) == 3 and parts[0].endswith(":targetgroup") else arn


def weights(action: Action) -> dict[str, int]:
    """Weight by target group ARN of a forward action, in whichever of its two forms it comes."""
    groups = action.get("ForwardConfig", {}).get("TargetGroups")
    if not groups:
        return {action["TargetGroupArn"]: 1} if action.get("TargetGroupArn") else {}
    return {group["TargetGroupArn"]: int(group.get("Weight", 1)) for group in groups}


def forward(actions: t.Sequence[Action], where: str) -> Action:
    """The one action that forwards; raises RolloutError where there is none."""
    forwards = [action for action in actions if action.get("Type") == "forward"]
    if len(forwards) != 1:
        kinds = ", ".join(str(action.get("Type")) for action in actions) or "nothing"
        raise RolloutError(f"{where}: forwards to no target group (its actions: {kinds}). Give one that does.")
    return forwards[0]


def stickiness(action: Action) -> int | None:
    """Seconds that a client stays with its target group; None without stickiness."""
    found = action.get("ForwardConfig", {}).get("TargetGroupStickinessConfig") or {}
    return int(found["DurationSeconds"]) if found.get("Enabled") and found.get("DurationSeconds") else None


def check(wanted: t.Mapping[str, int], where: str) -> None:
    """Raises InputError unless AWS would take these weights and they mean what they say."""
    for name, weight in wanted.items():
        if not 0 <= weight <= HEAVIEST:
            raise InputError(f"{where}: '{name}' cannot have the weight {weight}; AWS takes 0 to {HEAVIEST}.")
    if len(wanted) > MOST_GROUPS:
        raise InputError(f"{where}: {len(wanted)} target groups in one action; AWS takes at most {MOST_GROUPS}.")
    if wanted and not any(wanted.values()):
        raise InputError(
            f"{where}: every target group would have the weight 0 and clients an error; leave at least one above 0."
        )


def reweighted(actions: t.Sequence[Action], wanted: t.Mapping[str, int]) -> list[Action]:
    """The actions as they are to be sent, with only the weights of *wanted* (by ARN) changed, or groups added."""
    changed = [copy.deepcopy(action) for action in actions]
    for action in changed:
        if action.get("Type") == "forward":
            _reweigh(action, wanted)
        elif action.get("Type") == "authenticate-oidc":
            _keep_secret(action)
    return changed


def _reweigh(action: Action, wanted: t.Mapping[str, int]) -> None:
    config = action.setdefault("ForwardConfig", {})
    old = config.get("TargetGroups") or [{"TargetGroupArn": arn, "Weight": 1} for arn in weights(action)]
    merged = {group["TargetGroupArn"]: group for group in old}
    for arn, weight in wanted.items():
        merged[arn] = {**merged.get(arn, {"TargetGroupArn": arn}), "Weight": weight}
    config["TargetGroups"] = list(merged.values())
    # The short form may stand beside the long one only where it says the same.
    action.pop("TargetGroupArn", None)


def _keep_secret(action: Action) -> None:
    """AWS never shows the client secret, and drops it unless the request says to keep the existing one."""
    config = action.get("AuthenticateOidcConfig")
    if config is not None and "ClientSecret" not in config:
        config["UseExistingClientSecret"] = True
