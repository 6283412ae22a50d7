#!/usr/bin/python
# -*- coding: utf-8 -*-

# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: release
short_description: Put a version's files on a host and switch to them at one instant
version_added: 0.1.0
description:
  - Keeps the releases of one service below one directory. Each version has its own C(releases/VERSION), and the symbolic
    link C(current) points to the one in use.
  - An artifact is read from end to end and checked before anything is written. It is unpacked beside the releases and
    becomes one by a rename, when all of it is on disk. An interrupted call leaves no release that is not complete.
  - C(current) is switched by renaming a new link over it, so that it points to one release or the other at every instant.
  - Where a version came from, whether it is bad, and what was active before is kept in C(.rollout) below the directory.
  - Only O(restart), O(stop_command) and O(start_command) touch the service that runs.
  - Durations are plain seconds, or for example V(500ms), V(30s), V(5m) or V(1h30m).
extends_documentation_fragment:
  - steady.rollout.claim
  - steady.rollout.attributes
attributes:
  check_mode:
    support: full
    details:
      - Artifacts behind a URL are not fetched, so whether they could be unpacked is not known.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  path:
    description: The service's directory, absolute, such as V(/opt/shop).
    type: path
    required: true
  version:
    description:
      - The version, which is also the name of its directory below C(releases).
      - Needed for every O(state) but V(query).
    type: str
  state:
    description:
      - V(staged) has the version's files on the host, complete, with everything in O(shared) linked.
      - V(active) has it staged, makes it C(current) and then removes releases beyond O(keep).
      - V(bad) marks the version as one that must not be activated. Its files stay.
      - V(query) only returns what is there.
    type: str
    choices: [staged, active, bad, query]
    default: active
  source:
    description:
      - A C(tar.gz) or a directory on the controller, or a V(http://), V(https://) or V(file://) URL that the host fetches.
      - A relative path is searched in C(files) of role and playbook.
      - It is copied to the host only if it is not staged there already.
      - Not needed if the version is staged already.
    type: str
  remote_source:
    description: Whether O(source) is a path on the host rather than on the controller.
    type: bool
    default: false
  checksum:
    description:
      - V(sha256:) and the hexadecimal checksum that the artifact must have.
      - Needed for V(http) and V(https) sources, and not possible for directories.
    type: str
  strip:
    description: How many leading directories of the names in the archive are left out.
    type: int
    default: 0
  shared:
    description:
      - Paths in the release that outlive it, relative. Each becomes a link to the same path below C(shared).
      - Where nothing is shared under a path yet, what the release brings is moved there; if it brings nothing, an empty
        directory is made.
    type: list
    elements: str
    default: []
  restart:
    description:
      - The systemd unit to restart once O(path)/current leads to the version. It is restarted in every call, since what runs
        may be another version than the one that is switched to already.
      - Only with O(state=active).
    type: str
  stop_command:
    description:
      - What stops a service that systemd does not manage, as a command line (split into words, without a shell) or a list of
        words. It runs under the claim, after the switch.
      - Only with O(state=active).
    type: raw
  start_command:
    description: What starts the service, after O(stop_command), in the same way.
    type: raw
  restart_timeout:
    description: How long each of the commands that stop, start and restart may take; then it is terminated.
    type: str
    default: "300"
  keep:
    description:
      - How many releases are kept when one is activated. Bad ones go first, then those staged first.
      - The current and the previous one always stay. V(0) keeps all.
    type: int
    default: 5
  allow_bad:
    description: Whether a version that is marked bad may be activated.
    type: bool
    default: false
  owner:
    description:
      - The owner of all files of a release when it is staged, and of what is shared.
      - Run by root, O(path), C(releases) and C(.rollout) belong to root, so that this user cannot make root write elsewhere.
    type: str
  group:
    description: The group of the same.
    type: str
  mode:
    description:
      - The mode of the directories that are made, as three octal digits. V(0755) unless set.
      - Files keep the artifact's mode, but are never writable by group or others.
    type: str
  headers:
    description: HTTP headers for a source that is a URL. They are not sent on to another host.
    type: dict
    default: {}
  timeout:
    description: How long a server with the source may be silent, in seconds or for example V(2m).
    type: str
    default: "60"
  download_timeout:
    description: How long a download may take in all, in seconds or for example V(30m).
    type: str
    default: "1800"
  max_size:
    description: How many bytes the artifact may have at most, packed and unpacked.
    type: int
    default: 10000000000
  validate_certs:
    description: Whether the certificate of a server with the source has to be valid.
    type: bool
    default: true
author:
  - "The steady.rollout maintainers (@steady-rollout)"
"""

EXAMPLES = r"""
- name: Put version 2.0.0 in its place and switch to it
  steady.rollout.release:
    path: /opt/shop
    version: 2.0.0
    source: shop-2.0.0.tar.gz
    shared: [var/log, uploads]
    owner: shop
  become: true

- name: Fetch the next version ahead of time
  steady.rollout.release:
    path: /opt/shop
    version: 2.1.0
    source: https://artifacts.example.com/shop-2.1.0.tar.gz
    checksum: sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    headers:
      Authorization: "Bearer {{ artifact_token }}"
    state: staged
  become: true

- name: Mark a version bad
  steady.rollout.release:
    path: /opt/shop
    version: 2.1.0
    state: bad
  become: true

- name: Ask what is there
  steady.rollout.release:
    path: /opt/shop
    state: query
  register: shop

- name: Go back to the version that was active before
  steady.rollout.release:
    path: /opt/shop
    version: "{{ shop.previous }}"
  become: true
  when: shop.previous
"""

RETURN = r"""
path:
  description: The service's directory.
  returned: always
  type: str
  sample: /opt/shop
version:
  description: The version asked for.
  returned: always
  type: str
  sample: 2.0.0
current:
  description: The version that C(current) points to now.
  returned: always
  type: str
  sample: 2.0.0
previous:
  description: The version that was active before the current one, if it is still staged.
  returned: always
  type: str
  sample: 1.0.0
versions:
  description: The staged versions, the one staged first in front.
  returned: always
  type: list
  elements: str
  sample: [1.0.0, 2.0.0]
bad:
  description: The versions marked bad, staged or not.
  returned: always
  type: list
  elements: str
  sample: []
pruned:
  description: The versions removed by this call.
  returned: always
  type: list
  elements: str
  sample: [0.9.0]
actions:
  description: What was done, or would be in check mode, in order.
  returned: always
  type: list
  elements: str
  sample: [stage 2.0.0, switch from 1.0.0 to 2.0.0, prune 0.9.0]
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.steady.rollout.plugins.module_utils import claims
from ansible_collections.steady.rollout.plugins.module_utils.call import run_as_module
from ansible_collections.steady.rollout.plugins.module_utils.http.targets import secrets_of
from ansible_collections.steady.rollout.plugins.module_utils.release.core import core

SPEC = {
    "argument_spec": {
        "path": {"type": "path", "required": True},
        "version": {"type": "str"},
        "state": {"type": "str", "choices": ["staged", "active", "bad", "query"], "default": "active"},
        "source": {"type": "str"},
        "remote_source": {"type": "bool", "default": False},
        "checksum": {"type": "str"},
        "strip": {"type": "int", "default": 0},
        "shared": {"type": "list", "elements": "str", "default": []},
        "keep": {"type": "int", "default": 5},
        "restart": {"type": "str"},
        "stop_command": {"type": "raw"},
        "start_command": {"type": "raw"},
        "restart_timeout": {"type": "str", "default": "300"},
        "allow_bad": {"type": "bool", "default": False},
        "owner": {"type": "str"},
        "group": {"type": "str"},
        "mode": {"type": "str"},
        "headers": {"type": "dict", "default": {}, "no_log": True},
        "timeout": {"type": "str", "default": "60"},
        "download_timeout": {"type": "str", "default": "1800"},
        "max_size": {"type": "int", "default": 10000000000},
        "validate_certs": {"type": "bool", "default": True},
        "claim": {"type": "dict", "options": claims.ARGUMENTS},
    },
    "required_if": [("state", state, ["version"]) for state in ("staged", "active", "bad")],
    "supports_check_mode": True,
}


def hidden(params: dict[str, t.Any]) -> set[str]:
    """Values that no result may show.

    Ansible would hide every header's value wherever it occurs, so that a short one mangled all of the result.
    """
    return set(secrets_of({"url": params["source"], "headers": params["headers"]}))


def main() -> None:
    module = AnsibleModule(**SPEC)
    module.no_log_values = hidden(module.params)
    run_as_module(module, core)


if __name__ == "__main__":
    main()
