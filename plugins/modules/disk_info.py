#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: disk_info
short_description: Read how much room there is where a path is, or is to be
version_added: 0.1.0
author: "The steady.rollout maintainers (@steady-rollout)"
description:
  - Reads the file system of a path or, where it does not exist yet, of the nearest folder above it.
extends_documentation_fragment:
  - steady.rollout.attributes
  - steady.rollout.attributes.info_module
options:
  path:
    description: The path.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Read how much room there is for releases
  steady.rollout.disk_info:
    path: /opt/shop
"""

RETURN = r"""
path:
  description: The path that was asked for.
  type: str
  returned: success
place:
  description: The nearest part of it that exists.
  type: str
  returned: success
free:
  description: Bytes that this user may still write there.
  type: int
  returned: success
size:
  description: Bytes of the file system in all.
  type: int
  returned: success
free_inodes:
  description: Files that may still be made; none where the file system does not limit them.
  type: int
  returned: success
writable:
  description: Whether this user may write to RV(place).
  type: bool
  returned: success
msg:
  description: All of it in one sentence.
  type: str
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.steady.rollout.plugins.module_utils.call import run_as_module
from ansible_collections.steady.rollout.plugins.module_utils.disk import core

SPEC = {
    "argument_spec": {"path": {"type": "path", "required": True}},
    "supports_check_mode": True,
}


def main() -> None:
    run_as_module(AnsibleModule(**SPEC), core)


if __name__ == "__main__":
    main()
