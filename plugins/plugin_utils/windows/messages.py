# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of a window, in one sentence, and the same as data."""

from __future__ import annotations

import datetime as dt
import typing as t

from ansible_collections.steady.rollout.plugins.plugin_utils.windows import moments
from ansible_collections.steady.rollout.plugins.plugin_utils.windows.schedule import Answer


def spoken(length: dt.timedelta) -> str:
    """Such as 1h58m, 12m, 45s or 3d4h."""
    seconds = max(int(length.total_seconds()), 0)
    parts = [(seconds // 86400, "d"), (seconds // 3600 % 24, "h"), (seconds // 60 % 60, "m"), (seconds % 60, "s")]
    said = [f"{number}{unit}" for number, unit in parts if number]
    return "".join(said[:2]) or "0s"


def sentence(answer: Answer) -> str:
    """Without a full stop."""
    if answer.fits:
        needed = f", {spoken(answer.needed)} needed" if answer.needed else ""
        until = "for at least a year" if answer.lasts else f"until {_at(answer, answer.until)}"
        return (
            f"the maintenance window is open {until}{'' if answer.lasts else f' ({spoken(answer.left)} left{needed})'}"
        )
    if answer.is_open:
        why = (
            f"the maintenance window closes at {_at(answer, answer.until)}, in {spoken(answer.left)}, and the work needs "
            f"{spoken(answer.needed)}"
        )
    elif answer.closed_by is not None:
        why = f"closed by '{answer.closed_by.name}' until {_at(answer, answer.closed_by.end)}"
    else:
        why = "outside the maintenance window"
    return f"{why}; {following(answer)}"


def following(answer: Answer) -> str:
    fitting = f" in which {spoken(answer.needed)} fit" if answer.needed else ""
    if answer.next is None:
        return f"no window{fitting} opens within a year"
    return f"the next window{fitting} opens at {_at(answer, answer.next.start)}"


def _at(answer: Answer, moment: dt.datetime | None) -> str:
    return moments.shown(moment, answer.zone) if moment else "-"


def as_result(answer: Answer) -> dict[str, t.Any]:
    return {
        "open": answer.is_open,
        "fits": answer.fits,
        "until": None if answer.until is None else answer.until.astimezone(answer.zone).isoformat(),
        "closes_at": answer.until.timestamp() if answer.until else 0.0,
        "left": answer.left.total_seconds(),
        "next": None
        if answer.next is None
        else {
            "from": answer.next.start.astimezone(answer.zone).isoformat(),
            "to": answer.next.end.astimezone(answer.zone).isoformat(),
            "at": answer.next.start.timestamp(),
        },
        "next_text": following(answer),
        "closed_by": answer.closed_by.name if answer.closed_by else "",
        "text": sentence(answer),
    }
