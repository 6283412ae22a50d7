# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""rollout_veto: who is asked before a host is taken out of service, and what its options are."""

from __future__ import annotations

import dataclasses
import functools
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import durations
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.http.targets import from_options
from ansible_collections.steady.rollout.plugins.plugin_utils.preflight.report import bytes_of
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.modules import source_of, validated

Settings = t.Mapping[str, t.Any]
Groups = t.Mapping[str, t.Sequence[str]]

WHERE = "rollout_veto"
COMMAND, HTTP, QUORUM = "command", "http", "quorum"
POSTGRESQL, REDIS_SENTINEL, ETCD, RABBITMQ = "postgresql", "redis_sentinel", "etcd", "rabbitmq"
BY_MAJORITY = (ETCD, RABBITMQ)
CONTROLLER = "controller"
PROBE = "health_wait"
OF_THE_PROBE = "targets: "
"""What its messages about a target begin with."""
COMMON = ("name", "type")
OF_A_GROUP = ("group", "hosts", "max_out")
OF_A_PROBE = ("from", "timeout", "expect")
OF_POSTGRESQL = ("url", "as_user", "timeout")
OF_REDIS = (
    "master", "address", "port", "user", "password", "sentinel_port", "sentinel_user", "sentinel_password", "timeout"
)  # fmt: skip
OF_ETCD = ("endpoint", "ca_path", "cert_path", "key_path", "user", "password", "timeout")
OF_RABBITMQ = ("node", "timeout")
OPTIONS: dict[str, tuple[str, ...]] = {
    COMMAND: ("command", *OF_A_PROBE),
    HTTP: (
        "url", "method", "headers", "body", "status", "validate_certs", "ca_path", "follow_redirects", *OF_A_PROBE
    ),
    QUORUM: OF_A_GROUP,
    POSTGRESQL: ("max_lag", *OF_POSTGRESQL, *OF_A_GROUP),
    REDIS_SENTINEL: ("max_lag", *OF_REDIS, *OF_A_GROUP),
    ETCD: ("max_lag", *OF_ETCD, *OF_A_GROUP),
    RABBITMQ: (*OF_RABBITMQ, *OF_A_GROUP),
}  # fmt: skip
"""By type."""
OF_A_MEMBER = {POSTGRESQL: OF_POSTGRESQL, REDIS_SENTINEL: OF_REDIS, ETCD: OF_ETCD, RABBITMQ: OF_RABBITMQ}
"""What replica_info gets, for the types that ask every host of a group."""
NEEDED = {COMMAND: ("command",), HTTP: ("url",)}
DEFAULT_LAG = "16M"
"""About one segment of PostgreSQL's log: members are not asked at the very same moment."""
ETCDS_LAG = "1000"
"""Entries of the Raft log, not bytes."""


@dataclasses.dataclass(frozen=True)
class Rule:
    """One rule as one host has it. *hosts* is the group that must not be weakened, empty for a command or an address."""

    name: str
    type: str
    options: Settings
    hosts: tuple[str, ...] = ()

    @property
    def max_out(self) -> int:
        return int(self.options.get("max_out") or 1)

    @property
    def max_lag(self) -> float:
        return bytes_of(
            self.options.get("max_lag") or (ETCDS_LAG if self.type == ETCD else DEFAULT_LAG), f"{self.name}: max_lag"
        )

    @property
    def asked_from(self) -> str:
        return str(self.options.get("from") or ("host" if self.type == COMMAND else CONTROLLER))

    def of_the_probe(self) -> dict[str, t.Any]:
        """As a target of health_wait."""
        own = {key: value for key, value in self.options.items() if key not in (*COMMON, "from")}
        return {**own, "name": self.name}

    def of_the_member(self) -> dict[str, t.Any]:
        """For replica_info."""
        known = OF_A_MEMBER[self.type]
        return {"type": self.type, **{key: self.options[key] for key in known if self.options.get(key) is not None}}


def rules_of(given: t.Any, groups: Groups, fleet: t.Sequence[str]) -> list[Rule]:
    """Raises InputError where the settings cannot be right."""
    errors = settings_errors(given, groups)
    if errors:
        raise InputError(" ".join(errors))
    return [Rule(_name(one), str(one["type"]), dict(one), _hosts(one, groups, fleet)) for one in given or []]


def quorums(rules: t.Iterable[Rule]) -> list[dict[str, t.Any]]:
    """The groups as the ledger takes them: it decides on them at admission, where no two hosts can go at once."""
    return [{"name": rule.name, "hosts": list(rule.hosts), "max_out": rule.max_out} for rule in rules if rule.hosts]


