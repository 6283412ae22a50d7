# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Seeded bugs on the controller and in the sessions: what runs cores elsewhere, what observes, and what is reported to the run."""

from __future__ import annotations

from seeded import Mutant, of

CONTROLLER = "plugins/plugin_utils/"
SESSIONS = CONTROLLER + "sessions/"
WATCH = CONTROLLER + "watch/"
UNIT = "tests/unit/plugins/plugin_utils/"

MUTANTS: tuple[Mutant, ...] = (
    *of(
        CONTROLLER + "controller.py",
        (
            "8 another boot is the same place",
            'PLACE = ("controller", "boot_id", "namespace")',
            'PLACE = ("controller", "namespace")',
        ),
        (
            "8 another namespace is the same place",
            'PLACE = ("controller", "boot_id", "namespace")',
            'PLACE = ("controller", "boot_id")',
        ),
        (
            "8 a process id that was given again is the same run",
            'or str(started(int(other["pid"]))) != str(other.get("started"))',
            'or not started(int(other["pid"]))',
        ),
        ("8 a worker that lives counts as left behind", "        and _command(_parent(pid)) != command\n", ""),
        (
            "8 a worker at work is ended",
            "if pid not in stopped | writing | waiting or _end(pid)]",
            "if pid not in alone or _end(pid)]",
        ),
        (
            "8 a worker without its run goes on",
            "return parent is not None and os.getppid() != parent.pid",
            "return False",
        ),
        tests=(UNIT + "test_controller.py",),
    ),
    *of(
        CONTROLLER + "failures.py",
        (
            "20 no_log of the task is ignored",
            'if task.get("no_log") or worst.get("_ansible_no_log"):',
            'if worst.get("_ansible_no_log"):',
        ),
        (
            "20 no_log of the result is ignored",
            'if task.get("no_log") or worst.get("_ansible_no_log"):',
            'if task.get("no_log"):',
        ),
        (
            "12 a step that timed out is not noticed",
            'timed_out = "timedout" in worst or TIMED_OUT.search(text) is not None',
            'timed_out = "timedout" in worst',
        ),
        ("a loop's failure is its first result", "if is_bad(part)), result)", "), result)"),
        tests=(UNIT + "test_failures.py",),
    ),
    *of(
        CONTROLLER + "taken_over.py",
        (
            "12 this ledger's own claim is taken over",
            'if claim and claim.get("drained") and claim.get("ledger") != ledger',
            'if claim and claim.get("drained")',
        ),
        tests=(UNIT + "test_taken_over.py",),
    ),
    *of(
        CONTROLLER + "preflight/steps.py",
        (
            "steps within a block are not looked at",
            'NESTS = ("block", "rescue", "always")',
            'NESTS = ("rescue", "always")',
        ),
        ("a step that pauses is let through", 'FORBIDDEN = ("pause", "add_host")', 'FORBIDDEN = ("add_host",)'),
        tests=(UNIT + "preflight",),
    ),
    *of(
        WATCH + "loop.py",
        (
            "8 a suspended run keeps its lease",
            "            if not self.run.is_suspended():\n",
            "            if True:\n",
        ),
        ("17 proven hosts are not probed", "self.probe(probed) if probed else []))", "[]))"),
        (
            "17 another version counts as healthy",
            'if row["healthy"] and row["version"] not in (None, wanted):',
            "if False:",
        ),
        (
            "8 a lost lease is not reported",
            '            self.lose(str(answer["reason"]))\n',
            "            pass\n",
        ),
        (
            "the end of a run is taken for a loss",
            "            while self.run.is_there() and self.now() - began < ENDS_WITHIN:\n",
            "            while False:\n",
        ),
        (
            "a killed worker hangs the run",
            "        if self.now() - self._complete_at >= DEAD_FOR:\n",
            "        if False:\n",
        ),
        (
            "a balancer that does not answer delays the heartbeat",
            "        if not self._wait_for(self._reading, INTERVAL):\n",
            "        if not self._wait_for(self._reading):\n",
        ),
        ("the lease is never renewed", "        self.renew()\n", ""),
        tests=(UNIT + "watch",),
    ),
    *of(
        WATCH + "portions.py",
        (
            "17 a host that failed its last probe waits for its turn",
            "return name not in self._good_since, self",
            "return True, self",
        ),
        (
            "17 the same hosts of a large fleet are probed each time",
            "        self._probed_in.update(dict.fromkeys(chosen, self._number))\n",
            "",
        ),
        tests=(UNIT + "watch",),
    ),
    *of(
        WATCH + "lease_mark.py",
        ("8 a mark of yesterday is fresh", "        if now() - renewed_at < FRESH_FOR:\n", "        if renewed_at:\n"),
        ("8 a lost lease lets a step run", "        if text.startswith(LOST):\n", "        if text == LOST:\n"),
        tests=(UNIT + "watch",),
    ),
    *of(
        SESSIONS + "slots.py",
        (
            "a place is held by two",
            "fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)",
            "fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)",
        ),
        (
            "20 a directory of others holds the places",
            "or about.st_uid != os.geteuid() or about.st_mode & 0o077:",
            "or about.st_uid != os.geteuid():",
        ),
        tests=(UNIT + "sessions",),
    ),
    *of(
        SESSIONS + "session.py",
        (
            "a wait does not end with its session",
            "        for reply in waiting.values():\n            reply(None)\n",
            "",
        ),
        (
            "a silent session lives for ever",
            "            elif unanswered == UNANSWERED:\n",
            "            elif unanswered == -1:\n",
        ),
        tests=(UNIT + "sessions",),
    ),
    *of(
        SESSIONS + "shared_server.py",
        (
            "8 what a worker that is gone waits for goes on",
            "                self._session.cut(number)\n",
            "                pass\n",
        ),
        (
            "the end of a shared session is kept from idle workers",
            "            self._session.await_end(end, self._pass_on_the_end)\n",
            "",
        ),
        (
            "a worker that reads nothing holds up the others",
            'struct.pack("ll", READS_WITHIN, 0)',
            'struct.pack("ll", 0, 0)',
        ),
        tests=(UNIT + "sessions",),
    ),
    *of(
        SESSIONS + "remote/serve.py",
        (
            "8 one wait of several cannot be cut",
            "            nobody_waits.set()\n",
            "            pass\n",
        ),
        tests=(UNIT + "sessions",),
    ),
    *of(
        SESSIONS + "opening.py",
        (
            "an older Python is not left for another",
            "if closed.code != OF_SSH and len(self.interpreters) > 1 and not tried:",
            "if False:",
        ),
        ("a full connection is tried again", "                    full.add(number)\n", "                    pass\n"),
        (
            "a wrong password is sent for ever",
            "        elif step is Step.WRONG_PASSWORD:\n",
            "        elif step is None:\n",
        ),
        tests=(UNIT + "sessions",),
    ),
    *of(
        SESSIONS + "remote/bootstrap.py",
        (
            "20 a runner that was changed is run",
            "        if hashlib.sha256(content).hexdigest().encode() != digest:\n            return None\n",
            "",
        ),
        (
            "20 a runner of others is run",
            "or about.st_uid != os.geteuid() or about.st_mode & 0o077:\n                return None",
            ":\n                return None".replace(":", " or False:", 1),
        ),
        (
            "20 a runner that did not arrive is run",
            "if hashlib.sha256(content).hexdigest() != self._digest:",
            "if False:",
        ),
        (
            "the newest runners are removed",
            "for _changed_at, entry in runners[:-KEEP]:",
            "for _changed_at, entry in runners[KEEP:]:",
        ),
        tests=(UNIT + "sessions",),
    ),
    *of(
        SESSIONS + "remote/serve.py",
        (
            "20 any function is run by name",
            "if not module.startswith(CORES) or not function.isidentifier():",
            "if not function.isidentifier():",
        ),
        ("a request of any length", "            if len(self._buffer) > LONGEST:\n", "            if False:\n"),
        (
            "8 a session outlives a silent controller",
            '            if not ready:\n                return f"nothing was received',
            '            if ready is None:\n                return f"nothing was received',
        ),
        tests=(UNIT + "sessions",),
    ),
    *of(
        SESSIONS + "remote/programs.py",
        (
            "8 a program starts after the controller is gone",
            "            if self._refuses:\n",
            "            if False:\n",
        ),
        ("the beginning of a long output is kept", "stream.seek(max(0, size - LARGEST_OUTPUT))", "stream.seek(0)"),
        tests=(UNIT + "sessions",),
    ),
    *of(
        "plugins/module_utils/in_progress.py",
        (
            "8 a change begins after the controller is gone",
            '        if _state["closed"] or _is_caller_gone():\n',
            "        if _is_caller_gone():\n",
        ),
        (
            "8 a change begins for a worker that is gone",
            '        if _state["closed"] or _is_caller_gone():\n',
            '        if _state["closed"]:\n',
        ),
        (
            "8 a change is cut with its worker",
            "    if not _thread.changes and _is_caller_gone():\n",
            "    if _is_caller_gone():\n",
        ),
        (
            "8 a worker that is gone goes on to wait",
            "    if not _thread.changes and _is_caller_gone():\n",
            "    if False:\n",
        ),
        ("8 a change in progress is cut", 'return _turn.wait_for(lambda: not _state["changes"], limit)', "return True"),
        tests=(UNIT + "sessions", "tests/unit/plugins/module_utils/test_in_progress.py"),
    ),
    *of(
        "plugins/module_utils/call.py",
        ("13 nan is a number", "return not math.isfinite(value)", "return False"),
        (
            "13 an integer of any size",
            "return isinstance(value, int) and not -LARGEST < value < LARGEST",
            "return False",
        ),
        ("20 terminal escapes of hosts are shown", "        error.message = printable(error.message)\n", ""),
        ("13 options of any depth", "    if depth > DEEPEST:\n", "    if depth > DEEPEST * 100:\n"),
    ),
    *of(
        "plugins/module_utils/pools/guarded_change.py",
        (
            "8 a pool is changed without the claim",
            "with claims.held(self._claim), pool_lock(self._balancer, self._claim):",
            "with pool_lock(self._balancer, self._claim):",
        ),
        (
            "8 two change a pool at once",
            "with claims.held(self._claim), pool_lock(self._balancer, self._claim):",
            "with claims.held(self._claim):",
        ),
        (
            "13 accepted counts as shown",
            "            if not missed:\n                return state\n",
            "            return state\n",
        ),
        (
            "12 a change is announced after it is made",
            "                self.announce(changes)\n                state = self.predicted(state, changes) if self._check_mode else self.set(changes)\n",
            "                state = self.predicted(state, changes) if self._check_mode else self.set(changes)\n                self.announce(changes)\n",
        ),
    ),
    *of(
        "plugins/module_utils/pools/members/marking.py",
        (
            "1 the guard judges by the members of the call alone",
            "return self._read_pool() if member_plan.taken_out(self._request.wanted) else self.read_back()",
            "return self.read_back()",
        ),
        (
            "a change is not undone since the guard sees one member",
            "            snapshot = self._read_pool()\n",
            "            snapshot = self.read_back()\n",
        ),
        ("1 a change without the guard", "        self._refuse_unsafe(state, plan)\n", ""),
        (
            "12 what somebody else changed is undone",
            "if name in snapshot.members and snapshot.members[name].own == state\n",
            "if name in snapshot.members\n",
        ),
        (
            "12 claims do not name who is drained",
            "claims.note_members(self._claim, drained=drained)",
            "pass",
        ),
    ),
    *of(
        CONTROLLER + "plays.py",
        ("check mode changes hosts", "    if check_mode:\n        return NOBODY\n", ""),
        tests=("tests/unit/plugins/plugin_utils/test_plays.py",),
    ),
    *of(
        CONTROLLER + "survey.py",
        (
            "13 a balancer that failed has no members",
            '"members": {}, "unreachable": error_of(outcome)}',
            '"members": {}}',
        ),
        (
            "one host that cannot be probed refuses all",
            'refused = errors[0] if errors and not seen else ""',
            'refused = errors[0] if errors else ""',
        ),
        tests=("tests/unit/plugins/plugin_utils/test_survey.py",),
    ),
    *of(
        "plugins/callback/progress.py",
        (
            "20 a hidden failure is shown",
            '"the output is hidden by no_log" if _is_hidden(result) else failure_text',
            "failure_text",
        ),
        ("the end of a failed run is green", "        self._succeeded = self._succeeded and ignore_errors\n", ""),
        tests=("tests/unit/plugins/callback",),
    ),
)
