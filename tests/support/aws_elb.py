# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What moto's ELBv2 lacks, put into it: states of targets, ports, refusals, secrets kept, pages, 50 tags.

See support.aws for the list of what still differs from AWS.
"""

from __future__ import annotations

import contextlib
import copy
import ipaddress
import re
import time
import typing as t
from unittest import mock

from moto.core.responses import ActionResult
from moto.elbv2 import models, responses
from moto.elbv2.exceptions import ELBClientError, TargetGroupNotFoundError, TooManyTagsError
from support.aws_targets import Key, Target, TargetRegistry, Times

Action = t.Dict[str, t.Any]

MOST_TAGS = 50
MOST_GROUPS = 5


class Health(models.FakeHealthStatus):
    """With the Availability Zone, which moto forgets."""

    zone = ""
    administrative_override: dict[str, str] | None = None

    @property
    def target(self) -> dict[str, str]:
        zone = {"AvailabilityZone": self.zone} if self.zone else {}
        return {**super().target, **zone}


class Elb:
    """The patches and what they remember. One at a time in a process."""

    def __init__(self, page_size: int = 2) -> None:
        self.times = Times()
        self.page_size = page_size
        self._books: dict[str, TargetRegistry] = {}
        self._secrets: dict[str, str] = {}
        self._patches = contextlib.ExitStack()

    def install(self) -> None:
        backend, response = models.ELBv2Backend, responses.ELBV2Response
        original = {
            name: getattr(backend, name)
            for name in ("create_listener", "create_rule", "modify_listener", "modify_rule")
        }
        pages = {name: getattr(response, name) for name in ("describe_listeners", "describe_target_groups")}
        replacements: list[tuple[type, str, t.Callable[..., t.Any]]] = [
            (backend, "register_targets", method(self._register)),
            (backend, "deregister_targets", method(self._deregister)),
            (backend, "describe_target_health", method(self._describe)),
            (backend, "add_tags", _add_tags),
            (backend, "_validate_http_header_condition", _validate_header),
            (response, "describe_listeners", self._paged("Listeners", pages["describe_listeners"])),
            (response, "describe_target_groups", self._paged("TargetGroups", pages["describe_target_groups"])),
        ]
        replacements += [(backend, name, self._checked(name, function)) for name, function in original.items()]
        for owner, name, function in replacements:
            self._patches.enter_context(mock.patch.object(owner, name, function))

    def remove(self) -> None:
        self._patches.close()

    # Targets

    def registry(self, backend: models.ELBv2Backend, arn: str) -> TargetRegistry:
        group = backend.target_groups.get(arn)
        if group is None:
            raise TargetGroupNotFoundError()
        if arn not in self._books:
            self._books[arn] = TargetRegistry(
                time.monotonic, lambda: self._times_of(group), lambda: _in_use(backend, arn)
            )
        return self._books[arn]

    def _times_of(self, group: models.FakeTargetGroup) -> Times:
        delay = float(group.attributes.get("deregistration_delay.timeout_seconds", 0))
        draining = float(group.attributes.get("target_health_state.unhealthy.draining_interval_seconds", 0))
        return Times(self.times.initial, self.times.lag, delay, draining)

    def _register(self, backend: models.ELBv2Backend, arn: str, targets: list[dict[str, t.Any]]) -> None:
        registry, group = self.registry(backend, arn), backend.target_groups[arn]
        for target in targets:
            _refuse_malformed(group, target["Id"])
        for target in targets:
            registry.register(_key(group, target), target.get("AvailabilityZone", ""))

    def _deregister(self, backend: models.ELBv2Backend, arn: str, targets: list[dict[str, t.Any]]) -> None:
        """A target that is not registered, as one without its port is, is no error and changes nothing."""
        registry, group = self.registry(backend, arn), backend.target_groups[arn]
        for target in targets:
            _refuse_malformed(group, target["Id"])
        for target in targets:
            registry.deregister(_key(group, target))

    def _describe(
        self, backend: models.ELBv2Backend, arn: str, targets: list[dict[str, t.Any]]
    ) -> list[models.FakeHealthStatus]:
        registry, group = self.registry(backend, arn), backend.target_groups[arn]
        keys = [_key(group, target) for target in targets] or registry.listed()
        return [self._health(group, registry, key) for key in keys]

    def _health(self, group: models.FakeTargetGroup, registry: TargetRegistry, key: Key) -> Health:
        seen = registry.seen(key)
        port: t.Any = key[1]
        health = Health(key[0], port, group.health_check_port, seen.state, seen.reason, seen.description)
        health.zone = registry.targets.get(key, Target()).zone
        return health

    # Actions

    def _checked(self, name: str, function: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
        """*function* with its actions made sure of and written as AWS writes them."""

        def call(this: models.ELBv2Backend, *args: t.Any, **kwargs: t.Any) -> t.Any:
            arn = kwargs.get("arn") or kwargs.get("rule_arn") or (args[0] if args else "")
            named = "actions" in kwargs
            actions = kwargs["actions"] if named else args[5] if name == "modify_listener" else args[-1]
            written, secrets = self._written(this, arn, actions or [])
            if named:
                kwargs["actions"] = written
            elif name == "modify_listener":
                args = (*args[:5], written)
            else:
                args = (*args[:-1], written)
            made = function(this, *args, **kwargs)
            for secret in secrets:
                self._secrets[made.arn] = secret
            return made

        return call

    def _written(self, backend: models.ELBv2Backend, arn: str, actions: list[Action]) -> tuple[list[Action], list[str]]:
        written = copy.deepcopy(actions)
        secrets = []
        for action in written:
            if action["Type"] == "forward":
                _write_forward(backend, action)
            elif action["Type"] == "authenticate-oidc":
                secrets.append(self._take_secret(arn, action["AuthenticateOidcConfig"]))
        return written, secrets

    def _take_secret(self, arn: str, config: dict[str, t.Any]) -> str:
        """The secret is stored and never shown."""
        secret, keep = config.pop("ClientSecret", ""), str(config.pop("UseExistingClientSecret", "")).lower() == "true"
        if secret and keep:
            raise ELBClientError(
                "InvalidLoadBalancerAction",
                "You cannot both specify a client secret and set UseExistingClientSecret to true",
            )
        if not secret and not (keep and arn in self._secrets):
            raise ELBClientError("InvalidLoadBalancerAction", "You must specify a client secret")
        return str(secret or self._secrets[arn])

    def secret(self, arn: str) -> str:
        return self._secrets.get(arn, "")

    # Pages

    def _paged(self, key: str, function: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
        def call(this: t.Any) -> ActionResult:
            result = t.cast("dict[str, t.Any]", function(this).result)
            start = int(this._get_param("Marker") or 0)
            entries = list(result[key])
            page = {key: entries[start : start + self.page_size]}
            if len(entries) > start + self.page_size:
                page["NextMarker"] = str(start + self.page_size)
            return ActionResult(page)

        return call


def _key(group: models.FakeTargetGroup, target: dict[str, t.Any]) -> Key:
    if group.target_type == "lambda":
        return target["Id"], None
    return target["Id"], int(target.get("Port") or group.port)


def _refuse_malformed(group: models.FakeTargetGroup, identity: str) -> None:
    """AWS looks at the form of an id before anything else."""
    if group.target_type == "instance" and not re.match(r"^i-[0-9a-f]{8,17}$", identity):
        raise ELBClientError("ValidationError", f"The instance ID '{identity}' is not valid")
    if group.target_type == "ip":
        try:
            ipaddress.ip_address(identity)
        except ValueError:
            message = f"The IP address '{identity}' is not a valid IPv4 address"
            raise ELBClientError("ValidationError", message) from None


def _in_use(backend: models.ELBv2Backend, arn: str) -> bool:
    return backend._any_listener_using(arn)


def _write_forward(backend: models.ELBv2Backend, action: Action) -> None:
    config = action.setdefault("ForwardConfig", {})
    short = action.get("TargetGroupArn")
    groups = config.setdefault("TargetGroups", [{"TargetGroupArn": short, "Weight": 1}] if short else [])
    arns = [group["TargetGroupArn"] for group in groups]
    if short and arns != [short]:
        raise ELBClientError(
            "ValidationError", "You cannot specify both a target group ARN and a different forward configuration"
        )
    if not 1 <= len(arns) <= MOST_GROUPS or len(set(arns)) < len(arns):
        raise ELBClientError("ValidationError", f"A forward action takes 1 to {MOST_GROUPS} different target groups")
    for group in groups:
        if group["TargetGroupArn"] not in backend.target_groups:
            raise TargetGroupNotFoundError()
        group["Weight"] = int(group.get("Weight", 1))
        if not 0 <= group["Weight"] <= 999:
            raise ELBClientError("ValidationError", f"Weight '{group['Weight']}' must be between 0 and 999 inclusive")
    sticky = config.setdefault("TargetGroupStickinessConfig", {"Enabled": False})
    if str(sticky.get("Enabled")).lower() == "true" and not sticky.get("DurationSeconds"):
        raise ELBClientError("ValidationError", "DurationSeconds is required where stickiness is enabled")
    # AWS keeps no order among the groups, and gives the short form where there is only one.
    groups.sort(key=lambda group: str(group["TargetGroupArn"]), reverse=True)
    action.pop("TargetGroupArn", None)
    if len(groups) == 1:
        action["TargetGroupArn"] = arns[0]


def _add_tags(this: models.ELBv2Backend, resource_arns: list[str], tags: list[dict[str, str]]) -> None:
    for arn in resource_arns:
        this._get_resource_by_arn(arn)
        after = {*this.tagging_service.get_tag_dict_for_resource(arn), *(tag["Key"] for tag in tags)}
        if len(after) > MOST_TAGS:
            raise TooManyTagsError()
        bad = [tag for tag in tags if not re.match(r"^[\w\s+\-=._:/@]{1,128}$", tag["Key"])]
        bad += [tag for tag in tags if not re.match(r"^[\w\s+\-=._:/@]{0,256}$", tag["Value"])]
        if bad:
            raise ELBClientError("ValidationError", f"Tag {bad[0]['Key']} has characters that tags cannot have")
        this.tagging_service.tag_resource(arn, tags)


def _validate_header(this: models.ELBv2Backend, condition: dict[str, t.Any]) -> None:
    """With regular expressions, which moto does not know."""
    config = condition.get("HttpHeaderConfig") or {}
    values = [*(config.get("Values") or ()), *(config.get("RegexValues") or ())]
    if not 1 <= len(values) <= 3 or len(config.get("HttpHeaderName", "")) > 40 or max(map(len, values)) > 128:
        raise ELBClientError("ValidationError", "A header condition takes a name and one to three values, not so long")


def method(function: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
    """A plain function, which a class binds to its instances; a bound method it would leave as it is."""

    def method(*args: t.Any) -> t.Any:
        return function(*args)

    return method