def _name(one: Settings) -> str:
    return str(one.get("name") or one["type"])


def _hosts(one: Settings, groups: Groups, fleet: t.Sequence[str]) -> tuple[str, ...]:
    if one["type"] in (COMMAND, HTTP):
        return ()
    named = one.get("hosts") or (groups[str(one["group"])] if one.get("group") else fleet)
    return tuple(str(name) for name in named)


def settings_errors(given: t.Any, groups: Groups) -> list[str]:
    """A sentence for everything that cannot be right, without the values: they may hold passwords."""
    if not given:
        return []
    if not isinstance(given, (list, tuple)) or not all(isinstance(one, t.Mapping) for one in given):
        return [f"{WHERE} must be a list of rules, such as [{{type: postgresql, group: databases}}]."]
    errors = [error for number, one in enumerate(given) for error in _errors_of(f"{WHERE}[{number}]", one, groups)]
    names = [_name(one) for one in given if one.get("type")]
    return errors + [
        f"{WHERE}: '{name}' appears twice; give each rule a 'name' of its own."
        for name in sorted({name for name in names if names.count(name) > 1})
    ]


def _errors_of(where: str, one: Settings, groups: Groups) -> t.Iterator[str]:
    kind = one.get("type")
    if kind not in OPTIONS:
        yield f"{where}: its type '{kind!s:.40}' is not one of {', '.join(OPTIONS)}."
        return
    known = (*COMMON, *OPTIONS[kind])
    unknown = sorted(set(map(str, one)) - set(known))
    if unknown:
        yield f"{where}: unknown option '{unknown[0]:.40}'; a rule of type {kind} takes {', '.join(known)}."
    for name in NEEDED.get(kind, ()):
        if not one.get(name):
            yield f"{where}: a rule of type {kind} needs '{name}'."
    if any(not one.get(name) for name in NEEDED.get(kind, ())) or unknown:
        return
    yield from _wrong_figures(where, one)
    yield from _wrong_probe(where, one) if kind in (COMMAND, HTTP) else _wrong_group(where, one, groups)


def _wrong_figures(where: str, one: Settings) -> t.Iterator[str]:
    if one.get("max_lag") is not None:
        yield from _refused(lambda: bytes_of(one["max_lag"], f"{where}.max_lag"))
    if one.get("timeout") is not None and one["type"] in OF_A_MEMBER:
        yield from _refused(lambda: durations.positive(f"{where}.timeout", one["timeout"]))
    most = one.get("max_out")
    if most is not None and (not str(most).isdigit() or int(most) < 1):
        yield f"{where}.max_out: expected a whole number of at least 1, found '{most!s:.40}'."


def _wrong_probe(where: str, one: Settings) -> t.Iterator[str]:
    """What health_wait would refuse: asked in the rollout, it would be an objection that never ends."""
    rule = Rule(_name(one), str(one["type"]), one)
    probe = rule.of_the_probe()
    if rule.asked_from != CONTROLLER:
        # Whether an expression can be read is known where it is judged.
        probe.pop("expect", None)
    check = functools.partial(_read_probe, probe)
    yield from (f"{where}: {message.rpartition(OF_THE_PROBE)[2]}" for message in _refused(check))


def _read_probe(probe: dict[str, t.Any]) -> None:
    from_options(validated(PROBE, source_of(PROBE).SPEC, {"targets": [probe]})["targets"])


def _wrong_group(where: str, one: Settings, groups: Groups) -> t.Iterator[str]:
    group, hosts = one.get("group"), one.get("hosts")
    if group and str(group) not in groups:
        yield f"{where}.group: '{group!s:.60}' is not a group in the inventory: correct its name."
    if hosts is None or group:
        if hosts is not None:
            yield f"{where} has both 'group' and 'hosts': give one of them."
        return
    if not isinstance(hosts, (list, tuple)) or not hosts:
        yield f"{where}.hosts must be a list of hosts."
        return
    missing = [str(name) for name in hosts if str(name) not in groups.get("all", ())]
    if missing:
        yield f"{where}.hosts: '{missing[0]:.60}' is not in the inventory: correct its name."


def _refused(check: t.Callable[[], t.Any]) -> t.Iterator[str]:
    try:
        check()
    except InputError as error:
        yield error.message


def times_errors(settings: Settings) -> t.Iterator[str]:
    """What is wrong with how long an objection is waited for, and how often it is asked again."""
    for name in ("rollout_veto_wait", "rollout_veto_poll"):
        check = durations.seconds if name.endswith("wait") else durations.positive
        yield from _refused(functools.partial(check, name, settings[name]))
