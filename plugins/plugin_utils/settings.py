# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of a whole fleet against the role's argument spec, each distinct set of them once.

Ansible itself validates them on every host, in a worker each: at 1,000 hosts 40 seconds of CPU for one answer.
"""

from __future__ import annotations

import typing as t

import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError

Settings = t.Mapping[str, t.Any]
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
ONE_FOR_THE_FLEET = ("rollout_service", "rollout_coordinator", "rollout_ledger", "rollout_claim_directory")
"""With other values, two runs of one service could miss each other's lease and claims."""


def spec_from(path: str, entry_point: str) -> Settings:
    """The options of an entry point in a role's argument specs.

    Read here and not by a template: what Ansible reads it tags value by value, and that costs a tenth of a second.
    """
    try:
        with open(path, encoding="utf-8") as stream:
            found: Settings = yaml.load(stream, Loader=LOADER)["argument_specs"][entry_point]["options"]
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise InputError(
            f"argument_specs: {path} has no options for the entry point '{entry_point}' ({type(error).__name__}: {error})."
        ) from None
    return found


def distinct(settings: t.Mapping[str, Settings]) -> list[list[str]]:
    """The hosts with equal settings, as they are written: templates are not evaluated."""
    groups: dict[str, list[str]] = {}
    for host, values in settings.items():
        groups.setdefault(repr(sorted(values.items())), []).append(host)
    return list(groups.values())


def disagreements(values: t.Mapping[str, Settings]) -> list[str]:
    """A sentence for each of ONE_FOR_THE_FLEET that is not the same on all these hosts."""
    sentences = []
    for name in ONE_FOR_THE_FLEET:
        hosts: dict[str, str] = {}
        for host, of_host in values.items():
            hosts.setdefault(str(of_host.get(name) or ""), host)
        if len(hosts) > 1:
            (value, here), (other, there), *_more = hosts.items()
            sentences.append(
                f"{name} is '{value}' on {here} and '{other}' on {there}, and only one value can count: give all hosts of "
                "the fleet the same."
            )
    return sentences


def errors_of(spec: Settings, values: Settings) -> list[str]:
    """In Ansible's own words; empty where the settings are as the role requires."""
    outcome = ArgumentSpecValidator(dict(spec)).validate(dict(values), validate_role_argument_spec=True)
    return list(outcome.error_messages)


def refusal(errors: t.Mapping[str, t.Sequence[str]]) -> str:
    """One sentence for each host that stands for a set of settings; empty where nothing is wrong."""
    sentences = [f"{host}: {error.rstrip('.')}." for host, found in errors.items() for error in found]
    return " ".join([*sentences, "Nothing was touched."]) if sentences else ""
