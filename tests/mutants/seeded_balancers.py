# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Seeded bugs in the load balancers: what their replies mean, and what is sent to them."""

from __future__ import annotations

from seeded import Mutant, of

LB = "plugins/module_utils/balancers/"

MUTANTS: tuple[Mutant, ...] = (
    *of(
        LB + "haproxy/state.py",
        (
            "12 haproxy: a drain of the tracked server is none",
            "return contract.DRAINED if bits & ANY_DRAIN else contract.IN_SERVICE",
            "return contract.DRAINED if bits & FORCED_DRAIN & FORCED_MAINT else contract.IN_SERVICE",
        ),
        (
            "13 haproxy: a server without weight is usable",
            "and op_state in (STARTING, RUNNING) and weight > 0",
            "and op_state in (STARTING, RUNNING)",
        ),
        (
            "haproxy: a backup keeps the others from standing by",
            "if not any(member.usable and not member.backup for",
            "if not any(member.usable for",
        ),
        (
            "haproxy: old sessions that nobody can see are none",
            "old_sessions=None if old is None else old.get(name, 0)",
            "old_sessions=0 if old is None else old.get(name, 0)",
        ),
        (
            "haproxy: a failing check is up until it is down",
            "return contract.UP if _number(row",
            "return contract.UP if True or _number(row",
        ),
        (
            "haproxy: the old process of another pool counts",
            'if row["pxname"] == pool and row["type"]',
            'if row["type"]',
        ),
    ),
    *of(
        LB + "haproxy/workers.py",
        ("haproxy: only one old process counts", "totals[name] = totals.get(name, 0) + count", "totals[name] = count"),
        (
            "haproxy: current workers count as old",
            'elif section == "old workers" and line.split()[1:2] == ["worker"]:',
            'elif line.split()[1:2] == ["worker"]:',
        ),
        (
            "haproxy: an old process that is silent has nothing",
            "            if pid in self._old_pids():\n",
            "            if False:\n",
        ),
    ),
    *of(
        LB + "haproxy/counters.py",
        (
            "haproxy: connections that failed are no errors",
            'errors = _number(row, "hrsp_5xx") + failed',
            'errors = _number(row, "hrsp_5xx")',
        ),
        (
            "haproxy: an answer that was cut off counts twice",
            'max(0, _number(row, "eresp") - _number(row, "srv_abrt"))',
            '_number(row, "eresp")',
        ),
    ),
    *of(
        LB + "haproxy/map.py",
        (
            "13 haproxy: a map's file differs from what is in force",
            "            except RolloutError:\n                self._file.replace(before)\n                raise",
            "            except RolloutError:\n                raise",
        ),
        ("haproxy: a key stands twice in a map", "        elif not done:\n", "        else:\n"),
        (
            "haproxy: the last of two entries counts",
            'found.setdefault(words[0], words[1].strip() if len(words) > 1 else "")',
            'found[words[0]] = words[1].strip() if len(words) > 1 else ""',
        ),
    ),
    *of(
        LB + "haproxy/backend.py",
        (
            "haproxy: a poll forgets the old processes",
            "if self._workers and not all(map(sum, busy.values())):",
            "if False:",
        ),
        (
            "haproxy: a poll does not notice another status",
            "any(name not in now or _identity(now[name]) != _identity(self._rows.get(name, {})) for name in members)",
            "any(name not in now for name in members)",
        ),
        (
            "haproxy: a poll does not notice the end of a slow start",
            "if any(snapshot.members[name].operational == contract.STARTING for name in members):",
            "if False:",
        ),
        (
            "13 haproxy: a backup that stands by takes traffic",
            "any(name not in rows or haproxy_state.is_backup(rows[name]) for name in members)",
            "any(name not in rows for name in members)",
        ),
        (
            "haproxy: a drain that is not saved is lost at a reload",
            "if saved.get(name, contract.IN_SERVICE) != member.own]",
            "if saved.get(name, member.own) != member.own]",
        ),
        (
            "haproxy: any level may change",
            '        if level.strip() != "admin":\n',
            '        if level.strip() == "user":\n',
        ),
        (
            "20 haproxy: a pool's name holds a second command",
            r'if not re.match(r"^[A-Za-z0-9_.:-]+\Z", pool):',
            r'if not re.match(r"^[A-Za-z0-9_.:-]+", pool):',
        ),
    ),
    *of(
        LB + "haproxy/tables.py",
        (
            "haproxy: a member has the numbers of before a reload",
            "            if found == known:\n",
            "            if known:\n",
        ),
        (
            "haproxy: a frontend with the pool's name is the pool",
            "if is_known or haproxy_state.has_backend(stat, pool_id):",
            "if True:",
        ),
    ),
    *of(
        LB + "nginx/upstream.py",
        (
            "nginx: a mark without 'down' means no weight",
            "return 0 if self.down and self._has_no_weight else",
            "return 0 if self._has_no_weight else",
        ),
        (
            "nginx: a server without weight gets traffic",
            "if admin != contract.IN_SERVICE or not weight:",
            "if admin != contract.IN_SERVICE:",
        ),
        (
            "12 nginx: maintenance is taken for a drain",
            "if admin == contract.MAINTENANCE or (admin == contract.DRAINED and not weight):",
            "if admin == contract.DRAINED and not weight:",
        ),
    ),
    *of(
        LB + "nginx/traffic.py",
        (
            "nginx: clients of an old worker are not waited for",
            "return max(0, clients - (len(sockets) - clients))",
            "return 0",
        ),
        ("nginx: workers that cannot be seen hold nothing", "unseen=len(old) - len(seen),", "unseen=0,"),
    ),
    *of(
        LB + "nginx/service.py",
        (
            "nginx: one new worker is a reload",
            "return bool(active) and not active & before",
            "return bool(active - before)",
        ),
        (
            "nginx: only the youngest worker is read",
            "and min(map(self._proc.started, active)) >=",
            "and max(map(self._proc.started, active)) >=",
        ),
        (
            "nginx: a file that is not included is edited",
            "        if file.path not in map(os.path.realpath, included):\n",
            "        if False:\n",
        ),
    ),
    *of(
        LB + "nginx/routes.py",
        (
            "nginx: a value is taken for a pattern",
            'if value.startswith("~") or value.lower() in SPECIAL else value',
            "if value.lower() in SPECIAL else value",
        ),
    ),
    *of(
        LB + "common/reloaded_file.py",
        (
            "13 a configuration that is refused stays",
            "                self.file.replace(before, modified)\n                raise self._put_back(error) from error\n            try:",
            "                raise self._put_back(error) from error\n            try:",
        ),
        ("13 a configuration is not read after a failed reload", "                self._server.ask_to_reload()\n", ""),
    ),
    *of(
        LB + "common/owned_file.py",
        ("20 another user's file is replaced", "        if os.geteuid() not in (0, owner):\n", "        if False:\n"),
        ("all copies beside a file are removed", "reverse=True)[keep:]:", "reverse=True)[:]:"),
    ),
    *of(
        LB + "common/request_log.py",
        (
            "an answer of 499 is bad",
            "return self.status >= 500 or self.status <= 0",
            "return self.status >= 499 or self.status <= 0",
        ),
        ("a slice that is not over counts", "        if end > now:\n            continue\n", ""),
        (
            "a failed request has a latency",
            "        elif entry.milliseconds is not None:\n",
            "        if entry.milliseconds is not None:\n",
        ),
    ),
    *of(
        LB + "apache/backend.py",
        (
            "apache: a member leaves before it enters",
            '({"w_status_D": "1"}, {"w_status_N": "0"})',
            '({"w_status_N": "0"}, {"w_status_D": "1"})',
        ),
        (
            "12 apache: maintenance is taken for a drain",
            "    if DISABLED in worker.flags:\n",
            "    if DISABLED in worker.flags and DRAINING not in worker.flags:\n",
        ),
        ("apache: a stopped member has a weight", "weight=0 if STOPPED in worker.flags else max(", "weight=max("),
        ("apache: who gets traffic is set last", "key=lambda item: item[1] == 0)", "key=lambda item: item[1] != 0)"),
        ("apache: a standby serves beside the others", "in_rotation=usable and first,", "in_rotation=usable,"),
    ),
    *of(
        LB + "apache/manager.py",
        (
            "apache: a request that it would not read is sent",
            "        if len(body) > LONGEST_POST:\n",
            "        if False:\n",
        ),
    ),
    *of(
        LB + "envoy/state.py",
        (
            "13 envoy: a host whose check fails is usable",
            "usable = host.admin == contract.IN_SERVICE and host.sound and name",
            "usable = host.admin == contract.IN_SERVICE and name",
        ),
        ("13 envoy: a change that is held back counts as made", " and name not in undelivered\n", "\n"),
        (
            "1 envoy: panic is not foreseen",
            "return available < 1.0 and any(share * 100 < threshold",
            "return available < 1.0 and all(share * 100 < threshold",
        ),
        (
            "1 envoy: no healthy host is no panic",
            "    if available <= 0:\n        return True\n",
            "    if available <= 0:\n        return False\n",
        ),
    ),
    *of(
        LB + "envoy/eds.py",
        (
            "envoy: a host without weight stays in traffic",
            "contract.DRAINED if admin == contract.IN_SERVICE and not weight else admin",
            "admin",
        ),
        (
            "12 envoy: a mark hides an operator's state",
            '    def admin(self) -> str:\n        """The state asked for, whatever the weight."""\n        mark = self._mark()\n',
            '    def admin(self) -> str:\n        """The state asked for, whatever the weight."""\n        mark = None\n',
        ),
    ),
    *of(
        LB + "envoy/rules.py",
        (
            "envoy: testers see past the maintenance page",
            "self._begin() if kind == PAGE else self._end()",
            "self._end()",
        ),
        (
            "envoy: a weighted route is left beside the testers' one",
            "                action.pop(choice, None)\n".replace("                ", "            "),
            "",
        ),
    ),
    *of(
        LB + "envoy/counters.py",
        (
            "envoy: errors are no requests",
            'requests=figures.get("rq_success", 0) + errors',
            'requests=figures.get("rq_success", 0)',
        ),
    ),
    *of(
        LB + "aws/targets.py",
        ("aws: the time of a drain is local", "time.gmtime(self.since)", "time.localtime(self.since)"),
        (
            "aws: a target is deregistered without its port",
            "        if self.port is not None:\n            described",
            "        if False:\n            described",
        ),
        (
            "aws: a draining target is registered",
            'return bool(state["State"] != DRAINING and state',
            "return bool(state",
        ),
        (
            "13 aws: a target in a shifted zone is in rotation",
            "usable = operational in contract.FULLY_UP and not shifted",
            "usable = operational in contract.FULLY_UP",
        ),
    ),
    *of(
        LB + "aws/target_group.py",
        (
            "12 aws: deregistered before it is recorded",
            '        self._write(out, health, records)\n        self._each_batch("deregister_targets", leaving)\n',
            '        self._each_batch("deregister_targets", leaving)\n        self._write(out, health, records)\n',
        ),
        ("aws: what is shown late counts as refused", "if shown or self._clock.now() - started >= SETTLE:", "if True:"),
        (
            "aws: a record is erased although the target is out",
            "if one in records and not _is_out(health.get(one))])",
            "if one in records])",
        ),
    ),
    *of(
        LB + "aws/forward.py",
        (
            "aws: a login loses its secret",
            '        config["UseExistingClientSecret"] = True\n',
            '        config.setdefault("UseExistingClientSecret", False)\n',
        ),
        (
            "aws: all groups may have no weight",
            "if wanted and not any(wanted.values()):",
            "if wanted and not all(wanted.values()) and False:",
        ),
        ("aws: the short form contradicts the long one", '    action.pop("TargetGroupArn", None)\n', ""),
    ),
)
