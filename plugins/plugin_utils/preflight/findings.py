# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the checks before a rollout found, and what the user has accepted."""

from __future__ import annotations

import typing as t


class Finding(t.NamedTuple):
    """One sentence; *check* names those that a user may accept, empty where nothing could work."""

    sentence: str
    check: str = ""


def refusals(findings: t.Iterable[Finding], accepted: t.Collection[str]) -> list[str]:
    """The sentences of what is not accepted, each once, with how to accept it where that is possible."""
    sentences = [_sentence(finding) for finding in findings if not finding.check or finding.check not in accepted]
    return list(dict.fromkeys(sentences))


def _sentence(finding: Finding) -> str:
    if not finding.check:
        return finding.sentence
    return f"{finding.sentence.rstrip('.')}; to continue anyway, add -e rollout_accept={finding.check}."


def accepted(given: t.Any) -> list[str]:
    """What rollout_accept names: a list, or words in one text as -e gives them."""
    words = given.replace(",", " ").split() if isinstance(given, str) else list(given or [])
    return [str(word) for word in words]
