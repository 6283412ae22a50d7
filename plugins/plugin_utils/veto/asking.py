# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks all rules of a host at one moment. Whatever goes wrong with asking is an objection and never a consent."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import RolloutError
from ansible_collections.steady.rollout.plugins.module_utils.http import excerpts
from ansible_collections.steady.rollout.plugins.module_utils.http.targets import secrets_of
from ansible_collections.steady.rollout.plugins.module_utils.plurals import counted
from ansible_collections.steady.rollout.plugins.module_utils.printable import printable
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.executors import Executors, Invocation
from ansible_collections.steady.rollout.plugins.plugin_utils.veto import consensus, replicas
from ansible_collections.steady.rollout.plugins.plugin_utils.veto.replicas import Case, Judged, Node
from ansible_collections.steady.rollout.plugins.plugin_utils.veto.rules import (
    BY_MAJORITY,
    COMMAND,
    HTTP,
    QUORUM,
    Rule,
)

SECRET = ("password", "sentinel_password")


@dataclasses.dataclass(frozen=True)
class Answer:
    """What one rule says of one host."""

    rule: str
    consents: bool
    said: str
    counts: bool = True

    @property
    def text(self) -> str:
        return f"{self.rule}: {self.said}"


@dataclasses.dataclass(frozen=True)
class Opinion:
    answers: t.Sequence[Answer]

    @property
    def consents(self) -> bool:
        return all(answer.consents for answer in self.answers)

    @property
    def objection(self) -> str:
        """Who objects and what was said; empty where nobody does."""
        return "; ".join(answer.text for answer in self.answers if not answer.consents)

    @property
    def counts(self) -> bool:
        """Whether this is more than waiting for one's turn."""
        return any(answer.counts for answer in self.answers if not answer.consents)


@dataclasses.dataclass(frozen=True)
class Asking:
    """*rules_of* has the rules as each host has them: ports and passwords may differ."""

    executors: Executors
    rules_of: t.Callable[[str], t.Sequence[Rule]]

    def ask(self, host: str, remaining: t.Sequence[str], is_before_drain: bool) -> Opinion:
        try:
            rules = self.rules_of(host)
        except Exception as error:
            # Also a template that fails: nobody could be asked, so nobody has consented.
            return Opinion([Answer("rollout_veto", False, _in_words(error))])
        return Opinion([self._asked(rule, host, remaining, is_before_drain) for rule in rules])

    def _asked(self, rule: Rule, host: str, remaining: t.Sequence[str], is_before_drain: bool) -> Answer:
        try:
            judged = self._judged(rule, host, remaining, is_before_drain)
        except Exception as error:
            judged = Judged(False, f"could not be checked: {_in_words(error)}")
        said = excerpts.shortened(" ".join(printable(_hidden(rule, judged.said)).split()))
        return Answer(rule.name, judged.consents, said, judged.counts)

    def _judged(self, rule: Rule, host: str, remaining: t.Sequence[str], is_before_drain: bool) -> Judged:
        if rule.type in (COMMAND, HTTP):
            return self._probed(rule, host)
        if rule.type == QUORUM:
            # The ledger has decided already, when it admitted the host.
            return Judged(True, f"at most {rule.max_out} of {counted(len(rule.hosts), 'host')} may be out of service")
        if host not in rule.hosts:
            return Judged(True, f"{host} is not in its group")
        others = [name for name in remaining if name in rule.hosts]
        judge = consensus.judge if rule.type in BY_MAJORITY else replicas.judge
        return judge(Case(host, rule.type, self._nodes(rule), rule.max_lag, others, is_before_drain))

    def _probed(self, rule: Rule, host: str) -> Judged:
        place = {"controller": "localhost", "host": host}.get(rule.asked_from, rule.asked_from)
        options = {"targets": [rule.of_the_probe()], "timeout": 0, "fail": False}
        outcome = self.executors.together([Invocation(place, "health_wait", options)])[0]
        last = ((outcome.result.get("targets") or {}).get(rule.name) or {}).get("last")
        if outcome.failed or not isinstance(last, dict):
            return Judged(False, str(outcome.result.get("msg") or "no answer"))
        body = f" ({last['body']})" if last.get("body") else ""
        return Judged(outcome.result.get("healthy") is True, f"{last.get('reason')}{body}")

    def _nodes(self, rule: Rule) -> list[Node]:
        calls = [Invocation(name, "replica_info", self._own(rule, name).of_the_member()) for name in rule.hosts]
        return [Node.of(one.invocation.host, one.result) for one in self.executors.together(calls)]

    def _own(self, rule: Rule, name: str) -> Rule:
        """The rule as that host has it; one that it does not have is as the asker has it."""
        return next((one for one in self.rules_of(name) if (one.name, one.type) == (rule.name, rule.type)), rule)


def _hidden(rule: Rule, said: str) -> str:
    """Without what the rule's own options hold of secrets, and what names itself one."""
    own = [str(rule.options[name]) for name in SECRET if rule.options.get(name)]
    found = [*own, *secrets_of({"headers": rule.options.get("headers"), "url": rule.options.get("url")})]
    return excerpts.known(found)(excerpts.without_secret_pairs(excerpts.known(found)(said)))


def _in_words(error: Exception) -> str:
    if isinstance(error, RolloutError):
        return error.message
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else 'no reason given'}"
