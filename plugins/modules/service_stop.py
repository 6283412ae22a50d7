#!/usr/bin/python
# -*- coding: utf-8 -*-

# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: service_stop
short_description: Stop a service and make sure that it has stopped
version_added: 0.1.0
description:
  - Stops a systemd unit, or runs a command that stops the service. A unit that still has a main process afterwards is an error.
author:
  - The steady.rollout maintainers (@steady-rollout)
extends_documentation_fragment:
  - steady.rollout.attributes
  - steady.rollout.claim
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: partial
    details:
      - A stop command is run each time.
options:
  unit:
    description: The unit, such as V(shop.service). Give it or O(stop_command).
    type: str
  stop_command:
    description: A command line, split into words without a shell, that returns once the service has stopped.
    type: str
  timeout:
    description: How long stopping may take.
    type: str
    default: 5m
"""

EXAMPLES = r"""
- name: Stop the service before its database is migrated
  steady.rollout.service_stop:
    unit: shop.service
  become: true
"""

RETURN = r"""
msg:
  description: What was done, in one line.
  type: str
  returned: always
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.steady.rollout.plugins.module_utils import claims
from ansible_collections.steady.rollout.plugins.module_utils.call import run_as_module
from ansible_collections.steady.rollout.plugins.module_utils.service_stop import core

SPEC: dict[str, t.Any] = {
    "argument_spec": {
        "unit": {"type": "str"},
        "stop_command": {"type": "str"},
        "timeout": {"type": "str", "default": "5m"},
        "claim": {"type": "dict", "options": claims.ARGUMENTS},
    },
    "supports_check_mode": True,
}


def main() -> None:
    run_as_module(AnsibleModule(**SPEC), core)


if __name__ == "__main__":
    main()
