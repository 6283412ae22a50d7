# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Lets the user's own tasks check the claim where they change things: on the host, as the interpreter starts.

The controller may be suspended between its own check and the task. So the host keeps a ``sitecustomize.py``, which Python
runs before a module's first line if the task's environment says so. It ends the module where a later run has left its
token.

A later run leaves its token first and then waits for what is still at work on the host, so an older module is
either seen and waited for, or refused.
"""

from __future__ import annotations

import json
import os
import typing as t

from ansible_collections.steady.rollout.plugins.module_utils import files

if t.TYPE_CHECKING:
    from ansible_collections.steady.rollout.plugins.module_utils.claims import Claim

VARIABLE = "STEADY_ROLLOUT_FENCE"
NAME = "sitecustomize.py"
OF_ROOT = "/var/lib/steady-rollout-fence"
LONGEST = 65536

# Any Python that Ansible supports on a host has to run this text, which nothing of the collection reaches.
PROGRAM = '''\
# Made by the collection steady.rollout, which writes it again for each host that is updated.
# A Python module that a rollout has started here ends where a later run has taken over.
import os
import sys


def _refusal(fence):
    import json
    try:
        with open(fence["path"]) as stream:
            found = json.load(stream)
        if found["ledger"] == fence["ledger"]:
            is_stale = found["token"] > fence["token"]
        else:
            is_stale = found["active"] or found["superseded"].get(fence["ledger"], -1) >= fence["token"]
    except (IOError, OSError) as error:
        import errno
        return "" if error.errno == errno.ENOENT else "%s: the claim cannot be read (%s)." % (fence["path"], error)
    except Exception:
        return "%s: not a claim, so who may change the service is unknown." % fence["path"]
    return is_stale and "%s: a later run (token %s, ours is %s) has taken over; this task changes nothing." % (
        fence["path"], found["token"], fence["token"])


def _is_module():
    """A program that a task has started and left running may start others long after the run."""
    try:
        with open("/proc/self/cmdline", "rb") as stream:
            words = stream.read().split(b"\\0")[:-1]
    except (IOError, OSError):
        return True
    marks = (b"AnsiballZ", b"ansible-tmp", b"async_wrapper", b"steady-rollout-session")
    return len(words) == 1 or any(mark in word for word in words for mark in marks)


def _check():
    text = os.environ.pop("@VARIABLE@", None)
    here = os.path.dirname(os.path.abspath(__file__))
    # What the module starts is no concern of the fence, and may be there to stay.
    paths = [path for path in os.environ.pop("PYTHONPATH", "").split(os.pathsep) if path and path != here]
    if paths:
        os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    sys.path[:] = [path for path in sys.path if path != here]
    if text and _is_module():
        import json
        why = _refusal(json.loads(text))
        if why:
            sys.stdout.write(json.dumps({"failed": True, "changed": False, "kind": "lease_lost", "msg": why}) + "\\n")
            sys.stdout.flush()
            os._exit(1)


_check()
_own = sys.modules.pop("sitecustomize", None)
try:
    import sitecustomize
except ImportError:
    sys.modules["sitecustomize"] = _own
'''.replace("@VARIABLE@", VARIABLE)


def environment(claim: Claim) -> dict[str, str]:
    """Variables for a task, with which its module checks the claim. Puts the program where they name it."""
    directory = _directory()
    files.private_directory(directory, 0o755)
    path = os.path.join(directory, NAME)
    if _content(path) != PROGRAM:
        files.replace(path, PROGRAM, files.Access(0o644))
    content = {"path": claim.path, "ledger": claim.ledger, "token": claim.token}
    return {"PYTHONPATH": directory, VARIABLE: json.dumps(content, sort_keys=True)}


def _directory() -> str:
    """Root's is readable by all, because a task may become any user; nobody else can put a program there."""
    if os.geteuid() == 0:
        return OF_ROOT
    home = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return os.path.join(home, "steady-rollout-fence")


def _content(path: str) -> str:
    try:
        return files.read(path, LONGEST, follow=False).decode("utf-8", "replace")
    except OSError:
        return ""
