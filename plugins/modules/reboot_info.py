#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: reboot_info
short_description: Read which boot a host is in and whether it needs another one
version_added: 0.1.0
author: "The steady.rollout maintainers (@steady-rollout)"
description:
  - Reads what the host has of the file C(/run/reboot-required), the installed kernels, C(needrestart) and
    C(needs-restarting). Each of them is enough.
  - A boot id that differs from the one before proves that a host was rebooted.
extends_documentation_fragment:
  - steady.rollout.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
options: {}
seealso:
  - module: ansible.builtin.reboot
"""

EXAMPLES = r"""
- name: Read whether the host needs a reboot
  steady.rollout.reboot_info:
  register: boot
"""

RETURN = r"""
needed:
  description: Whether a reboot is needed.
  type: bool
  returned: success
reasons:
  description: Why, one sentence each.
  type: list
  elements: str
  returned: success
boot_id:
  description: The identity of this boot.
  type: str
  returned: success
msg:
  description: All of it in one sentence.
  type: str
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.steady.rollout.plugins.module_utils.call import run_as_module
from ansible_collections.steady.rollout.plugins.module_utils.reboot import core

SPEC = {"argument_spec": {}, "supports_check_mode": True}


def main() -> None:
    run_as_module(AnsibleModule(**SPEC), core)


if __name__ == "__main__":
    main()
