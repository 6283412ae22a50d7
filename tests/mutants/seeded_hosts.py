# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Seeded bugs in what is done on hosts and in what is asked of them: claims, files, health, HTTP, smoke tests."""

from __future__ import annotations

from seeded import Mutant, of

UTILS = "plugins/module_utils/"

MUTANTS: tuple[Mutant, ...] = (
    *of(
        UTILS + "claims.py",
        (
            "8 who only asks for its claim keeps it after a later run took over",
            "if claim and found and (found.ledger, found.token) == (claim.ledger, claim.token):",
            "if claim and found and found.ledger == claim.ledger:",
        ),
        (
            "8 who only asks for its claim does not ask for root's",
            "            _refuse_others(claim, _shared_record(claim))\n        return\n",
            "            return\n",
        ),
        (
            "8 a process stopped in a change keeps the claim from the run that takes over",
            "    if is_over:\n        holder.end()\n",
            "",
        ),
        (
            "8 a process stopped in a change of the same run is ended",
            "is_over = found.token < claim.token if",
            "is_over = found.token <= claim.token if",
        ),
        (
            "8 the claim's lock is dropped before the work",
            "            _write(claim, before, active)\n            yield",
            "            _write(claim, before, active)\n        yield",
        ),
        (
            "8 an older token holds a claim",
            "if found.ledger == claim.ledger and found.token > claim.token:",
            "if found.ledger == claim.ledger and found.token > claim.token + 1:",
        ),
        (
            "8 force lets an older token in",
            "    if found.ledger == claim.ledger and found.token > claim.token:\n        raise",
            "    if not force and found.ledger == claim.ledger and found.token > claim.token:\n        raise",
        ),
        ("8 another ledger's active claim is taken", "if found.active and not force:", "if found.active and force:"),
        (
            "8 a superseded run changes things again",
            ">= claim.token:\n        raise ClaimLost",
            "> claim.token:\n        raise ClaimLost",
        ),
        (
            "8 a later run's claim is given back",
            "or before.token > claim.token:",
            "or before.token > claim.token + 10:",
        ),
        (
            "8 another ledger's claim is given back",
            "if not before or before.ledger != claim.ledger or",
            "if not before or",
        ),
        (
            "8 an empty claim counts as none",
            "        content = files.read(path, LONGEST_CLAIM, follow=False)\n",
            "        content = files.read(path, LONGEST_CLAIM, follow=False)\n        if not content:\n            return None\n",
        ),
        ("8 a claim is read through a link", "LONGEST_CLAIM, follow=False", "LONGEST_CLAIM, follow=True"),
        (
            "8 root's claim is not seen by another user",
            "        _refuse_others(claim, before, force)\n        _refuse_others(claim, _shared_record(claim))\n",
            "        _refuse_others(claim, before, force)\n",
        ),
        (
            "8 nobody remembers who was superseded",
            "    if before and before.ledger != claim.ledger:\n        superseded",
            "    if before and before.ledger == claim.ledger:\n        superseded",
        ),
        ("a service names a file elsewhere", 'or "/" in service or', "or"),
    ),
    *of(
        UTILS + "files.py",
        (
            "a draft is opened where one is already",
            "os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_WRONLY | os.O_CLOEXEC",
            "os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_CLOEXEC",
        ),
        ("a draft has a name that can be known before", '{os.urandom(16).hex()}"', 'new"'),
        (
            "a draft that failed stays",
            "            with contextlib.suppress(OSError):\n                os.unlink(draft, dir_fd=place)\n            raise",
            "            raise",
        ),
        ("a file is read through a link", "(0 if follow else os.O_NOFOLLOW)", "0"),
        ("a file of any size is read", "    if len(content) > most:", "    if len(content) > most + 1:"),
        (
            "a stranger's link is followed",
            "found.st_uid not in (0, os.geteuid()):\n        raise OSError",
            "found.st_uid in (0, os.geteuid()) and False:\n        raise OSError",
        ),
        (
            "a stranger's folder is used",
            "    if found.st_uid not in (0, os.geteuid()):\n        raise RolloutError",
            "    if False:\n        raise RolloutError",
        ),
        ("a folder that all may write is used", "if found.st_mode & stat.S_IWOTH:", "if found.st_mode & stat.S_ISVTX:"),
        ("a lock is shared", "fcntl.LOCK_EX | fcntl.LOCK_NB", "fcntl.LOCK_SH | fcntl.LOCK_NB"),
        ("a lock is waited for without end", "if time.monotonic() >= deadline:", "if False:"),
        (
            "everybody may take a lock's file",
            "        os.fchmod(handle, mode)\n\n\n@contextlib",
            "        pass\n\n\n@contextlib",
        ),
        ("a replaced file loses its mode", "    os.fchmod(handle, access.mode)", "    os.fchmod(handle, 0o644)"),
    ),
    *of(
        UTILS + "durations.py",
        ("a minute has a hundred seconds", '"m": 60.0', '"m": 100.0'),
        ("nothing is positive", "    if not found:", "    if found < 0:"),
        ("the longest is not allowed", "if not least <= found <= most:", "if not least <= found < most:"),
        ("only the first part counts", "return sum(float(number)", "return max(float(number)"),
    ),
    *of(
        UTILS + "waiting.py",
        (
            "one look is proof",
            "self._in_a_row[name] >= self._consecutive\n            for",
            "self._in_a_row[name] >= 1\n            for",
        ),
        (
            "looks need not follow each other",
            "if verdict is Verdict.REACHED else 0",
            "if verdict is Verdict.REACHED else self._in_a_row.get(name, 0)",
        ),
        ("what cannot be is waited for", "verdict is Verdict.IMPOSSIBLE or self", "self"),
        (
            "unproven counts as reached",
            "unproven = Verdict.NOT_YET if verdict is Verdict.REACHED else verdict",
            "unproven = verdict",
        ),
        (
            "the pace never slows",
            "interval = min(interval * pace.growth, pace.longest_after(now - progress.started))",
            "interval = interval + 0",
        ),
        ("nobody is called every second", "if now - second >= 1.0:", "if now - second >= 1e9:"),
        ("a slow poll leaves no rest", "pause = max(interval, (now - asked) * pace.rest)", "pause = interval"),
        ("the deadline is passed by a whole pause", "min(pause, left))", "pause)"),
    ),
    *of(
        UTILS + "units.py",
        ("a crash loop is not seen", 'self.sub in ("auto-restart", "auto-restart-queued") or', "self.sub in () or"),
        ("a failed unit has not failed", 'self.active == "failed" or', 'self.active == "inactive" or'),
        ("any name is a unit", "if name and not NAME.fullmatch(name):", "if name and not NAME.match(name):"),
        ("the first lines of the journal", "if line.strip()][-lines:]", "if line.strip()][:lines]"),
    ),
    *of(
        UTILS + "health/policy.py",
        ("7 a flap does not start the proof again", "        streak=0,\n", "        streak=state.streak,\n"),
        (
            "7 a flap keeps the time that was healthy",
            "        streak_began=None,\n        flaps",
            "        streak_began=state.streak_began,\n        flaps",
        ),
        ("7 successes alone are health", " and state.healthy_for >= policy.min_healthy_time:", ":"),
        ("7 time alone is health", "if state.streak >= policy.successes and state", "if state.streak and state"),
        ("a flap is not counted", "(1 if state.streak else 0)", "0"),
        (
            "7 who can no longer be proven is waited for",
            "or began + policy.min_healthy_time > policy.timeout:",
            "and began + policy.min_healthy_time > policy.timeout:",
        ),
        (
            "the worst latency is forgotten",
            "max(latest.latency or 0.0, sample.latency or 0.0)",
            "sample.latency or 0.0",
        ),
        ("the history forgets the newest", "del self._runs[: -self._limit]", "del self._runs[self._limit :]"),
    ),
    *of(
        UTILS + "health/probe.py",
        (
            "a command that fails is healthy",
            "if target.command and seen.status != 0:",
            "if target.command and seen.status is None:",
        ),
        (
            "any status is healthy",
            "if target.url and seen.status not in target.status:",
            "if target.url and not seen.status:",
        ),
        ("a slow answer is healthy", "latency > target.latency:", "latency > target.latency * 2:"),
        (
            "a wrong version is healthy",
            "if wanted is None or found == wanted:",
            "if wanted is None or found is not None:",
        ),
        (
            "what is merely true is expected",
            "if expect and expect(document) is not True:",
            "if expect and not expect(document):",
        ),
        ("a quote in a version changes the expression", """.replace("'", "\\\\'")""", ""),
        ("20 a secret of the reason is shown", "reason=redacted(reason, target.secrets)", "reason=reason"),
        ("a boolean is a version", "and not isinstance(found, bool) else None", "else None"),
        ("a command may run for ever", 'if shutil.which("timeout"):', 'if not shutil.which("timeout"):'),
    ),
    *of(
        UTILS + "http/excerpts.py",
        (
            "20 a known secret of an answer is shown",
            "return shortened(hide(masked(hide(text))))",
            "return shortened(masked(text))",
        ),
        (
            "20 a secret split over lines is shown",
            "return shortened(hide(masked(hide(text))))",
            "return shortened(masked(hide(text)))",
        ),
        (
            "20 lists in an answer are shown",
            "    if isinstance(document, list):\n        return [without_secrets(value)",
            "    if isinstance(document, tuple):\n        return [without_secrets(value)",
        ),
        (
            "20 telling names in an answer are shown",
            "HIDDEN if names_a_secret(name) else without_secrets(value)",
            "without_secrets(value)",
        ),
        (
            "20 a password in a url of an answer is shown",
            'return PASSWORD_IN_URL.sub(rf"\\1{HIDDEN}", SECRET_PAIR.sub(',
            "return str(SECRET_PAIR.sub(",
        ),
    ),
    *of(
        UTILS + "health/watch.py",
        (
            "over when one is decided",
            "return all(one.verdict != Verdict.WAITING",
            "return any(one.verdict != Verdict.WAITING",
        ),
        (
            "a probe outlives the deadline",
            "return max(0.001, min(target.timeout, self._policy.timeout - now))",
            "return target.timeout",
        ),
        (
            "a healthy one is not watched any more",
            "one.due <= now and one.verdict != Verdict.LOST:",
            "one.due <= now and one.verdict == Verdict.WAITING:",
        ),
        ("a probe that hangs says nothing", "one.probing and self._hangs(one, now):", "one.probing and False:"),
        (
            "a late answer counts",
            "                if one.probing:\n                    self._note",
            "                if True:\n                    self._note",
        ),
        (
            "a thread that dies takes its target with it",
            "        except Exception as error:  #",
            "        except ZeroDivisionError as error:  #",
        ),
    ),
    *of(
        UTILS + "http/exchange.py",
        (
            "one redirect too many",
            "for _dummy in range(MOST_REDIRECTS + 1):\n        answer",
            "for _dummy in range(MOST_REDIRECTS + 2):\n        answer",
        ),
        ("20 from https to http", 'if (before.scheme, after.scheme) == ("https", "http"):', "if False:"),
        (
            "20 a stranger gets the password",
            "    if is_elsewhere:\n        headers",
            "    if not is_elsewhere:\n        headers",
        ),
        (
            "20 a stranger gets the body",
            "if is_elsewhere and request.body is not None:",
            "if is_elsewhere and request.body is None:",
        ),
        (
            "another port is the same origin",
            "return parts.scheme, parts.hostname, parts.port or",
            "return parts.scheme, parts.hostname, 0 and parts.port or",
        ),
        (
            "no deadline for each read",
            "        self._connection.settimeout(self._deadline.left())\n        return self._connection.recv_into",
            "        return self._connection.recv_into",
        ),
        ("a body of any size", "body = response.read(largest)", "body = response.read()"),
        ("half an answer is one", "if response.length and len(body) < largest:", "if False:"),
        (
            "a post is posted again after 303",
            "    if status not in (307, 308):",
            "    if status not in (303, 307, 308):",
        ),
        (
            "any scheme is followed",
            'if after.scheme not in ("http", "https") or not after.hostname:',
            "if not after.hostname:",
        ),
        ("port 0 is an address", "not 0 < int(match.group(3)) < 65536", "not 0 <= int(match.group(3)) < 65536"),
        ("a connection that said something is used again", "return not poll.poll(0)", "return True"),
        (
            "only the first address is tried",
            "            connection.close()\n            failure = error",
            "            connection.close()\n            raise",
        ),
    ),
    *of(
        UTILS + "http/targets.py",
        ("20 a header's token is no secret", "found.extend(str(value).split()[1:])", "pass"),
        ("20 the url's password is no secret", "if parts and parts.password:", "if parts and not parts.password:"),
        ("20 a url is shown with its password", 'netloc = parts.netloc.rpartition("@")[2]', "netloc = parts.netloc"),
        ("two targets of one name", "        if times > 1:", "        if times > 2:"),
        ("two ways at once", "if len(given) != 1:", "if not given:"),
        ("20 short secrets hide longer ones", "key=len, reverse=True))", "key=len))"),
    ),
    *of(
        UTILS + "http/queries.py",
        ("an expression on a list ends in a traceback", "if not isinstance(document, dict):", "if document is None:"),
        (
            "a wrong type ends in a traceback",
            "except (ValueError, TypeError, ArithmeticError):",
            "except ArithmeticError:",
        ),
    ),
    *of(
        UTILS + "smoke/judging.py",
        ("smoke: a wrong status passes", "if reply.status not in step.status:", "if reply.status in ():"),
        ("smoke: a slow answer passes", "reply.seconds > step.latency:", "reply.seconds > step.latency * 10:"),
        (
            "smoke: only the header or the body",
            "_wrong_header(step, reply, kept) or _wrong_body(step, reply, kept)",
            "_wrong_header(step, reply, kept)",
        ),
        ("smoke: nothing is kept as a value", 'or value == "":', "or False:"),
        ("smoke: a header only has to be there", "if templates.filled(expected, kept) not in found:", "if not found:"),
        ("20 smoke: a confidential body is shown", "if step.is_confidential or not reply.text:", "if not reply.text:"),
        ("smoke: what is merely true is expected", "return None if found is True else", "return None if found else"),
        ("smoke: the whole match is kept", "match.group(1 if keep.pattern.groups else 0)", "match.group(0)"),
    ),
    *of(
        UTILS + "smoke/secrets.py",
        (
            "20 smoke: short values are shown in answers",
            "        if not short:\n            return text\n",
            "        return text\n",
        ),
        ("20 smoke: cookies are no secrets", 'if name.lower() == "cookie":', 'if name == "":'),
        (
            "20 smoke: the password of basic is no secret",
            'if text.lower().startswith("basic "):',
            'if text.startswith("basic "):',
        ),
        ("20 smoke: a secret below a telling name is shown", "is_secret or names_a_secret(str(name))", "is_secret"),
        (
            "20 smoke: lists hold no secrets",
            "    if isinstance(body, (list, tuple)):\n        return {",
            "    if isinstance(body, tuple):\n        return {",
        ),
        ("20 smoke: a quoted form is shown", "        quote_plus(value),\n", ""),
        ("20 smoke: an escaped slash is shown", '        in_json.replace("/", "\\\\/"),\n', ""),
    ),
    *of(
        UTILS + "smoke/session.py",
        ("smoke: cookies are not sent", "        if not cookies:\n", "        if cookies:\n"),
        ("smoke: cookies are not kept", "            self._keep_cookies(request, answer)\n", ""),
        ("smoke: redirects are always followed", "if not follow or answer.status", "if answer.status"),
    ),
    *of(
        UTILS + "smoke/running.py",
        ("smoke: a failure does not stop", "if self._plan.stop_on_failure:", "if not self._plan.stop_on_failure:"),
        ("smoke: one try too few", "range(1, step.tries + 1)", "range(1, max(2, step.tries))"),
        ("smoke: tries go on after success", "            if done.passed:\n                break\n", ""),
        ("smoke: no pause between tries", "            if number > 1:\n", "            if number > 2:\n"),
        (
            "20 smoke: what was kept is shown",
            "            self._hidden.add(*(templates.as_text(value) for value in found.values()))\n",
            "",
        ),
    ),
)
