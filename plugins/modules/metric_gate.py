#!/usr/bin/python
# -*- coding: utf-8 -*-

# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: metric_gate
short_description: Judge a release by its metrics
version_added: 0.1.0
description:
  - Polls metrics for O(window) and decides whether the hosts on the new version (the canary) are
    as good as they should be, by limits, against the hosts on the old version (the baseline), or both.
  - Without any O(metrics) and O(sources) it judges by what the load balancers count themselves, which needs no monitoring.
  - It stops early as soon as the evidence is enough. Measured bad, not measured at all, and measured without a clear result
    are three things, and no data is never good news.
  - In a rollout (O(service), O(run), O(token)) every measurement is stored in the ledger with its query and its answer, the
    lease is renewed, and measuring waits while the rollout is paused.
  - Durations are plain seconds, or for example V(500ms), V(30s), V(5m) or V(1h30m).
author:
  - The steady.rollout maintainers (@steady-rollout)
extends_documentation_fragment:
  - steady.rollout.attributes
  - steady.rollout.balancer.nodes
attributes:
  check_mode:
    support: full
    details:
      - Polls once, which shows whether every source answers, and stores nothing.
  diff_mode:
    support: N/A
    details:
      - This module changes nothing but its own records in the ledger.
  idempotent:
    support: full
    details:
      - A gate of a run that is over is not measured again; its verdict is returned.
