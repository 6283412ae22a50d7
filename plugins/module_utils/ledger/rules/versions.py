# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What may be a version or a revision: both become a path and part of a user's commands, whoever reported them (invariant 19).

What a host runs is one value in the ledger: its version, and behind it the revision of whatever else was rolled out,
such as '2.1.0 revision 7'. So a change of either is a change, and both are proven, marked bad and rolled back together.
"""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.release.plan import check_version

REVISION = " revision "
"""No version has a space in it."""

DRILL = "rollback-drill"
"""The revision that a drill rolls out: the version that runs already, on which a host fails on purpose."""
PASSING_DRILL = "tiers-drill"
"""That of the services which drill_tiers.yml updates before the one that fails; nothing fails on it."""
ON_PURPOSE = "failed on purpose by the drill"


def known(reported: t.Any) -> str | None:
    """The version that a host, a health answer or an old record reports; None, so unknown, where it cannot be one."""
    if not isinstance(reported, str) or not reported:
        return None
    try:
        for part in reported.split(REVISION, 1):
            check_version(part)
    except InputError:
        return None
    return reported


def single(reported: t.Any) -> str | None:
    """The same for a version, or a revision, by itself: nobody reports both as one."""
    return known(reported) if REVISION not in str(reported) else None


def check_revision(revision: str) -> None:
    """InputError where *revision* could not be a version either."""
    try:
        check_version(revision)
    except InputError as error:
        raise InputError(error.message.replace("version:", "revision:", 1)) from None


def joined(version: str | None, revision: str | None) -> str | None:
    """Both as one value; a revision without a version is none."""
    return f"{version}{REVISION}{revision}" if version and revision else version


def split(both: str | None) -> tuple[str | None, str]:
    """The version and the revision, which is empty where there is none."""
    version, dummy, revision = (both or "").partition(REVISION)
    return version or None, revision


def plain(both: str | None) -> str | None:
    """The version alone."""
    return split(both)[0]


def target(both: str | None) -> dict[str, t.Any]:
    """As tasks and templates get it: rollout_target."""
    version, revision = split(both)
    return {"version": version, "revision": revision}


def of_target(given: t.Mapping[str, t.Any]) -> str | None:
    return joined(given.get("version"), given.get("revision"))


def is_drill(both: str | None) -> bool:
    return split(both)[1] in (DRILL, PASSING_DRILL)


def fails_on_purpose(both: str | None) -> bool:
    return split(both)[1] == DRILL


def covers(asked: str | None, running: str | None) -> bool:
    """Whether a host that runs *running* is on what was asked for; where no revision was, any will do."""
    version, revision = split(asked)
    return asked == running or (bool(asked) and not revision and plain(running) == version)


def kept(asked: str | None, running: str | None) -> str | None:
    """What a host is to run: it keeps its revision where none was asked for, except that of a drill that was interrupted."""
    if not asked or split(asked)[1] or is_drill(running):
        return asked
    return joined(asked, split(running)[1])


def recognised(version: str | None, revision: str | None, records: t.Iterable[str | None]) -> str | None:
    """What a host runs that shows *version* and *revision*, each None where it shows none.

    *records* are what it may be on by the ledger. They say what the host itself does not; where they disagree
    it is not known what it runs.
    """
    if version is None and revision is None:
        return None
    pairs = {split(one) for one in records if one}
    found = {pair for pair in pairs if version in (None, pair[0]) and revision in (None, pair[1])}
    if len(found) == 1:
        return joined(*next(iter(found)))
    return None if found else joined(version, revision)


class BadVersions(t.Dict[str, t.Any]):
    """What is marked bad, and why. A version that is bad is so with every revision, but not the other way round."""

    def __contains__(self, both: t.Any) -> bool:
        return self.get(both) is not None

    def get(self, both: t.Any, default: t.Any = None) -> t.Any:
        """The record that concerns it."""
        return super().get(both) or super().get(plain(both) or "") or default
