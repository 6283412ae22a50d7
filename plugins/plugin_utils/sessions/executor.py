# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs a module's core, or the module, on one host."""

from __future__ import annotations

import contextlib
import functools
import threading
import typing as t

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError, RolloutError
from ansible_collections.steady.rollout.plugins.plugin_utils import controller, failures
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions import (
    local,
    modules,
    protocol,
    sending,
    shared_client,
    slots,
    ssh,
)
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.local import Result
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.modules import ModuleCall
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.opening import (
    LIMIT,
    CannotServe,
    Opening,
    TooSlow,
    WrongPassword,
)
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.session import Session, SessionEnded
from ansible_collections.steady.rollout.plugins.plugin_utils.sessions.target import Target, own_target, target

OF_ANSIBLE = ("invocation", "warnings", "deprecations", "exception", "ansible_facts")
"""Keys of a module's result that are Ansible's own."""
OF_A_PATH = ("uid", "gid", "owner", "group", "mode", "state", "size", "secontext")
"""What Ansible adds to every result that has a path."""


class Unreachable(RolloutError):
    """The host does not answer, or no longer; whether a call that had begun did its work is not known."""

    def __init__(self, host: str, cause: str, message: str = "") -> None:
        super().__init__(message or failures.unreachable(host, cause))
        self.host = host
        self.cause = cause


class Executor(t.Protocol):
    kind: str
    """local, session or module"""
    why_not_session: str
    """Why the module itself runs; empty otherwise."""

    def call(
        self,
        module: str,
        arguments: t.Mapping[str, t.Any],
        *,
        check_mode: bool = False,
        diff: bool = False,
        timeout: float | None = None,
    ) -> Result: ...

    def sent(self, path: str, name: str) -> t.ContextManager[str | None]: ...

    def connect(self) -> None: ...


