# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What rollout_tiers says: the services of a release, their order, and what is refused before anything is touched."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules import constraints, versions
from ansible_collections.steady.rollout.plugins.module_utils.ledger.rules.tiers import in_order

WHERE = "rollout_tiers"
KEYS = ("fleet", "needs", "requires", "version")
MOST = 8
"""Services; the playbook has as many turns as these can take forward and back."""
TURNS = 2 * MOST - 1
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
OF_EACH_SERVICE = ("rollout_version", "rollout_revision", "rollout_service", "rollout_fleet")
"""What differs between services, so that -e cannot set it for all of them."""
SHARED = ("rollout_ledger", "rollout_coordinator")
"""What must be the same for all services, as one ledger records the release."""
STRATEGIES = {
    "rollout_colours": "blue_green.yml",
    "rollout_canary_group": "canary.yml",
    "rollout_canary_steps": "canary.yml",
}
"""What asks for another strategy than a rolling deployment, and the playbook that carries it out."""
REVISION = "rollout_revision"
RUNNING = "__rollout_drill_version"
"""The fact in which a drill keeps the version that runs."""
OF_A_HOST = ("rollout_service", *SHARED, *STRATEGIES, REVISION, RUNNING)
"""What is read of one host for all hosts of its service."""

Values = t.Mapping[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Given:
    """*of_host* evaluates settings for one host; *in_view* are the hosts that the run may touch.

    A *drill* takes the versions from what runs, and one host of each service. *fails* is the service that fails on purpose;
    the last one where it is empty.
    """

    tiers: t.Any
    groups: t.Mapping[str, t.Sequence[str]]
    in_view: t.Collection[str]
    extra: t.Collection[str]
    of_host: t.Callable[[str], Values]
    drill: bool = False
    fails: str = ""


@dataclasses.dataclass(frozen=True)
class Service:
    """One service of the release; *first* is the host whose settings are read for all of its *hosts* that are rolled."""

    name: str
    service: str
    fleet: str
    version: str
    needs: t.Sequence[str]
    first: str
    hosts: t.Sequence[str]
    revision: str = ""

    def shown(self) -> dict[str, t.Any]:
        return {**dataclasses.asdict(self), "needs": list(self.needs), "hosts": list(self.hosts)}


def services(given: Given) -> tuple[list[Service], list[str]]:
    """The services in their order, or what has to be corrected; a wrong form hides the mistakes that depend on it."""
    wrong = [*_extra(given), *_form(given.tiers)]
    if wrong:
        return [], wrong
    for rule in (_needs, _fails, _hosts) if given.drill else (_needs, _versions, _requirements, _hosts):
        wrong += rule(given)
    if wrong:
        return [], wrong
    found = _found(given)
    known = [service for service, values in found]
    wrong = [*_agreed(found), *_names(known), *_strategies(found)]
    return ([], wrong) if wrong else (known, [])


def without_versions(tiers: t.Any) -> t.Any:
    """For a drill, which takes the versions that run: those of the next release may not be given yet."""
    if not isinstance(tiers, t.Mapping):
        return tiers
    return {
        name: {key: value for key, value in one.items() if key != "version"} if isinstance(one, t.Mapping) else one
        for name, one in tiers.items()
    }


def needed(one: Values) -> list[str]:
    """A service also needs what it requires."""
    return list(dict.fromkeys([*(one.get("needs") or []), *(one.get("requires") or {})]))


def _extra(given: Given) -> t.Iterator[str]:
    for name in OF_EACH_SERVICE:
        if name in given.extra:
            also = f", and set the version of each service in {WHERE}" if name == "rollout_version" else ""
            yield f"{name} is set with -e, which would apply to every service: remove it{'' if given.drill else also}."
    if given.drill and "rollout_resume" in given.extra:
        yield (
            "rollout_resume is set with -e, but a drill is resumed by the same command: remove it. To end an interrupted drill, "
            "run tiers.yml with -e rollout_resume=revert."
        )


def _form(tiers: t.Any) -> t.Iterator[str]:
    if not isinstance(tiers, t.Mapping) or not tiers:
        yield f'{WHERE} must be a dictionary of services, such as {{api: {{fleet: api, version: "2.0.0"}}}}.'
        return
    if len(tiers) > MOST:
        yield f"{WHERE}: expected at most {MOST} services, found {len(tiers)}. Release some of them separately."
    for name, one in tiers.items():
        yield from _form_of_one(str(name), one)


def _form_of_one(name: str, one: t.Any) -> t.Iterator[str]:
    where = f"{WHERE}.{name:.80}"
    if not NAME.fullmatch(name):
        yield f"{where}: expected a name of letters, digits, '_', '-' and '.' only."
    elif not isinstance(one, t.Mapping):
        yield f"{where} must be a dictionary with {', '.join(KEYS)}."
    else:
        for key in sorted(str(key) for key in set(one) - set(KEYS)):
            yield f"{where}: '{key:.80}' is not a setting; the settings are {', '.join(KEYS)}."
        if not isinstance(one.get("fleet"), str) or not one["fleet"]:
            yield f"{where}.fleet is not set: set it to the group of the service's hosts."
        if not _is_list_of_names(one.get("needs") or []):
            yield f"{where}.needs must be a list of services, such as [api]."
        if not isinstance(one.get("requires") or {}, t.Mapping):
            yield f"{where}.requires must be a dictionary of services and versions, such as {{api: '>=2.0'}}."


def _is_list_of_names(given: t.Any) -> bool:
    return isinstance(given, (list, tuple)) and all(isinstance(one, str) for one in given)


def _needs(given: Given) -> t.Iterator[str]:
    try:
        in_order({str(name): needed(one) for name, one in given.tiers.items()})
    except InputError as error:
        yield f"{error.message}."


def _fails(given: Given) -> t.Iterator[str]:
    if given.fails and given.fails not in given.tiers:
        expected = ", ".join(str(name) for name in given.tiers)
        yield f"rollout_drill_service: expected one of {expected}, found {given.fails:.80}; name the service that is to fail."


def _versions(given: Given) -> t.Iterator[str]:
    for name, one in given.tiers.items():
        version = one.get("version")
        if isinstance(version, (int, float)) and not isinstance(version, bool):
            yield (
                f"{WHERE}.{name}.version is the number {version}, and YAML reads 2.10 as 2.1: put it in quotes, such as "
                f'version: "{version}".'
            )
        elif not version or not isinstance(version, str):
            yield f"{WHERE}.{name}.version is not set: set it to the version to roll out."


def _requirements(given: Given) -> t.Iterator[str]:
    for name, one in given.tiers.items():
        for other, constraint in (one.get("requires") or {}).items():
            version = (given.tiers.get(other) or {}).get("version")
            if isinstance(version, str) and version:
                yield from _requirement(str(name), one, str(other), str(constraint), version)


def _requirement(name: str, one: Values, other: str, constraint: str, version: str) -> t.Iterator[str]:
    where = f"{WHERE}.{name}.requires.{other}"
    try:
        if not constraints.meets(version, constraint):
            yield (
                f"{name} {one.get('version')} requires {other} {constraint}, but this release has {other} {version}. Release "
                f"versions that work together, or correct {where}."
            )
    except InputError as error:
        yield f"{where}: {error.message}."


def _hosts(given: Given) -> t.Iterator[str]:
    of: dict[str, str] = {}
    for name, one in given.tiers.items():
        hosts = given.groups.get(one["fleet"]) or []
        if not hosts:
            yield f"{WHERE}.{name}.fleet: the group '{one['fleet']:.80}' has no hosts; correct the name or the inventory."
        lost = [host for host in hosts if host not in given.in_view]
        if given.drill and lost and len(lost) == len(hosts):
            yield f"{name}: --limit leaves out all of its hosts, but a drill needs one of each service; name one in --limit."
        if lost and not given.drill:
            yield (
                f"{name}: --limit leaves out {lost[0]}, but whole services are released together. Run without --limit."
            )
        for host in hosts:
            if of.setdefault(host, str(name)) != name:
                yield (
                    f"{host} is in the groups of {of[host]} and {name}, which have settings of their own: give the host one "
                    "name in the inventory for each service, with the same ansible_host."
                )
                break


def _found(given: Given) -> list[tuple[Service, Values]]:
    """Each service with the settings of its first host."""
    order = in_order({str(name): needed(one) for name, one in given.tiers.items()})
    found = []
    for name in order:
        one = given.tiers[name]
        hosts = [host for host in given.groups[one["fleet"]] if host in given.in_view]
        values = given.of_host(hosts[0])
        service = Service(
            name=name,
            service=str(values.get("rollout_service") or ""),
            fleet=one["fleet"],
            version=str(values.get(RUNNING) or "") if given.drill else one["version"],
            needs=needed(one),
            first=hosts[0],
            hosts=hosts[:1] if given.drill else hosts,
            revision=_revision(given, values, fails=name == (given.fails or order[-1])),
        )
        found.append((service, values))
    return found


def _revision(given: Given, values: Values, fails: bool) -> str:
    if not given.drill:
        return str(values.get(REVISION) or "")
    return versions.DRILL if fails else versions.PASSING_DRILL


def _names(found: t.Sequence[Service]) -> t.Iterator[str]:
    of: dict[str, str] = {}
    for one in found:
        if not one.service:
            yield f"rollout_service is not set for the group {one.fleet}: set it to a name of its own for {one.name}."
        elif of.setdefault(one.service, one.name) != one.name:
            yield (
                f"rollout_service is {one.service} for both {of[one.service]} and {one.name}, but each service needs its own "
                f"lease. Set rollout_service in the group variables of {one.fleet}."
            )


def _agreed(found: t.Sequence[tuple[Service, Values]]) -> t.Iterator[str]:
    of_all, expected = found[0]
    for one, values in found[1:]:
        for setting in SHARED:
            if values.get(setting) != expected.get(setting):
                yield (
                    f"{setting} is '{values.get(setting)}' for {one.name} and '{expected.get(setting)}' for {of_all.name}, but a "
                    "release has one ledger. Set the same value for all services."
                )


def _strategies(found: t.Sequence[tuple[Service, Values]]) -> t.Iterator[str]:
    for one, values in found:
        asked = next((setting for setting in STRATEGIES if _asks_for_it(setting, values.get(setting))), None)
        if asked is not None:
            yield (
                f"{asked} is set for {one.name}, but a service of {WHERE} is released by a rolling deployment: remove {asked}, "
                f"or take {one.name} out of {WHERE} and release it with {STRATEGIES[asked]}."
            )


def _asks_for_it(setting: str, value: t.Any) -> bool:
    """The steps of a canary have a default, which needs a group; those by number of hosts do not."""
    if setting != "rollout_canary_steps":
        return bool(value)
    return isinstance(value, (list, tuple)) and any(isinstance(step, t.Mapping) and "hosts" in step for step in value)
