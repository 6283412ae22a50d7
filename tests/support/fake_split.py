# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fake of Split (Harness FME), made from its published API, that its own SDK for Python evaluates.

Differences from the real one, which nobody here has run: one workspace, one environment, one traffic type; of JSON patch only
"replace" of whole fields; changes reach the SDK by polling every second, where the real one also streams; who may what is
decided by three keys and not by roles; the status of a refusal for want of an approval is assumed (403); limits are only what
a test orders; impressions and telemetry are taken and forgotten; rules are kept, and not evaluated; segments are lists of
users that are always there.
"""

from __future__ import annotations

import typing as t

from support.fake_flag_server import READER, SDK_KEY, TOKEN, Answer, Asked, FakeFlags
from support.flag_systems import FLAG, SEGMENTS, members

WORKSPACE, ENVIRONMENT, TRAFFIC = "ws-shop", "production", "user"
NOT_FOUND = Answer(404, {"code": 404, "message": "Not found"})
EVERYBODY = {
    "keySelector": {"trafficType": TRAFFIC, "attribute": None},
    "matcherType": "ALL_KEYS",
    "negate": False,
    "userDefinedSegmentMatcherData": None,
    "whitelistMatcherData": None,
    "unaryNumericMatcherData": None,
    "betweenMatcherData": None,
}
FIELDS = ("killed", "defaultTreatment", "defaultRule", "trafficAllocation", "rules", "treatments")


class SplitFake(FakeFlags):
    name = "split fake"

    @staticmethod
    def missing() -> str:
        try:
            import splitio  # noqa: F401
        except ImportError:
            return "no SDK of Split in this Python; pip install splitio_client"
        return ""

    def settings(self) -> dict[str, t.Any]:
        return {"type": "split", "url": self.url, "token": TOKEN, "project": WORKSPACE, "environment": ENVIRONMENT}

    # The vendor's SDK

    def connect(self) -> None:
        import splitio

        self.factory = splitio.get_factory(
            SDK_KEY,
            config={
                "streamingEnabled": False,
                "featuresRefreshRate": 1,
                "segmentsRefreshRate": 1,
                "impressionsMode": "NONE",
            },
            sdk_api_base_url=f"{self.url}/sdk",
            events_api_base_url=f"{self.url}/sdk",
            auth_api_base_url=f"{self.url}/sdk",
            telemetry_api_base_url=f"{self.url}/sdk",
        )
        self.factory.block_until_ready(10)
        self.closing.callback(self.factory.destroy)
        self.client = self.factory.client()

    def users(self, count: int) -> set[int]:
        return {number for number in range(count) if self.client.get_treatment(f"user-{number}", FLAG) == "on"}

    def evaluate(self, asked: Asked, seen: dict[str, t.Any]) -> Answer | None:
        if not asked.path.startswith("/sdk/"):
            return None
        if asked.headers.get("Authorization") != f"Bearer {SDK_KEY}":
            return Answer(401)
        if asked.path.startswith("/sdk/segmentChanges/"):
            return Answer(200, _segment_for_sdk(asked))
        if asked.path != "/sdk/splitChanges":
            return Answer(200, {})
        till, since = seen.get("version", 0), int(asked.query.get("since", ["-1"])[0])
        changed = [_for_sdk(name, flag, till) for name, flag in seen.get("flags", {}).items()] if till > since else []
        no_segments = {"d": [], "s": -1, "t": -1}
        return Answer(200, {"ff": {"d": changed, "s": since, "t": till}, "rbs": no_segments})

    # The management API

    def manage(self, asked: Asked) -> Answer:
        refused = self._refused(asked)
        if refused is not None:
            return refused
        words = asked.path.strip("/").split("/")
        if words == ["internal", "api", "v2", "segments", "ws", WORKSPACE, "environments", ENVIRONMENT]:
            return Answer(200, {"objects": [{"name": name} for name in sorted(SEGMENTS)], "offset": 0})
        if words[:5] != ["internal", "api", "v2", "splits", "ws"] or len(words) < 6 or words[5] != WORKSPACE:
            return NOT_FOUND
        self.state.setdefault("flags", {})
        if len(words) == 6:
            return self._list(asked)
        if words[6] == "trafficTypes":
            return self._create(asked, words[7])
        name = words[6]
        flag = self.state["flags"].get(name)
        if flag is None or flag["gone"]:
            return NOT_FOUND
        return self._definition(asked, flag) if words[7:] == ["environments", ENVIRONMENT] else self._about(asked, flag)

    def _refused(self, asked: Asked) -> Answer | None:
        given = asked.headers.get("Authorization")
        if given not in (f"Bearer {TOKEN}", f"Bearer {READER}"):
            return Answer(401, {"code": 401, "message": f"Invalid API key {given}"})
        if asked.method != "GET" and given == f"Bearer {READER}":
            return Answer(403, {"code": 403, "message": "The key has not the role of an editor"})
        if asked.method == "PATCH" and self.requires_approval:
            return Answer(403, {"code": 403, "message": "Approvals are required in this environment"})
        return None

    def _list(self, asked: Asked) -> Answer:
        offset, limit = (int(asked.query.get(name, [given])[0]) for name, given in (("offset", "0"), ("limit", "20")))
        listed = [flag["about"] for dummy, flag in sorted(self.state["flags"].items()) if not flag["gone"]]
        page = listed[offset : offset + min(limit, 50)]
        return Answer(200, {"objects": page, "offset": offset, "limit": limit, "totalCount": len(listed)})

    def _create(self, asked: Asked, traffic: str) -> Answer:
        known = self.state["flags"].get(asked.body["name"])
        if traffic != TRAFFIC:
            return NOT_FOUND
        if known is not None and not known["gone"]:
            return Answer(409, {"code": 409, "message": "A feature flag with this name exists"})
        about = {"name": asked.body["name"], "description": asked.body.get("description"), "tags": []}
        self.state["flags"][asked.body["name"]] = {"about": about, "definition": None, "gone": False}
        self._keep()
        return Answer(200, about)

    def _about(self, asked: Asked, flag: dict[str, t.Any]) -> Answer:
        if asked.method == "DELETE":
            flag["gone"] = True
            self._keep()
        return Answer(200, flag["about"])

    def _definition(self, asked: Asked, flag: dict[str, t.Any]) -> Answer:
        if asked.method == "POST":
            times = {"creationTime": 1772359200000, "lastUpdateTime": 1772359200000}
            flag["definition"] = {"name": flag["about"]["name"], "killed": False, **times, **asked.body}
        elif flag["definition"] is None:
            return NOT_FOUND
        elif asked.method == "DELETE":
            flag["definition"] = None
        elif asked.method == "PATCH":
            fault = _patched(flag["definition"], asked.body)
            if fault:
                return Answer(400, {"code": 400, "message": fault})
        if asked.method != "GET":
            self._keep()
        return Answer(200, flag["definition"] or {})

    def _keep(self) -> None:
        self.state["version"] = self.state.get("version", 0) + 1
        self.changed()

    # A second writer

    def overwrite(self, on: bool) -> None:
        with self.lock:
            self.state["flags"][FLAG]["definition"]["killed"] = not on
            self._keep()

    def make_segments(self) -> None:
        """They are there."""

    def add_rule(self) -> None:
        with self.lock:
            self.state["flags"][FLAG]["definition"]["rules"] = [
                {"condition": {}, "buckets": [{"treatment": "on", "size": 100}]}
            ]
            self._keep()


def _patched(definition: dict[str, t.Any], body: t.Any) -> str:
    """Why it is refused; empty where all of it is carried out."""
    draft = dict(definition)
    for one in body:
        field = str(one["path"]).strip("/")
        if one["op"] != "replace" or field not in FIELDS:
            return f"this fake knows no {one['op']} of {one['path']}"
        draft[field] = one["value"]
    if sum(one["size"] for one in draft["defaultRule"]) != 100:
        return "the sizes of the default rule must add up to 100"
    definition.update(draft)
    return ""


def _segment_for_sdk(asked: Asked) -> dict[str, t.Any]:
    name, since = asked.path.rpartition("/")[2], int(asked.query.get("since", ["-1"])[0])
    added = members(name) if since < 1 and name in SEGMENTS else []
    return {"name": name, "added": added, "removed": [], "since": since, "till": 1}


def _always_on(definition: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    """Individual targets, which come before every rule."""
    named = [segment for one in definition["treatments"] if one["name"] == "on" for segment in one.get("segments", [])]
    return [
        {
            "conditionType": "WHITELIST",
            "matcherGroup": {
                "combiner": "AND",
                "matchers": [{**EVERYBODY, "matcherType": "IN_SEGMENT",
                              "userDefinedSegmentMatcherData": {"segmentName": segment}}],
            },
            "partitions": [{"treatment": "on", "size": 100}],
            "label": f"in segment {segment}",
        }
        for segment in named
    ]  # fmt: skip


def _for_sdk(name: str, flag: dict[str, t.Any], version: int) -> dict[str, t.Any]:
    definition = flag["definition"]
    rule = {
        "conditionType": "ROLLOUT",
        "matcherGroup": {"combiner": "AND", "matchers": [EVERYBODY]},
        "partitions": (definition or {}).get("defaultRule") or [],
        "label": "default rule",
    }
    return {
        "changeNumber": version,
        "trafficTypeName": TRAFFIC,
        "name": name,
        "trafficAllocation": (definition or {}).get("trafficAllocation", 100),
        "trafficAllocationSeed": 1,
        "seed": 1,
        "status": "ACTIVE" if definition and not flag["gone"] else "ARCHIVED",
        "killed": bool(definition and definition["killed"]),
        "defaultTreatment": (definition or {}).get("defaultTreatment", "control"),
        "algo": 2,
        "conditions": [*(_always_on(definition) if definition else []), rule],
        "configurations": {},
        "sets": [],
    }
