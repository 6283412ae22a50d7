# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AWS for the contract suite: a target group, a listener and Route 53, on the fake of support.aws.

None of them is the real thing: see support.aws, support.aws_plane and support.aws_resolver for what is different.
"""

from __future__ import annotations

import abc
import contextlib
import importlib.util
import os
import pathlib
import time
import typing as t

from support.haproxy import shut_port
from support.real_balancer import SHOP, WIDE, Denial, RealBalancer

from ansible_collections.steady.rollout.plugins.module_utils.balancers import contract
from ansible_collections.steady.rollout.plugins.module_utils.balancers.aws import route53
from ansible_collections.steady.rollout.plugins.module_utils.balancers.aws.target_group import TargetGroup
from ansible_collections.steady.rollout.plugins.module_utils.balancers.contract import Balancer

if t.TYPE_CHECKING:
    from support.aws import FakeAws

NO_PROCESS = "nothing to compare: AWS is an API, which is not reloaded, and no change closes a client's connection"
NO_SINGLE_WEIGHTS = "single targets have no weights in AWS; target groups do (see aws_listener)"
ONLY_WEIGHED = (
    "the target groups of a listener have weights and are not drained; their targets are (see aws_target_group)"
)
DNS_SEES_NOBODY = "DNS does not know what is in flight: a drain waits for INSYNC and the TTL"
OTHER_NAMES = "a pool has another name here than the suite expects; tested in tests/integration/aws"
CONFIG = """\
[profile tester]
region = eu-central-1
aws_access_key_id = TESTER
aws_secret_access_key = testing
[profile reader]
region = eu-central-1
aws_access_key_id = READONLY
aws_secret_access_key = testing
"""


ROUTE_CASES = (
    "route_by_header", "route_by_cookie", "route_whatever_the_weights", "route_idempotence_and_check_mode",
    "route_to_nowhere", "routes_side_by_side", "route_after_reload_and_restart", "route_under_traffic",
    "many_routes_at_once", "route_denied", "route_unreachable",
)  # fmt: skip
PAGE_CASES = (
    "page_up_and_down", "page_idempotence_and_check_mode", "page_with_another_text", "page_that_is_too_long",
    "page_that_is_as_long_as_it_may_be", "page_after_reload_and_restart", "page_leaves_everything_else_alone",
    "page_in_front_of_routes", "page_lets_requests_in_flight_end", "page_lets_an_upload_in_flight_end",
    "page_under_traffic", "page_denied", "page_unreachable",
)  # fmt: skip


def neither_routes_nor_pages(backend: type[Balancer]) -> dict[str, str]:
    return {
        **dict.fromkeys(ROUTE_CASES, backend.lacks[contract.CAN_ROUTE]),
        **dict.fromkeys(PAGE_CASES, backend.lacks[contract.CAN_PAGE]),
    }


class Aws(RealBalancer):
    """What the three have in common. To be reloaded or restarted is not to be there for a moment."""

    def __init__(self, directory: pathlib.Path, make_member: t.Callable[[str], t.Any]) -> None:
        super().__init__(directory, make_member)
        self._stack = contextlib.ExitStack()
        self._variables: dict[str, str] = {}

    @staticmethod
    def missing() -> str:
        absent = [name for name in ("boto3", "moto", "flask") if importlib.util.find_spec(name) is None]
        return f"no {absent[0]} for this Python; install boto3 and moto[server,elbv2,route53,ec2]" if absent else ""

    @property
    @abc.abstractmethod
    def aws(self) -> FakeAws:
        """The account."""

    @abc.abstractmethod
    def prepare(self) -> None:
        """Makes what the pools need."""

    def start(self) -> None:
        self._variables = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
        for name in self._variables:
            del os.environ[name]
        config = self.directory / "aws-config"
        config.write_text(CONFIG)
        os.environ["AWS_CONFIG_FILE"] = str(config)
        self.prepare()
        self.await_answers()

    def stop(self) -> None:
        self._stack.close()
        self.stop_members()
        del os.environ["AWS_CONFIG_FILE"]
        os.environ.update(self._variables)

    def reload(self) -> None:
        self.aws.down()
        time.sleep(0.5)
        self.aws.up()

    def restart(self) -> None:
        self.reload()

    def account(self, pool: str) -> dict[str, t.Any]:
        return {"host": "lb1", "pool": pool, "profile": "tester", "endpoint_url": self.aws.endpoint}

    def silent_settings(self) -> dict[str, t.Any]:
        return {**self.settings(), "endpoint_url": f"http://127.0.0.1:{shut_port()}"}

    @contextlib.contextmanager
    def denied(self) -> t.Iterator[Denial]:
        yield Denial({**self.settings(), "profile": "reader"})


class AwsTargetGroup(Aws):
    backend = "aws_target_group"
    cannot: t.ClassVar[t.Mapping[str, str]] = {
        "bare_reloads_under_traffic": NO_PROCESS,
        "drain_sees_old_workers": NO_PROCESS,
        "weights": NO_SINGLE_WEIGHTS,
        "achieved_split": NO_SINGLE_WEIGHTS,
        "weight_changes_under_traffic": NO_SINGLE_WEIGHTS,
        **neither_routes_nor_pages(TargetGroup),
    }

    def new_name(self, port: int) -> str:
        """One that balancer.targets does not name."""
        return f"127.0.0.1:{port}"

    @property
    def aws(self) -> FakeAws:
        return self._world.aws

    def prepare(self) -> None:
        from support.aws_world import World

        self._world = self._stack.enter_context(
            World(members=len(SHOP), delay=300, make_member=self.members.__getitem__)
        )
        self.port = self._world.port
        self._world.make_group("other", SHOP)
        self._other = self._world.serve(self._world.listen(81, "other"))
        self._world.await_healthy("other")
        wide = self._world.make_group("wide", [])
        self._world.set_attribute("wide", "deregistration_delay.timeout_seconds", "0")
        self._world.plane.unchecked.add(wide)
        targets = [{"Id": f"127.0.1.{number}", "Port": 1} for number, _name in enumerate(WIDE, 1)]
        self._world.elb.register_targets(TargetGroupArn=wide, Targets=targets)
        self._world.listen(82, "wide")

    def settings(self, pool: str = "shop") -> dict[str, t.Any]:
        from support.aws_world import CONNECTIONS

        plain = {"type": "aws_target_group", **self.account(pool)}
        if pool == "wide":
            return {**plain, "targets": {name: f"127.0.1.{number}:1" for number, name in enumerate(WIDE, 1)}}
        targets = {name: f"127.0.0.1:{member.port}" for name, member in self.members.items()}
        return {**plain, "targets": targets, "connections_command": CONNECTIONS, "connections_quiet": 0.3}

    def place(self, pool: str = "shop") -> tuple[int, str]:
        return (self._other.port if pool == "other" else self.port), "/"


class AwsListener(Aws):
    """Each member is a target group with one target."""

    backend = "aws_listener"
    green = "app4"
    says_retry_after = False
    cannot: t.ClassVar[t.Mapping[str, str]] = {
        **dict.fromkeys(
            (
                "drain_waits_for_what_is_in_flight", "drain_of_a_batch", "in_service_again", "maintenance", "weights",
                "two_pools", "one_address_with_different_ports", "check_mode", "idempotence_under_traffic",
                "reload_midway", "restart", "fifty_changes_at_once", "the_floor_holds_for_all_together",
                "drain_cycles_under_traffic", "through_ansible",
            ),
            ONLY_WEIGHED,
        ),
        "bare_reloads_under_traffic": NO_PROCESS,
        "drain_sees_old_workers": NO_PROCESS,
        "page_lets_an_upload_in_flight_end": "the fake chooses a rule when it has the whole request, and not by its head",
        "snapshot": "a member is a target group, which has an ARN and no port",
        "unknown_member": OTHER_NAMES,
        "unknown_pool": "a listener is found by its port, whose absence has words of its own",
    }  # fmt: skip

    @property
    def aws(self) -> FakeAws:
        return self._world.aws

    def prepare(self) -> None:
        from support.aws_world import World

        self._world = self._stack.enter_context(World(members=len(SHOP), make_member=self.members.__getitem__))
        self.port = self._world.port
        for name in SHOP:
            self._world.make_group(name, [name])
        groups = [{"TargetGroupArn": self._world.groups[name], "Weight": 1} for name in SHOP]
        action = {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}
        self._world.elb.modify_listener(ListenerArn=self._world.listener, DefaultActions=[action])
        for name in SHOP:
            self._world.await_healthy(name)

    def settings(self, pool: str = "shop") -> dict[str, t.Any]:
        return {"type": "aws_listener", **self.account("front:80")}

    def place(self, pool: str = "shop") -> tuple[int, str]:
        return self.port, "/"


class Route53(Aws):
    """CNAME records, whose values tell members apart as addresses and ports do elsewhere."""

    backend = "route53"
    TTL = 1
    cannot: t.ClassVar[t.Mapping[str, str]] = {
        "bare_reloads_under_traffic": NO_PROCESS,
        "drain_sees_old_workers": NO_PROCESS,
        "drain_waits_for_what_is_in_flight": DNS_SEES_NOBODY,
        "maintenance": DNS_SEES_NOBODY,
        "reload_midway": DNS_SEES_NOBODY,
        "one_address_with_different_ports": "a record has no port",
        "unknown_member": OTHER_NAMES,
        "unknown_pool": "a zone may have thousands of names, which an error does not list",
        "drain_cycles_under_traffic": f"{DNS_SEES_NOBODY}, and the suite kills members that are drained",
        **neither_routes_nor_pages(route53.Route53),
    }

    @property
    def aws(self) -> FakeAws:
        return self._aws

    def prepare(self) -> None:
        from support.aws import FakeAws
        from support.aws_resolver import Resolver

        self._aws = self._stack.enter_context(FakeAws())
        client = self._aws.client("route53")
        made = client.create_hosted_zone(Name="example.com", CallerReference="contract")
        self._zone = str(made["HostedZone"]["Id"]).rsplit("/", 1)[-1]
        pools = {"shop": SHOP, "other": SHOP, "wide": WIDE}
        for pool, names in pools.items():
            changes = [{"Action": "CREATE", "ResourceRecordSet": self._record(pool, name)} for name in names]
            client.change_resource_record_sets(HostedZoneId=self._zone, ChangeBatch={"Changes": changes})
        addresses = {self._value(name): ("127.0.0.1", member.port) for name, member in self.members.items()}
        self._resolvers = {
            pool: self._stack.enter_context(Resolver(self._aws, self._zone, f"{pool}.example.com.", addresses))
            for pool in ("shop", "other")
        }
        self.port = self._resolvers["shop"].port

    def _record(self, pool: str, name: str) -> dict[str, t.Any]:
        value = self._value(name) if name in self.members else f"{name}.nowhere.test"
        return {
            "Name": f"{pool}.example.com.", "Type": "CNAME", "SetIdentifier": name, "Weight": 1, "TTL": self.TTL,
            "ResourceRecords": [{"Value": value}],
        }  # fmt: skip

    def _value(self, name: str) -> str:
        return f"{name}-{self.members[name].port}.test"

    def settings(self, pool: str = "shop") -> dict[str, t.Any]:
        return {"type": "route53", **self.account(f"{pool}.example.com"), "zone": self._zone}

    def place(self, pool: str = "shop") -> tuple[int, str]:
        return self._resolvers[pool].port, "/"