options:
  metrics:
    description:
      - What is judged, as a list of dictionaries. Without any, these are the errors of the canary against the baseline, its
        latencies where the balancers report enough of them, and at most 20 percent of unhealthy members.
      - C(name) - how the metric is called.
      - C(source) - a name from O(sources), or V(balancer), the default.
      - C(query) - what to ask the source for; see the notes.
      - C(kind) - V(value), or V(share) where requests and bad requests are counted.
      - C(limit) - where the canary's figure is good, such as V(< 1%), V(<= 500ms) or V(> 10, < 20).
      - C(baseline) - where its ratio to the baseline is good, such as V(< 2x), V(> 90%) or V(within 20%). What is beyond it is
        bad only where chance does not explain it. Give business metrics as C(kind=share) where they can be counted, such as
        orders of visits. Their numbers say how sure a ratio is.
      - C(judge) - V(true) has both compared statistically, and lets pass what is worse by up to C(tolerance), 10% by default.
      - C(direction) - whether an V(increase) is bad, the default, a V(decrease), or V(either).
      - C(unit) - of a value, such as V(ms) or V(s).
      - C(critical) - whether this metric alone fails the gate. C(weight) and C(group) - how much it counts in the score.
      - C(minimum) - how many requests (V(share), 100) or measurements (V(value), 3, with a C(limit) only 1) there have to be
        before any verdict.
      - C(delay) - seconds at the start of the window that are left out. By default none, but 60, and at most a fifth of the
        window, where values such as latencies are judged, as what has just started is slow for a while. What is left out by
        default still says where a growth begins, such as a leak's; what is given here is left out of everything.
      - C(dry_run) - shown and stored, but never decides.
      - C(on_no_data) - V(no_data), V(inconclusive), V(fail), or V(ignore).
      - C(max_failures), C(max_consecutive_failures) - how many measurements may be beyond C(limit).
      - C(max_errors), C(max_consecutive_errors) - how often measuring may fail.
    type: list
    elements: dict
    default: []
  sources:
    description:
      - Where to measure, as a dictionary of dictionaries by name. Each has a C(type).
      - V(prometheus) - C(url) of its root. C(range=true) asks for all points of the step, C(step) seconds apart. C(label) is
        the label whose value is the group or a member, C(host_label) the one that distinguishes hosts; by default any label.
      - V(cloudwatch) - C(region), C(profile), C(role_arn), C(endpoint_url) as usual with AWS. C(period) (60) and C(lag) (120)
        in seconds, the time that CloudWatch takes until a point is complete. It needs the Python package boto3.
      - V(json) - any JSON over HTTP, by C(url), C(method) and C(body).
      - V(command) - a C(command) where the module runs, without a shell, that prints a number or JSON. C(environment) is
        added to its own, C(timeout) (30) is in seconds.
      - V(alertmanager) - C(url) of its root. Every alert that fires fails the gate.
      - All that are asked over HTTP take C(user) and C(password), or C(token) (bearer), or C(headers); C(ca_path),
        C(validate_certs) (V(true)), and C(timeout) (10 seconds).
      - Credentials are neither returned nor stored.
    type: dict
    default: {}
  groups:
    description:
      - The members that are on the new version (C(canary)) and those that are not (C(baseline)), as the balancers name them.
      - With C(canary) and without C(baseline), metrics that only compare are set aside.
      - In a rollout they are by default those of the hosts that are proven and of those that still wait to be updated.
    type: dict
  counters:
    description:
      - With O(once=true), instead of O(balancers), what a (looped) M(steady.rollout.lb_member_info) with C(counters=true)
        returned just before, on whatever hosts the balancers are.
    type: raw
  window:
    description: How long to measure, in seconds or as V(5m).
    type: str
    default: "300"
    aliases: [for]
  interval:
    description: Time between two polls, in seconds or as V(10s).
    type: str
    default: "10"
  judge:
    description:
      - How sure the judge has to be.
      - C(false_stop) (3%) - the chance at most that a release which is no worse is failed, over all polls, all metrics and all
        gates of the rollout; C(gates) (4) - how many gates share it.
      - C(host_noise) (10%) - by how much hosts with the same release differ (one standard deviation), believed until the hosts
        show it.
      - C(pass_score) and C(marginal_score) (both 100, so that every metric has to pass) - from which score on, in percent, the
        gate passes, and below which it fails; between them it is inconclusive. C(groups) - the weights of groups of metrics.
    type: dict
    default: {}
  on_inconclusive:
    description:
      - What follows when the window is over and the result is not clear.
      - V(go_on) passes, V(stop) does not, V(wait) keeps polling for up to O(wait_limit) and then does not, V(ask) pauses the rollout;
        resumed it passes. Where more time would not make it clearer, as with errors on a single host of several, V(wait) stops.
    type: str
    choices: [go_on, wait, ask, stop]
    default: wait
  on_no_data:
    description:
      - The same for what the sources had no data on.
      - What V(go_on) lets through although no metric was judged has the verdict V(not_judged), which does not pass.
    type: str
    choices: [go_on, wait, ask, stop]
    default: stop
  on_error:
    description: The same for sources that could not be asked.
    type: str
    choices: [go_on, wait, ask, stop]
    default: stop
  on_not_judged:
    description:
      - What follows where nothing was judged at all, such as a comparison after the last host of the baseline was updated.
      - The verdict is V(not_judged) then, which does not pass. V(go_on) lets the rollout continue anyway, V(ask) pauses it,
        V(stop) ends with V(no_data).
    type: str
    choices: [go_on, ask, stop]
    default: go_on
  wait_limit:
    description: How long V(wait) may keep polling after the window, in seconds or as V(5m); as long as O(window) by default.
    type: str
  once:
    description:
      - Whether to poll only once. It returns the verdict at once; where there is none yet, RV(verdict=wait) when the next
        poll is due.
      - Measurements are collected in the ledger, by O(service), O(run) and O(step), from one call to the next.
    type: bool
    default: false
  step:
    description:
      - The name of the gate within the run. What is measured under another name counts for another gate.
      - V(before) is measured before the release and not judged. The gates after it hold each host against its own past.
    type: str
    default: gate
  fail:
    description: Whether any verdict but V(pass) and V(not_judged) fails the task. By default it does, but not with O(once=true).
    type: bool
  service:
    description: The service whose rollout this is part of.
    type: str
  ledger:
    description: Directory of the ledger, as for O(steady.rollout.rollout#module:ledger).
    type: path
  run:
    description: The run that holds the lease.
    type: str
  token:
    description: Its fencing token.
    type: int
notes:
  - With O(balancers) they are read where this module runs; the host of each is a name for messages.
  - A query for V(balancer) is V(error_share) (5xx and answers that did not come), V(latency) (mean), V(unhealthy_share), or
    V(p50), V(p90), V(p95), V(p99) where the balancer keeps a histogram (the clusters of an Envoy route).
  - HAProxy reports latency as a mean in whole milliseconds over the last 512 responses of a member. What follows from two
    such means for the answers in between is measured as soon as rounding no longer blurs it.
  - A query for V(prometheus) is PromQL, for V(json) and V(command) JMESPath on the answer (C(@) for all of it), for
    V(alertmanager) a list of matchers. For V(cloudwatch) it has C(namespace), C(metric), C(dimensions), C(statistic), C(unit),
    or an C(expression) over C(metrics), which has these by id.
  - Any query may be a dictionary C({canary, baseline}), or, for a share, C({bad, total}), or both. With C(absent=zero) beside
    C(bad) and C(total) a missing number of bad ones means none; else it is no data.
  - C($group), C($members) (for a regular expression), C($interval) (seconds since the previous poll) and C($elapsed) (seconds
    since the first) are replaced in queries, and in URL, body and command.
  - An answer may be a number, C({value, count}), C({bad, total}), or any of these by group. NaN, null and an empty result are
    no data, never 0.
seealso:
  - module: steady.rollout.lb_member_info
  - module: steady.rollout.rollout_gate
"""

EXAMPLES = r"""
- name: Judge the new version by what HAProxy counts, for five minutes
  steady.rollout.metric_gate:
    balancers:
      - {type: haproxy, socket: /run/haproxy/admin.sock, pool: shop}
    groups:
      canary: [app1]
      baseline: [app2, app3, app4]
    window: 5m

- name: Judge by Prometheus, and by the orders that come in
  steady.rollout.metric_gate:
    sources:
      prometheus:
        type: prometheus
        url: https://prometheus.example.com
        token: "{{ prometheus_token }}"
      orders:
        type: json
        url: https://shop.example.com/internal/orders?hosts=$group
      alerts:
        type: alertmanager
        url: http://alertmanager.example.com:9093
    metrics:
      - name: errors
        source: prometheus
        kind: share
        judge: true
        critical: true
        query:
          bad: sum by (instance) (increase(http_requests_total{instance=~"$members", code=~"5.."}[${interval}s]))
          total: sum by (instance) (increase(http_requests_total{instance=~"$members"}[${interval}s]))
          absent: zero
      - name: p95
        source: prometheus
        unit: s
        limit: < 500ms
        baseline: < 2x
        query: histogram_quantile(0.95, sum by (le) (rate(http_seconds_bucket{instance=~"$members"}[1m])))
      - name: orders per visit
        source: orders
        kind: share
        query: {bad: orders, total: visits}
        direction: decrease
        baseline: "> 90%"
      - name: alerts
        source: alerts
        query: ['severity="page"', 'service="shop"']
    groups:
      canary: ["app1:8080"]
      baseline: ["app2:8080", "app3:8080"]
    window: 10m
    interval: 30s

- name: Let a script judge
  steady.rollout.metric_gate:
    sources:
      queue: {type: command, command: "/usr/local/bin/queue-length --json"}
    metrics:
      - {name: queue, source: queue, query: length, limit: < 100, max_consecutive_failures: 2}
    window: 60
    interval: 10
"""

RETURN = r"""
verdict:
  description:
    - What follows, with the policies applied, V(pass), V(fail), V(inconclusive), V(no_data),
      V(not_judged), or, only with O(once=true), V(wait).
    - What a policy lets pass is V(pass), and what it waits or asks for is V(wait).
  type: str
  returned: always, unless the options are wrong
judged:
  description: The judge's own verdict, before the policies.
  type: str
  returned: always, unless the options are wrong
reason:
  description: Why, with the figures.
  type: str
  returned: always, unless the options are wrong
score:
  description: The percentage of the deciding metrics that pass, by weight. Null while nothing is decided.
  type: float
  returned: always, unless the options are wrong
metrics:
  description: The metrics and what they said, as a list of C(name), C(verdict), C(reason), C(figures), C(critical), C(decides),
    C(source), C(outcome) of the latest measurement (V(measured), V(no_data), V(error)) and C(why) nothing was measured.
  type: list
  elements: dict
  returned: always, unless the options are wrong
table:
  description: The same as a table of text lines.
  type: list
  elements: str
  returned: always, unless the options are wrong
steering:
  description: The operator's decision in the meantime, V(paused), V(promoted), V(aborted), or nothing.
  type: str
  returned: always, unless the options are wrong
step:
  description: The gate's name.
  type: str
  returned: always, unless the options are wrong
polls:
  description: Number of polls so far.
  type: int
  returned: always, unless the options are wrong
elapsed:
  description: Seconds since the first poll.
  type: float
  returned: always, unless the options are wrong
window:
  description: The window in seconds.
  type: float
  returned: always, unless the options are wrong
notes:
  description: Remarks on the verdict, such as metrics that were set aside.
  type: list
  elements: str
  returned: always, unless the options are wrong
msg:
  description: Summary in one line.
  type: str
  returned: always
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.steady.rollout.plugins.module_utils.balancers import registry
from ansible_collections.steady.rollout.plugins.module_utils.call import run_as_module
from ansible_collections.steady.rollout.plugins.module_utils.metrics import sources
from ansible_collections.steady.rollout.plugins.module_utils.metrics.core import core

ACTIONS = ["go_on", "wait", "ask", "stop"]

SPEC: dict[str, t.Any] = {
    "argument_spec": {
        "metrics": {"type": "list", "elements": "dict", "default": []},
        "sources": {"type": "dict", "default": {}, "no_log": True},
        "groups": {"type": "dict"},
        "balancers": {**registry.arguments(), "type": "list", "elements": "dict", "required": False},
        "counters": {"type": "raw"},
        "window": {"type": "str", "default": "300", "aliases": ["for"]},
        "interval": {"type": "str", "default": "10"},
        "judge": {"type": "dict", "default": {}},
        "on_inconclusive": {"type": "str", "choices": ACTIONS, "default": "wait"},
        "on_no_data": {"type": "str", "choices": ACTIONS, "default": "stop"},
        "on_error": {"type": "str", "choices": ACTIONS, "default": "stop"},
        "on_not_judged": {"type": "str", "choices": ["go_on", "ask", "stop"], "default": "go_on"},
        "wait_limit": {"type": "str"},
        "once": {"type": "bool", "default": False},
        "step": {"type": "str", "default": "gate"},
        "fail": {"type": "bool"},
        "service": {"type": "str"},
        "ledger": {"type": "path"},
        "run": {"type": "str"},
        "token": {"type": "int", "no_log": False},
    },
    "supports_check_mode": True,
    "mutually_exclusive": [("balancers", "counters")],
}


def hidden(params: dict[str, t.Any]) -> set[str]:
    """Values that no result may show.

    Ansible would hide every value in it wherever it occurs, so that the name of a source mangled all messages.
    """
    return sources.secrets(params["sources"])


def main() -> None:
    module = AnsibleModule(**SPEC)
    module.no_log_values = hidden(module.params)
    run_as_module(module, core)


if __name__ == "__main__":
    main()
