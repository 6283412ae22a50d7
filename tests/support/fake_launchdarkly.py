# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fake of LaunchDarkly, made from its published API, that its own SDK for Python evaluates.

Differences from the real one, which nobody here has run: one project and one environment; only the instructions of semantic
patches that are used here and no other kind of patch; the SDK gets a whole new "put" where the real one sends a "patch"; who
may what is decided by three keys and not by roles; the status of a refusal for want of an approval is assumed (403); limits
are only what a test orders; segments are lists of users; no experiments, prerequisites and big segments are evaluated.
"""

from __future__ import annotations

import http.server
import json
import time
import typing as t

from support.fake_flag_server import READER, SDK_KEY, TOKEN, Answer, Asked, FakeFlags
from support.flag_systems import FLAG, SEGMENTS, members
from support.haproxy import wait_until

PROJECT, ENVIRONMENT = "shop", "production"
VARIATIONS = [{"_id": "id-true", "value": True}, {"_id": "id-false", "value": False}]
NOT_FOUND = Answer(404, {"code": "not_found", "message": "Unknown feature flag key"})
SEGMENTS_FOR_SDK = {
    name: {"key": name, "version": 1, "included": members(name), "excluded": [], "rules": [], "salt": "salt"}
    for name in SEGMENTS
}


class LaunchDarklyFake(FakeFlags):
    name = "launchdarkly fake"

    @staticmethod
    def missing() -> str:
        try:
            import ldclient  # noqa: F401
        except ImportError:
            return "no SDK of LaunchDarkly in this Python; pip install launchdarkly-server-sdk"
        return ""

    def settings(self) -> dict[str, t.Any]:
        return {"type": "launchdarkly", "url": self.url, "token": TOKEN, "project": PROJECT, "environment": ENVIRONMENT}

    # The vendor's SDK

    def connect(self) -> None:
        import ldclient
        from ldclient.config import Config

        config = Config(
            SDK_KEY,
            base_uri=self.url,
            stream_uri=self.url,
            send_events=False,
            diagnostic_opt_out=True,
            initial_reconnect_delay=0.1,
        )
        self.client = ldclient.LDClient(config, 10)
        self.closing.callback(self.client.close)
        wait_until(self.client.is_initialized, "the SDK has its flags")

    def users(self, count: int) -> set[int]:
        from ldclient import Context

        return {
            number
            for number in range(count)
            if self.client.variation(FLAG, Context.create(f"user-{number}"), False) is True
        }

    def evaluate(self, asked: Asked, seen: dict[str, t.Any]) -> Answer | None:
        return None

    def stream(self, handler: http.server.BaseHTTPRequestHandler, path: str) -> bool:
        if path != "/all":
            return False
        handler.close_connection = True
        if handler.headers.get("Authorization") != SDK_KEY:
            handler.send_response(401)
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return True
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        sent, beat = "", 0.0
        try:
            while not self.is_closing.wait(0.02):
                flags = {key: _for_sdk(flag) for key, flag in self.seen().items()}
                data = json.dumps({"path": "/", "data": {"flags": flags, "segments": SEGMENTS_FOR_SDK}})
                if data != sent:
                    _send_chunk(handler, f"event: put\ndata: {data}\n\n")
                    sent, beat = data, time.monotonic()
                elif time.monotonic() - beat > 5:
                    _send_chunk(handler, ":\n\n")
                    beat = time.monotonic()
        except OSError:
            pass  # The SDK has gone.
        return True

    # The management API

    def manage(self, asked: Asked) -> Answer:
        refused = self._refused(asked)
        if refused is not None:
            return refused
        words = asked.path.strip("/").split("/")
        if words[:2] != ["api", "v2"] or len(words) < 4 or words[3] != PROJECT:
            return Answer(404, {"code": "not_found", "message": "Unknown project key"})
        if words[2] == "segments":
            return Answer(200, {"items": [{"key": name, "name": name.title()} for name in sorted(SEGMENTS)]})
        if words[2] == "flag-statuses":
            return Answer(200, {"name": "active", "lastRequested": "2026-03-01T10:00:00.000Z"})
        key = words[4] if len(words) > 4 else ""
        return self._flag(asked, key) if key else self._flags(asked)

    def _refused(self, asked: Asked) -> Answer | None:
        given = asked.headers.get("Authorization")
        if given not in (TOKEN, READER):
            return Answer(401, {"code": "unauthorized", "message": f"Invalid access token {given}"})
        if asked.headers.get("LD-API-Version") != "20240415":
            return Answer(400, {"code": "invalid_request", "message": "this fake knows version 20240415 only"})
        if asked.method != "GET" and given == READER:
            return Answer(403, {"code": "forbidden", "message": "Access to the requested resource was denied"})
        if asked.method == "PATCH" and self.requires_approval:
            return Answer(403, {"code": "forbidden", "message": "Approval is required to make this request"})
        return None

    def _flags(self, asked: Asked) -> Answer:
        if asked.method == "GET":
            offset, limit = (
                int(asked.query.get(name, [given])[0]) for name, given in (("offset", "0"), ("limit", "20"))
            )
            listed = [flag for dummy, flag in sorted(self.state.items())]
            return Answer(200, {"items": listed[offset : offset + limit], "totalCount": len(listed)})
        if asked.body["key"] in self.state:
            return Answer(409, {"code": "conflict", "message": "Flag key already exists"})
        on = {"on": False, "offVariation": asked.body["defaults"]["offVariation"], "fallthrough": {"variation": 0}}
        rest = {"targets": [], "contextTargets": [], "rules": [], "prerequisites": [], "lastModified": 1772359200000}
        self.state[asked.body["key"]] = {
            **{name: asked.body.get(name) for name in ("key", "name", "description", "temporary", "tags")},
            "kind": "boolean",
            "variations": VARIATIONS,
            "creationDate": 1772359200000,
            "archived": False,
            "deprecated": False,
            "_version": 1,
            "environments": {ENVIRONMENT: {**on, **rest}},
        }
        self.changed()
        return Answer(201, self.state[asked.body["key"]])

    def _flag(self, asked: Asked, key: str) -> Answer:
        if key not in self.state:
            return NOT_FOUND
        if asked.method == "GET":
            return Answer(200, self.state[key])
        if asked.method == "DELETE":
            del self.state[key]
            self.changed()
            return Answer(204)
        if "domain-model=launchdarkly.semanticpatch" not in (asked.headers.get("Content-Type") or ""):
            return Answer(400, {"code": "invalid_request", "message": "the body is not a JSON patch"})
        if asked.body.get("environmentKey") != ENVIRONMENT:
            return Answer(400, {"code": "invalid_request", "message": "environmentKey is missing or unknown"})
        draft = json.loads(json.dumps(self.state[key]["environments"][ENVIRONMENT]))
        for instruction in asked.body["instructions"]:
            fault = _carry_out(draft, instruction)
            if fault:
                return Answer(400, {"code": "invalid_request", "message": fault})
        self._put(key, draft)
        return Answer(200, self.state[key])

    def _put(self, key: str, environment: dict[str, t.Any]) -> None:
        self.state[key]["environments"][ENVIRONMENT] = environment
        self.state[key]["_version"] += 1
        self.changed()

    # A second writer

    def overwrite(self, on: bool) -> None:
        with self.lock:
            self._put(FLAG, {**self.state[FLAG]["environments"][ENVIRONMENT], "on": on})

    def make_segments(self) -> None:
        """They are there."""

    def add_rule(self) -> None:
        clause = {"attribute": "email", "op": "endsWith", "values": ["@example.com"], "contextKind": "user"}
        with self.lock:
            here = self.state[FLAG]["environments"][ENVIRONMENT]
            self._put(FLAG, {**here, "rules": [{"_id": "r1", "clauses": [clause], "variation": 0}]})


def _send_chunk(handler: http.server.BaseHTTPRequestHandler, text: str) -> None:
    handler.wfile.write(f"{len(text.encode()):x}\r\n{text}\r\n".encode())
    handler.wfile.flush()


def _carry_out(draft: dict[str, t.Any], instruction: dict[str, t.Any]) -> str:
    """Why it is refused; empty where it is carried out."""
    places = {one["_id"]: place for place, one in enumerate(VARIATIONS)}
    kind = instruction["kind"]
    if kind in ("turnFlagOn", "turnFlagOff"):
        draft["on"] = kind == "turnFlagOn"
    elif kind == "updateOffVariation":
        draft["offVariation"] = places[instruction["variationId"]]
    elif kind == "updateFallthroughVariationOrRollout":
        weights = instruction["rolloutWeights"]
        if sum(weights.values()) != 100_000:
            return "the weights must add up to 100000"
        variations = [{"variation": places[key], "weight": weight} for key, weight in weights.items()]
        draft["fallthrough"] = {"rollout": {"variations": variations, "contextKind": "user"}}
    elif kind == "addRule":
        number = 1 + max((int(one["_id"][1:]) for one in draft["rules"]), default=0)
        rule = {"clauses": instruction["clauses"], "variation": places[instruction["variationId"]]}
        draft["rules"] = [*draft["rules"], {"_id": f"r{number}", **rule}]
    elif kind == "removeRule":
        draft["rules"] = [one for one in draft["rules"] if one["_id"] != instruction["ruleId"]]
    else:
        return f"unknown instruction {kind}"
    return ""


def _for_sdk(flag: dict[str, t.Any]) -> dict[str, t.Any]:
    here = flag["environments"][ENVIRONMENT]
    return {
        "key": flag["key"],
        "version": flag["_version"],
        "on": here["on"],
        "prerequisites": [],
        "targets": [],
        "contextTargets": [],
        "rules": [
            {"id": one["_id"], "clauses": one["clauses"], "variation": one["variation"]} for one in here["rules"]
        ],
        "fallthrough": here["fallthrough"],
        "offVariation": here["offVariation"],
        "variations": [one["value"] for one in VARIATIONS],
        "salt": "salt",
        "deleted": False,
    }
