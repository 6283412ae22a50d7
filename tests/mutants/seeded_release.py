# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Seeded bugs in how a release gets onto a host."""

from __future__ import annotations

from seeded import Mutant, of

UTILS = "plugins/module_utils/"

MUTANTS: tuple[Mutant, ...] = (
    *of(
        UTILS + "release/archive.py",
        (
            "6 an absolute path is unpacked",
            '        if name.startswith("/"):\n            raise',
            '        if name.startswith("//"):\n            raise',
        ),
        ("6 a path leads out of the release", 'if ".." in parts:', 'if parts[:1] == [".."]:'),
        ("6 a link leads out of the release", 'or resolved.startswith("../"):', "or False:"),
        ("6 a link to an absolute path", 'if target.startswith("/") or resolved', "if resolved"),
        (
            "6 a hard link to what is not there",
            'if self._kinds.get(link) != "file" or link == name:',
            "if link == name:",
        ),
        ("6 links that lead out together", "        _refuse_escapes(tree, links)\n", ""),
        ("6 setuid is kept", "return mode & 0o755", "return mode & 0o4755"),
        (
            "6 a device is passed over",
            """        raise ValueError(f"'{member.name}' is neither""",
            """        return None
        raise ValueError(f"'{member.name}' is neither""",
        ),
        ("an archive of any size", "        if self.left < 0:\n", "        if self.left < -(10**30):\n"),
        ("a header of any size", "self.size > LARGEST_HEADER):", "self.size > LARGEST_HEADER * 10**30):"),
        ("a file below a file", '!= "directory":\n                raise', '== "nothing":\n                raise'),
        (
            "a file and a directory of one name",
            "if self._kinds.setdefault(name, kind) != kind:",
            "if self._kinds.setdefault(name, kind) is None:",
        ),
        ("an empty archive is a release", "    if not files:\n", "    if files < 0:\n"),
        ("strip is forgotten", "parts[self._strip :]", "parts[0:]"),
    ),
    *of(
        UTILS + "release/plan.py",
        (
            "the current release is pruned",
            "not in (snapshot.current, snapshot.previous)]",
            "not in (snapshot.previous,)]",
        ),
        (
            "the previous release is pruned",
            "not in (snapshot.current, snapshot.previous)]",
            "not in (snapshot.current,)]",
        ),
        (
            "good releases are pruned before bad ones",
            "key=lambda version: version not in bad)",
            "key=lambda version: version in bad)",
        ),
        (
            "one release more is pruned",
            "surplus = len(versions) - keep if keep else 0",
            "surplus = len(versions) - keep + 1 if keep else 0",
        ),
        (
            "a bad mark is set again",
            "return [] if release is not None and release.bad else",
            "return [] if release is None else",
        ),
        ("what is live is switched again", "if snapshot.current != version:", "if True:"),
        ("staging switches", '    if state == "staged":\n        return steps\n', ""),
        ("a switch to what was live is recorded twice", "known[-1] != current):", "known[-1] == current):"),
    ),
    *of(
        UTILS + "release/layout.py",
        (
            "a switch goes to an absolute path",
            'os.symlink(os.path.join("releases", version), link)',
            "os.symlink(self.release(version), link)",
        ),
        (
            "a switch that failed leaves its link",
            "            with contextlib.suppress(OSError):\n                os.unlink(link)\n            raise",
            "            raise",
        ),
        (
            "the record is written before the files",
            "            self._record(version, staged_at=None, checksum=None, content=None)\n            os.rename(final, replaced)",
            "            os.rename(final, replaced)",
        ),
        ("9 a bad mark is forgotten when files go", 'if record.get("bad"):', 'if not record.get("bad"):'),
        (
            "a link elsewhere is a release",
            "return os.path.isdir(place) and not os.path.islink(place)",
            "return os.path.isdir(place)",
        ),
        ("left overs stay", "            if LEFT_OVER.fullmatch(name):", "            if not name:"),
        (
            "a current link elsewhere names a version",
            "if os.path.dirname(place) != os.path.realpath(self.releases) or",
            "if",
        ),
        (
            "releases are changed without the lock's sweep",
            "            self._sweep()\n            yield",
            "            yield",
        ),
    ),
    *of(
        UTILS + "release/core.py",
        (
            "8 a lost claim still fetches",
            "        with claims.held(self._claim):\n            pass",
            "        with contextlib.nullcontext():\n            pass",
        ),
        (
            "8 a restart outside of the claim",
            "                self._restart_service()\n",
            "            self._restart_service()\n",
        ),
        ("9 a bad release is activated", 'if request.state == "active":', 'if request.state == "staged":'),
        (
            "check mode changes",
            'if self._request.state == "query" or self._call.check_mode:',
            'if self._request.state == "query":',
        ),
        (
            "nothing is restarted",
            "        if self._restart.actions:\n            restarting",
            "        if not self._restart.actions:\n            restarting",
        ),
        ("a restart is no change", "bool(self._made or self._restarted) or", "bool(self._made) or"),
    ),
    *of(
        UTILS + "release/fetch.py",
        (
            "another file than meant",
            "if source.checksum and source.checksum != found:",
            "if source.checksum and not found:",
        ),
    ),
    *of(
        UTILS + "release/source.py",
        ("a remote file needs no checksum", "if source.is_remote and not source.checksum:", "if False:"),
    ),
    *of(
        UTILS + "release/download.py",
        ("20 a header goes to a stranger", "after[:2] != before[:2]:", "after[:1] != before[:1]:"),
        (
            "20 a download goes from https to http",
            'before.scheme == "https" and after.scheme != "https":',
            'before.scheme == "http" and after.scheme != "http":',
        ),
        (
            "half a download is one",
            '            raise http.client.IncompleteRead(b"", answer.length)',
            "            pass",
        ),
        ("a download of any size", "while written <= source.largest >= length:", "while True:"),
        ("a download without end", "        self._timer.start()\n", "        pass\n"),
    ),
    *of(
        UTILS + "release/shared.py",
        (
            "what is shared already is overwritten",
            "if folders.exists(name, in_shared) or folders.is_link(name, in_tree):",
            "if folders.is_link(name, in_tree):",
        ),
        ("a link elsewhere counts as shared", "and os.readlink(place) == _target(layout, path)", ""),
    ),
    *of(
        UTILS + "release/daemon_reload.py",
        ("the unit file of an older release is not read after a rollback", "st_ctime > moment", "st_mtime > moment"),
        (
            "a link that leads to another unit file now is overlooked",
            "return [*found, place] if",
            "return [place] if",
        ),
        ("a unit that systemd has not loaded is not read", 'found.get("LoadState") != "loaded" or ', ""),
    ),
    *of(
        UTILS + "release/restart.py",
        (
            "the start limit keeps a good release down",
            '        call.run_command(["systemctl", "reset-failed", "--", restart.unit])\n',
            "",
        ),
        ("a restart that fails is none", "    if status:\n        said", "    if status > 1:\n        said"),
        ("a restart that hangs is none", "OUT_OF_TIME = (124, 137)", "OUT_OF_TIME = ()"),
        ("a restarted service belongs to the run", '("env", "-u", RUN_MARK, *command)', "command"),
    ),
)
