# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small account in support.aws: target groups with real members behind a load balancer that serves.

with World(members=3) as world:
    fetch(world.port)
"""

from __future__ import annotations

import contextlib
import pathlib
import sys
import typing as t

from support.aws import FakeAws
from support.aws_plane import Plane
from support.haproxy import Member, wait_until

CONNECTIONS = [sys.executable, "-S", str(pathlib.Path(__file__).with_name("connections.py")), "{port}"]


class World:
    """Load balancer ``front`` listens on 80 for target group ``shop`` with *members* app1, app2, ...

    They are on loopback, or where their attribute ``host`` says. *delay* is the deregistration delay in seconds.
    Targets are addresses, or instances i-00000001, ...
    """

    def __init__(
        self,
        members: int = 3,
        delay: int = 2,
        kind: str = "application",
        target_type: str = "ip",
        make_member: t.Callable[[str], t.Any] = Member,
    ) -> None:
        self.aws = FakeAws()
        self.members = {f"app{number}": make_member(f"app{number}") for number in range(1, members + 1)}
        self._delay = delay
        self._kind = kind
        self._target_type = target_type
        self._stack = contextlib.ExitStack()
        self._vpc = ""
        self.listener = ""
        self.load_balancer = ""
        self.groups: dict[str, str] = {}
        """ARN by name."""

    def __enter__(self) -> World:
        self._stack.enter_context(self.aws)
        self.elb = self.aws.client("elbv2")
        self.load_balancer = self._make_load_balancer()
        self.make_group("shop", list(self.members))
        self.listener = self.listen(80, "shop")
        addresses = {self.target(name)["Id"]: ("127.0.0.1", member.port) for name, member in self.members.items()}
        known = addresses if self._target_type == "instance" else None
        self.plane = self._stack.enter_context(Plane(self.aws, self.listener, known))
        for name in self.members:
            target = self.target(name)
            self.plane.names[name] = (target["Id"], target["Port"])
        self.await_healthy("shop")
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()
        for member in self.members.values():
            member.stop()

    def serve(self, listener: str) -> Plane:
        """Traffic for one more listener, until the end."""
        return self._stack.enter_context(Plane(self.aws, listener, checks=False))

    def await_healthy(self, group: str) -> None:
        wait_until(lambda: set(self.states(group).values()) == {"healthy"}, f"all targets of {group} are healthy")

    @property
    def port(self) -> int:
        return self.plane.port

    def _make_load_balancer(self) -> str:
        ec2 = self.aws.backend("ec2")
        self._vpc = ec2.create_vpc("10.0.0.0/16").id
        zones = ("eu-central-1a", "eu-central-1b")
        subnets = [
            ec2.create_subnet(self._vpc, f"10.0.{number}.0/24", availability_zone=zone).id
            for number, zone in enumerate(zones)
        ]
        made = self.elb.create_load_balancer(Name="front", Subnets=subnets, Type=self._kind)
        return str(made["LoadBalancers"][0]["LoadBalancerArn"])

    @property
    def _protocol(self) -> str:
        return "HTTP" if self._kind == "application" else "TCP"

    def make_group(self, name: str, members: t.Sequence[str], zone: str = "") -> str:
        """A target group with these members registered; used by nothing yet."""
        made = self.elb.create_target_group(
            Name=name, Protocol=self._protocol, Port=8080, VpcId=self._vpc, TargetType=self._target_type,
            HealthCheckProtocol="HTTP", HealthCheckPath="/health",
        )  # fmt: skip
        arn = str(made["TargetGroups"][0]["TargetGroupArn"])
        self.groups[name] = arn
        self.set_attribute(name, "deregistration_delay.timeout_seconds", str(self._delay))
        targets = [{**self.target(member), **({"AvailabilityZone": zone} if zone else {})} for member in members]
        if targets:
            self.elb.register_targets(TargetGroupArn=arn, Targets=targets)
        return arn

    def listen(self, port: int, group: str, **options: t.Any) -> str:
        action = {"Type": "forward", "TargetGroupArn": self.groups[group]}
        made = self.elb.create_listener(
            LoadBalancerArn=self.load_balancer, Protocol=self._protocol, Port=port,
            **{"DefaultActions": [action], **options},
        )  # fmt: skip
        return str(made["Listeners"][0]["ListenerArn"])

    def set_attribute(self, group: str, key: str, value: str) -> None:
        self.elb.modify_target_group_attributes(
            TargetGroupArn=self.groups[group], Attributes=[{"Key": key, "Value": value}]
        )

    def target(self, member: str) -> dict[str, t.Any]:
        if self._target_type == "instance":
            return {"Id": f"i-{int(member[3:]):08x}", "Port": 8080}
        return {"Id": getattr(self.members[member], "host", "127.0.0.1"), "Port": self.members[member].port}

    def name(self, member: str) -> str:
        """What the member is called where nobody gave it a name."""
        target = self.target(member)
        return f"{target['Id']}:{target['Port']}"

    def targets(self) -> dict[str, str]:
        """For balancer.targets."""
        return {member: self.name(member) for member in self.members}

    def states(self, group: str = "shop") -> dict[str, str]:
        """What AWS shows, by member; read by means that share nothing with the code under test."""
        answer = self.elb.describe_target_health(TargetGroupArn=self.groups[group])
        names = {self.name(member): member for member in self.members}
        return {
            names.get(f"{one['Target']['Id']}:{one['Target']['Port']}", one["Target"]["Id"]): one["TargetHealth"][
                "State"
            ]
            for one in answer["TargetHealthDescriptions"]
        }

    def tags(self, group: str = "shop") -> dict[str, str]:
        answer = self.elb.describe_tags(ResourceArns=[self.groups[group]])
        return {tag["Key"]: tag["Value"] for tag in answer["TagDescriptions"][0]["Tags"]}

    def actions(self) -> list[dict[str, t.Any]]:
        """The default actions of the listener."""
        return list(self.elb.describe_listeners(ListenerArns=[self.listener])["Listeners"][0]["DefaultActions"])

    def weights(self, actions: list[dict[str, t.Any]] | None = None) -> dict[str, int]:
        """By name of the target group."""
        forward = (self.actions() if actions is None else actions)[-1]["ForwardConfig"]
        return {one["TargetGroupArn"].split("/")[1]: one["Weight"] for one in forward["TargetGroups"]}

    def in_flight(self, member: str) -> int:
        target = self.target(member)
        return self.plane.in_flight[(target["Id"], target["Port"])]

    # What support.haproxy.Slow asks of a node

    def sessions(self, member: str) -> int:
        return self.in_flight(member)
