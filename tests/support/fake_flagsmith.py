# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fake of Flagsmith, made from its published pages on updating flags, that its own SDK for Python asks.

Differences from the real one, which nobody here has run: one project and one environment; the list of features is never
longer than a page unless it is asked for shorter ones; the form of an override for a segment is assumed to be the same in
answers and in changes, as the page says; a PATCH with an override that is not there is assumed to add it; segments are lists of
users, and evaluated here and not by the SDK, which asks for the flags of an identity; who may what is decided by three keys and not by
roles; the status of a refusal for want of a change request is assumed (403); limits are only what a test orders.
"""

from __future__ import annotations

import typing as t

from support.fake_flag_server import READER, SDK_KEY, TOKEN, Answer, Asked, FakeFlags
from support.flag_systems import FLAG, members

PROJECT = "17"
NOT_FOUND = Answer(404, {"detail": "Not found."})
ANOTHER = "customers"
"""A segment of one user that the suite does not name."""
IN_SEGMENT = {"internal": members("internal"), "beta": members("beta"), ANOTHER: ["user-30"]}
NUMBERS = {name: number for number, name in enumerate(IN_SEGMENT, 1)}
ALONE = 31
"""So many of the first users are asked for one by one: nobody else is in a segment."""


class FlagsmithFake(FakeFlags):
    name = "flagsmith fake"
    elsewhere: t.ClassVar[dict[str, str]] = {"project": "18"}

    @staticmethod
    def missing() -> str:
        try:
            import flagsmith  # noqa: F401
        except ImportError:
            return "no SDK of Flagsmith in this Python; pip install flagsmith"
        return ""

    def settings(self) -> dict[str, t.Any]:
        return {"type": "flagsmith", "url": self.url, "token": TOKEN, "project": PROJECT, "environment": SDK_KEY}

    # The vendor's SDK

    def connect(self) -> None:
        import flagsmith

        self.client = flagsmith.Flagsmith(environment_key=SDK_KEY, api_url=f"{self.url}/api/v1/")

    def users(self, count: int) -> set[int]:
        found = set(range(ALONE, count)) if self._has(self.client.get_environment_flags()) else set()
        alone = (number for number in range(min(ALONE, count)))
        return found | {number for number in alone if self._has(self.client.get_identity_flags(f"user-{number}"))}

    def _has(self, flags: t.Any) -> bool:
        return any(one.feature_name == FLAG and one.enabled for one in flags.all_flags())

    def evaluate(self, asked: Asked, seen: dict[str, t.Any]) -> Answer | None:
        if asked.path not in ("/api/v1/flags/", "/api/v1/identities/"):
            return None
        if asked.headers.get("X-Environment-Key") != SDK_KEY:
            return Answer(401, {"detail": "Invalid or missing Environment key"})
        user = (asked.body or {}).get("identifier") or asked.query.get("identifier", [""])[0]
        flags = [_for_sdk(feature, user) for feature in seen.get("features", {}).values()]
        return Answer(200, {"flags": flags, "traits": []} if asked.path.endswith("identities/") else flags)

    # The management API

    def manage(self, asked: Asked) -> Answer:
        refused = self._refused(asked)
        if refused is not None:
            return refused
        self.state.setdefault("features", {})
        words = asked.path.strip("/").split("/")
        if words == ["api", "v1", "projects", PROJECT, "segments"]:
            return Answer(200, {"next": None, "results": [{"id": NUMBERS[name], "name": name} for name in NUMBERS]})
        if words[:5] == ["api", "v1", "projects", PROJECT, "features"]:
            return self._features(asked) if len(words) == 5 else self._delete(asked, words[5])
        if words[:5] == ["api", "__future__", "environments", SDK_KEY, "features"] and len(words) == 6:
            return self._environment(asked, words[5])
        return NOT_FOUND

    def _refused(self, asked: Asked) -> Answer | None:
        given = asked.headers.get("Authorization")
        if given not in (f"Api-Key {TOKEN}", f"Api-Key {READER}"):
            return Answer(401, {"detail": f"Invalid token {given}"})
        if asked.method != "GET" and given == f"Api-Key {READER}":
            return Answer(403, {"detail": "You do not have permission to perform this action."})
        if asked.method == "PATCH" and self.requires_approval:
            return Answer(403, {"detail": "Cannot update flags while change requests are enabled."})
        return None

    def _features(self, asked: Asked) -> Answer:
        if asked.method == "POST":
            return self._create(asked)
        words = {
            name: asked.query.get(name, [given])[0]
            for name, given in (("search", ""), ("page", "1"), ("page_size", "20"))
        }
        listed = [
            one["about"] for one in self.state["features"].values() if words["search"].lower() in one["about"]["name"]
        ]
        end = int(words["page"]) * int(words["page_size"])
        more = f"{self.url}{asked.path}?page=2" if end < len(listed) else None
        return Answer(200, {"count": len(listed), "next": more, "results": listed[end - int(words["page_size"]) : end]})

    def _create(self, asked: Asked) -> Answer:
        name = asked.body["name"].lower()
        if any(one["about"]["name"] == name for one in self.state["features"].values()):
            return Answer(400, {"detail": "Feature with that name already exists for this project."})
        number = self.state.get("last", 0) + 1
        about = {
            "id": number,
            "name": name,
            "type": asked.body["type"],
            "description": asked.body.get("description"),
            "created_date": "2026-03-01T10:00:00.000000Z",
            "is_archived": False,
            "num_identity_overrides": 0,
        }
        default = {"enabled": asked.body["default_enabled"], "value": None, "variants": []}
        here = {"environment_default": default, "segment_overrides": []}
        self.state["last"] = number
        self.state["features"][str(number)] = {"about": about, "here": here}
        self.changed()
        return Answer(201, about)

    def _delete(self, asked: Asked, number: str) -> Answer:
        if asked.method != "DELETE" or self.state["features"].pop(number, None) is None:
            return NOT_FOUND
        self.changed()
        return Answer(204)

    def _environment(self, asked: Asked, number: str) -> Answer:
        feature = self.state["features"].get(number)
        if feature is None:
            return NOT_FOUND
        here = feature["here"]
        if asked.method == "PATCH":
            here["environment_default"].update(asked.body.get("environment_default", {}))
            changed = {one["segment"]["id"]: one for one in asked.body.get("segment_overrides", [])}
            here["segment_overrides"] = [
                {**one, **changed.pop(one["segment"]["id"], {})} for one in here["segment_overrides"]
            ]
            here["segment_overrides"] += [{"priority": 9, "value": None, **one} for one in changed.values()]
            self.changed()
        return Answer(200, here)

    # A second writer

    def _own(self) -> dict[str, t.Any]:
        return next(one["here"] for one in self.state["features"].values() if one["about"]["name"] == FLAG)

    def overwrite(self, on: bool) -> None:
        with self.lock:
            self._own()["environment_default"]["enabled"] = on
            self.changed()

    def add_rule(self) -> None:
        with self.lock:
            one = {"segment": {"id": NUMBERS[ANOTHER]}, "priority": 1, "enabled": True, "value": None}
            self._own()["segment_overrides"] = [one]
            self.changed()

    def make_segments(self) -> None:
        """They are there."""


def _for_sdk(feature: dict[str, t.Any], user: str) -> dict[str, t.Any]:
    about, here = feature["about"], feature["here"]
    segments = {NUMBERS[name] for name, users in IN_SEGMENT.items() if user in users}
    overrides = [one for one in here["segment_overrides"] if one["segment"]["id"] in segments]
    served = overrides[0] if overrides else here["environment_default"]
    return {
        "id": about["id"],
        "enabled": served["enabled"],
        "feature_state_value": served["value"],
        "feature": {"id": about["id"], "name": about["name"], "type": about["type"]},
    }
