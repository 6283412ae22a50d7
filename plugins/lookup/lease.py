# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets a step of the user's run only while the run holds its lease."""

from __future__ import annotations

DOCUMENTATION = r"""
name: lease
version_added: 0.1.0
author: The steady.rollout maintainers (@steady-rollout)
short_description: Give the run's name while it holds its lease
description:
  - Gives the names that it gets, and fails once the watch of the run has seen that another run holds the lease.
  - The role P(steady.rollout.rollout#role) puts it into the environment of the steps of yours, so that it is asked before
    each of their tasks. A controller that was suspended runs none of them after another run has taken over.
  - Made for the roles of this collection; it may change with them.
options:
  _terms:
    description: The run.
    required: true
"""

EXAMPLES = r"""
- name: Change something only while the run holds its lease
  ansible.builtin.command: /usr/local/bin/change
  environment:
    STEADY_ROLLOUT_RUN: "{{ lookup('steady.rollout.lease', run.run) }}"
"""

RETURN = r"""
_raw:
  description: The names.
  type: list
  elements: str
"""

import typing as t

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ansible_collections.steady.rollout.plugins.plugin_utils.watch import lease_mark


class LookupModule(LookupBase):
    def run(self, terms: list[str], variables: t.Any = None, **kwargs: t.Any) -> list[str]:
        try:
            lease_mark.check()
        except lease_mark.LeaseGone as gone:
            raise AnsibleLookupError(str(gone)) from gone
        return terms
