# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of preflight.yml: a row for each check, from the results of the tasks that looked."""

from __future__ import annotations

import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import durations
from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError
from ansible_collections.steady.rollout.plugins.module_utils.ledger.messages import tables
from ansible_collections.steady.rollout.plugins.plugin_utils.failures import failure_text

Result = t.Mapping[str, t.Any]

PASSES, FAILS, NOT_CHECKED = "ok", "FAILED", "not checked"
LEAST_INODES = 1000
UNITS = {"k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12}


class Row(t.NamedTuple):
    check: str
    verdict: str
    says: str


def report(results: Result) -> dict[str, t.Any]:
    """*results* has what each task registered, by the names that the checks below use."""
    rows = [row for check in CHECKS for row in check(results)]
    failed = [row for row in rows if row.verdict == FAILS]
    text = tables.table(Row._fields, rows)
    summary = f"{len(failed)} of {len(rows)} checks failed: {', '.join(dict.fromkeys(row.check for row in failed))}."
    message = summary if failed else "All checks passed."
    return {"rows": [row._asdict() for row in rows], "text": text, "passed": not failed, "msg": message}


def _verdict(passes: bool) -> str:
    return PASSES if passes else FAILS


def _settings(results: Result) -> t.Iterator[Row]:
    found = results["settings"]
    errors = list(found.get("errors") or ([] if "errors" in found else [failure_text(found)]))
    yield Row("settings", _verdict(not errors), " ".join(errors) or "can work")


def _block(results: Result) -> t.Iterator[Row]:
    found = results["ledger"]
    if "blocks" not in found:
        yield Row("ledger", FAILS, failure_text(found))
        return
    blocks = [str(one["text"]) for one in found["blocks"]]
    yield Row("block", _verdict(not blocks), "; ".join(blocks) or "not blocked")
    running = [one for one in found.get("services") or [] if one.get("is_held")]
    yield Row("lease", _verdict(not running), "another rollout is running" if running else "no rollout is running")
    chain = found.get("chain") or {}
    yield Row(
        "history", _verdict(bool(chain.get("intact", True))), "intact" if chain.get("intact", True) else "damaged"
    )


def _window(results: Result) -> t.Iterator[Row]:
    found = results["window"]
    if not found:
        yield Row("window", NOT_CHECKED, "rollout_window is not set")
    elif "open" not in found:
        yield Row("window", FAILS, failure_text(found))
    else:
        yield Row("freeze" if found["closed_by"] else "window", _verdict(bool(found["fits"])), str(found["text"]))


def _fleet(results: Result) -> t.Iterator[Row]:
    found = results["fleet"]
    if "hosts" not in found:
        yield Row("health", FAILS, failure_text(found))
        return
    ill = [str(host["name"]) for host in found["hosts"] if host.get("in_scope") and host.get("healthy") is not True]
    yield Row("health", _verdict(not ill), f"not healthy: {', '.join(ill)}" if ill else "every host is healthy")
    problems = " ".join(found.get("problems") or [])
    yield Row("balancers", _verdict(not problems), problems or "every load balancer answers")


def _disk(results: Result) -> t.Iterator[Row]:
    try:
        needed = bytes_of(results["disk_needed"])
    except InputError as error:
        yield Row("disk", FAILS, error.message)
        return
    if not results["disk"]:
        yield Row("disk", NOT_CHECKED, "rollout_release_path is not set")
        return
    short = [f"{host}: {why}" for host, found in sorted(results["disk"].items()) if (why := _lacks(found, needed))]
    enough = f"every host has at least {needed / 1e6:.0f} MB"
    yield Row("disk", _verdict(not short), "; ".join(short) or enough)


def _lacks(found: t.Any, needed: float) -> str:
    if not isinstance(found, t.Mapping) or "free" not in found:
        return failure_text(found) if isinstance(found, t.Mapping) and found else "was not asked"
    if found["free"] < needed:
        return f"{found['msg']}, {needed / 1e6:.0f} MB needed"
    inodes = found.get("free_inodes")
    return f"{inodes} inodes are free at {found['place']}" if inodes is not None and inodes < LEAST_INODES else ""


def _alerts(results: Result) -> t.Iterator[Row]:
    found = results["alerts"]
    if not found:
        yield Row("alerts", NOT_CHECKED, "no metric has an alertmanager for its source")
    else:
        yield Row("alerts", _verdict(found.get("verdict") == "pass"), failure_text(found).rstrip("."))


def _migrations(results: Result) -> t.Iterator[Row]:
    """What the linter says of all that is pending, and whether the database answers."""
    found = results["migrations"]
    if not found:
        yield Row("migrations", NOT_CHECKED, "rollout_migrations is not set")
    else:
        yield Row("migrations", _verdict("go" in found), failure_text(found).rstrip("."))


def _plan(results: Result) -> t.Iterator[Row]:
    found = results["plan"]
    if "order" not in found:
        yield Row("plan", FAILS, failure_text(found))
        return
    yield Row("plan", PASSES, str(found["text"][0]))
    if found.get("plan_hash"):
        note = next((str(one) for one in found["notes"] if found["plan_hash"][:12] in str(one)), "")
        yield Row("approvals", _verdict(bool(found.get("approved"))), note)
    else:
        yield Row("approvals", PASSES, "none are needed")


CHECKS: tuple[t.Callable[[Result], t.Iterator[Row]], ...] = (
    _settings, _block, _window, _fleet, _disk, _alerts, _migrations, _plan,
)  # fmt: skip


def bytes_of(given: t.Any, name: str = "rollout_preflight_disk") -> float:
    """Such as 500M, 2G or plain bytes."""
    text = str(given).strip().lower().rstrip("b")
    factor = UNITS.get(text[-1:], 1.0)
    number = durations.PLAIN.fullmatch(text[:-1].strip() if factor > 1 else text)
    if number is None:
        raise InputError(f"{name}: '{given!s:.40}' is not a size such as 500M or 2G.")
    return float(number[0]) * factor