class HostExecutor:
    """Decides at the first call how the host can be used, and stays with it."""

    def __init__(
        self, action: ActionBase, task_vars: dict[str, t.Any], host: str, become: bool | None, joins: bool = True
    ) -> None:
        self._make_target = functools.partial(target, action, task_vars, host, become)
        self._target = own_target(action, task_vars, host, become) or self._make_target()
        self._host = host
        self._joins = joins
        self._session: Session | None = None
        self._turn = threading.Lock()
        self.kind = "local" if self._target.is_local else "session"
        self.why_not_session = ""
        hindrance = "" if self._target.is_local else why_not(self._target)
        if hindrance:
            self._fall_back(hindrance)

    def call(
        self,
        module: str,
        arguments: t.Mapping[str, t.Any],
        *,
        check_mode: bool = False,
        diff: bool = False,
        timeout: float | None = None,
    ) -> Result:
        """What the module would return, a failure too; raises Unreachable where the host does not answer.

        A session that ended is reopened for the next call, never for the one that it broke. After *timeout*
        seconds without an answer the host counts as one that does not answer, and so it does where opening a session takes
        longer; a module has its own limits only.
        """
        controller.leave_if_ended()
        call = ModuleCall(module, modules.plain(arguments), check_mode, diff)
        try:
            if self.kind == "local":
                return local.run(call, self._host)
            session = None if self.kind == "module" else self.session(timeout)
            return self._in_session(session, call, timeout) if session else self._as_module(call)
        except InputError as error:
            return {"changed": False, "failed": True, "msg": error.message}

    @contextlib.contextmanager
    def sent(self, path: str, name: str) -> t.Iterator[str | None]:
        """The place of a file of the controller's for calls in this context; None where there is no session."""
        session = None if self.kind != "session" else self.session(None)
        if session is None:
            yield None
            return
        try:
            with sending.sent(session, path, name, self._host) as place:
                yield place
        except SessionEnded as error:
            self.close()
            raise Unreachable(self._host, f"{error}, while {name} was sent") from None

    def connect(self) -> None:
        """Opens the session, where there is one, ahead of the first call."""
        if self.kind == "session":
            self.session(None)

    def close(self) -> None:
        with self._turn:
            if self._session:
                self._session.close()
                self._session = None

    def _in_session(self, session: Session, call: ModuleCall, timeout: float | None) -> Result:
        source = modules.source_of(call.module)
        params, paths = modules.checked_for_elsewhere(call.module, source.SPEC, call.arguments)
        try:
            reply = session.call(
                protocol.request(modules.core_name(source.core), params.values, paths, call.check_mode, call.diff),
                timeout,
            )
        except SessionEnded as error:
            self.close()
            raise Unreachable(self._host, f"{error}, during {call.module}") from None
        return modules.without_secrets(source, params, local.shown(reply, call, self._host))

    def _as_module(self, call: ModuleCall) -> Result:
        """By a connection of its own, so that several calls can run at the same time."""
        with self._turn:
            there = self._make_target()
        handler = there.handler
        handler._task.check_mode, handler._task.diff = call.check_mode, call.diff
        try:
            found: Result = handler._execute_module(
                module_name=f"steady.rollout.{call.module}",
                module_args=dict(call.arguments),
                task_vars=there.variables,
            )
        except AnsibleConnectionFailure as error:
            raise Unreachable(self._host, str(error)) from None
        finally:
            _clean_up(handler)
        for warning in found.get("warnings") or ():
            Display().warning(text_of(warning))
        own = {name for name in found if name in OF_ANSIBLE or name.startswith("_ansible")}
        if "path" in found and "uid" in found:
            own.update(OF_A_PATH)
        return {"changed": False, **{name: value for name, value in found.items() if name not in own}}

    def session(self, timeout: float | None = None) -> Session | None:
        """The session, opened where there is none; None where there can be none.

        A host that says nothing within a caller's own *timeout* may still be able to have one.
        """
        with self._turn:
            if self._session and not self._session.ended:
                return self._session
            if self._session:
                self._session.close()
                self._session = None
            if self.kind == "module":
                return None
            try:
                self._session = self._opened(timeout)
            except TooSlow as error:
                if timeout is not None:
                    raise Unreachable(self._host, str(error)) from None
                self._fall_back(str(error))
            except (CannotServe, slots.NotPrivate) as error:
                self._fall_back(str(error))
            except ssh.CannotOpen as error:
                raise Unreachable(self._host, str(error)) from None
            except WrongPassword as error:
                why = f"{self._host} cannot be used as another user: {error}."
                raise Unreachable(self._host, str(error), why) from None
            return self._session

    def _opened(self, timeout: float | None) -> Session:
        """The session that the run's workers share, or one of its own."""
        return (self._joins and shared_client.join(self.identity, timeout)) or self._opened_alone(timeout)

    def _opened_alone(self, timeout: float | None) -> Session:
        there = self._target
        connection = there.connection
        opened = Opening(
            self._link,
            there.interpreters(),
            there.env_prefix(),
            connection.become,
            connection._shell,
            LIMIT if timeout is None else min(timeout, LIMIT),
        ).open()
        if opened.why_not_kept and slots.first_time(f"{self._host}.not-kept"):
            Display().v(
                f"The runner is sent with each session, it cannot be kept: {opened.why_not_kept}", host=self._host
            )
        return Session(opened.pipes, opened.place)

    @functools.cached_property
    def identity(self) -> str:
        """The same for all sessions that run as the same user of the same host with the same environment."""
        return self._target.identity(self._link.identity)

    @functools.cached_property
    def _link(self) -> ssh.Link | ssh.LocalLink:
        return ssh.Link(self._target.connection) if self._target.is_ssh else ssh.LocalLink()

    def _fall_back(self, why: str) -> None:
        self.kind = "module"
        self.why_not_session = f"{self._host} has no session, modules run instead: {why}."
        if slots.first_time(f"{self._host}.module"):
            Display().v(self.why_not_session, host=self._host)


def text_of(warning: t.Any) -> str:
    """From ansible-core 2.19 on a module's warnings are objects, and too large to be written out whole."""
    if isinstance(warning, str):
        return warning
    parts = [getattr(warning, "event", None), *getattr(warning, "details", ())]
    return next((str(part.msg) for part in parts if hasattr(part, "msg")), type(warning).__name__)


def why_not(there: Target) -> str:
    """Why no session can be had at all; empty where one may be tried."""
    if not there.is_ssh and there.connection.transport != "local":
        return f"its connection is {there.connection.transport}"
    if getattr(there.connection._shell, "SHELL_FAMILY", "sh") != "sh":
        return f"its shell is {there.connection._shell.SHELL_FAMILY}"
    return ""


def _clean_up(handler: t.Any) -> None:
    """A lost host keeps its temporary files; that changes nothing about the answer."""
    try:
        handler.cleanup()
    except AnsibleConnectionFailure:
        pass
