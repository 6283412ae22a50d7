# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option that says which pool on which load balancer node."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  balancer:
    description:
      - One pool on one node of a load balancer.
      - Set it once for all modules of the group with C(module_defaults) and C(group/steady.rollout.balancer).
    type: dict
    required: true
    suboptions:
      type:
        description: The type of the load balancer.
        type: str
        choices:
          - apache
          - aws_listener
          - aws_target_group
          - envoy
          - haproxy
          - nginx
          - route53
        default: haproxy
      host:
        description: The node's name, for messages only. The module connects from the host where it runs.
        type: str
        default: ""
      pool:
        description:
          - The pool, which HAProxy calls a backend, nginx an upstream, Apache a balancer and Envoy a cluster.
          - For V(aws_target_group) the name or ARN of the target group. Its members are targets, as C(id:port).
          - For V(aws_listener) C(load-balancer:port) or the ARN of a listener, or C(load-balancer:port/priority) or the
            ARN of a rule. Its members are the target groups that it forwards to, by name, for weights only.
          - For V(route53) the name of a weighted set of records. Its members are the records by their SetIdentifier.
        type: str
        required: true
      timeout:
        description: Seconds that the node may take for one answer.
        type: float
        default: 5.0
      socket:
        description:
          - HAProxy's admin socket, as an absolute path, V(host:port) or V(tcp://host:port).
          - It needs C(level admin) for anything but reading.
          - Required if O(balancer.type=haproxy).
        type: str
      master_socket:
        description:
          - The socket of HAProxy's master process (its option C(-S)), written like O(balancer.socket).
          - With it, sessions in processes that a reload left behind are counted. They cannot be seen otherwise.
        type: str
      state_file:
        description:
          - The file that HAProxy's C(server-state-file) names, on the host where the module runs.
          - It is rewritten after every change, so that a reload neither loses a drain nor brings an old one back.
        type: path
      route_file:
        description:
          - For M(steady.rollout.lb_route), the file on the load balancer's host that holds its routes. It must exist and
            be a part of the load balancer's configuration already; the examples of the module show how.
          - For HAProxy a map, which is changed in the running process and in the file. Its keys are C(header=value)
            and C(cookie:name=value).
          - For nginx a file with a C(map) of the header or cookie (C($http_x_canary), C($cookie_canary)) whose lines
            are upstreams. Only those lines are edited; C(default) is O(balancer.pool) where there are several maps.
          - For Apache a file of its own, written as a whole, to be included before any C(ProxyPass).
          - Envoy and AWS need none.
        type: path
      page_file:
        description:
          - For M(steady.rollout.lb_page), the file on the load balancer's host that holds the maintenance page. It must
            exist and be a part of the load balancer's configuration already; the examples of the module show how.
          - For HAProxy a map, whose keys are pools. For nginx a file of its own, to be included in a C(server) block; the
            page's text is kept beside it. For Apache a file of its own, to be included before any C(ProxyPass).
          - Envoy and AWS need none.
        type: path
      admin:
        description:
          - Envoy's administration interface, as V(host:port) or as the absolute path of a unix socket. It is only read.
          - Required if O(balancer.type=envoy).
        type: str
      eds_file:
        description:
          - The file that Envoy reads the pool's members from, by the C(path_config_source) of a cluster of type C(EDS),
            on the host where the module runs. It is JSON, and is replaced by renaming.
          - A member's name is the C(hostname) of its endpoint where no other has the same, otherwise its address and port.
          - Set the cluster's C(common_lb_config.healthy_panic_threshold) to 0. Otherwise Envoy sends traffic to all members,
            drained ones too, when few are healthy, and a change that would lead there is refused.
          - Set its C(common_lb_config.update_merge_window) to C(0s) too. Otherwise Envoys before 1.40 hold a change that
            follows another within a second back for as long, which is waited for.
          - Exactly one of this and O(balancer.rds_file) is required if O(balancer.type=envoy).
        type: path
      rds_file:
        description:
          - The file that Envoy reads its routes from. The members are then the clusters among which the route, or the
            routes of the virtual host, named O(balancer.pool) split traffic by C(weighted_clusters).
          - For weights only, since a cluster cannot be drained.
        type: path
      region:
        description:
          - The AWS region. Otherwise C(AWS_REGION), C(AWS_DEFAULT_REGION) or that of the profile.
          - The AWS types need the Python package C(boto3) on the host where the module runs, normally the coordinator.
            Credentials come from the usual places of AWS, in the environment, files or the instance's role.
          - In IAM, V(aws_target_group) needs C(elasticloadbalancing:Describe*), C(RegisterTargets), C(DeregisterTargets),
            C(AddTags) and C(RemoveTags); V(aws_listener) C(Describe*), C(ModifyListener) and C(ModifyRule), for routes
            and pages also C(CreateRule) and C(DeleteRule); V(route53)
            C(route53:List*), C(Get*), C(ChangeResourceRecordSets) and C(ChangeTagsForResource).
        type: str
      profile:
        description: The profile of AWS's configuration files. Otherwise C(AWS_PROFILE).
        type: str
      role_arn:
        description: A role to assume first, for an hour.
        type: str
      endpoint_url:
        description: Where the AWS API is, if not where AWS has it. Otherwise C(AWS_ENDPOINT_URL).
        type: str
      targets:
        description:
          - Targets of an AWS target group by the names that they are to have as members, as V(i-0123), V(i-0123:8080),
            V(10.0.0.1:8080) or an ARN; the port is otherwise that of the group.
          - Those named here are members also while they are not registered. Others that this collection took out are
            remembered in up to 50 tags of the group, for which C(AddTags) and C(RemoveTags) must be allowed.
        type: dict
      connections_command:
        description:
          - A command, run where the module runs, that prints how many connections a host has open to its service. In
            its words C({name}), C({id}) and C({port}) stand for the member, its target's id and port.
          - With it a drain of an AWS target ends when there was none for O(balancer.connections_quiet) seconds. Otherwise
            it takes the whole deregistration delay of the group, idle or not, because AWS does not report when a target is idle.
        type: list
        elements: str
      connections_quiet:
        description: Seconds without a connection after which a draining AWS target counts as idle.
        type: float
        default: 5.0
      target_groups:
        description:
          - For V(aws_listener), further target groups by name or ARN, which become members with weight 0 although
            nothing is forwarded to them yet. The next change of weights attaches them, for their health checks begin
            only then.
          - A target group given by its ARN has that as its name.
        type: list
        elements: str
      zone:
        description:
          - Id or name of the hosted zone. Required if O(balancer.type=route53).
          - A record is drained by weight 0. The weight that it had is kept in a tag of the zone meanwhile.
        type: str
      record_type:
        description: The type of the records, such as V(A). Otherwise all of the name, which then must be weighed alike.
        type: str
      upstream_file:
        description:
          - The file of nginx's configuration that holds the upstream, with all its C(server) lines. A change edits those
            lines only, has nginx check its configuration, reloads it and waits until the old workers take nothing more.
          - A member's name is the address in its line, or what a comment behind the line says, as C(# member=app1).
          - nginx has one way out, C(down). V(maintenance) and a weight of 0 are told apart by a word in that comment.
          - A drain also waits for clients that were connected before the reload and have not sent their whole request.
            C(worker_shutdown_timeout) in nginx's configuration bounds that.
          - The module runs on nginx's host, as a user that may reload it and see its connections, normally root.
          - Required if O(balancer.type=nginx).
        type: path
      pid_file:
        description:
          - Where nginx keeps the process id of its master, otherwise V(/run/nginx.pid).
          - For M(steady.rollout.lb_route) and M(steady.rollout.lb_page) the same of Apache, otherwise
            V(/run/apache2/apache2.pid) or V(/run/httpd/httpd.pid).
        type: path
      manager_url:
        description:
          - The page of Apache's C(balancer-manager), as V(http://127.0.0.1/balancer-manager).
          - A member's name is its C(route), or its URL where it has none of its own.
          - V(drained) keeps the clients whose cookie names the member, V(maintenance) moves them.
            A member that is stopped (C(S)) has weight 0.
          - Required if O(balancer.type=apache).
        type: str
      status_url:
        description:
          - Apache's C(server-status) page, as V(http://127.0.0.1/server-status).
          - Apache's counters of requests in flight can stay above 0, mostly after a graceful restart. With this page a
            drain can tell, when every request that began before the drain is over.
        type: str
      manager_user:
        description: User for these two pages, if they ask for one.
        type: str
        default: ""
      manager_password:
        description: Password of O(balancer.manager_user).
        type: str
      validate_certs:
        description: Whether the certificate of an V(https) page of Apache must be trusted.
        type: bool
        default: true
"""

    # The same for modules that read several nodes. With its type, for sanity's yamllint takes any plain assignment for text.
    NODES: str = (
        DOCUMENTATION.replace("  balancer:\n", "  balancers:\n")
        .replace(
            "      - One pool on one node of a load balancer.\n",
            "      - The pool on every node of the load balancer.\n",
        )
        .replace("    type: dict\n    required: true\n", "    type: list\n    elements: dict\n", 1)
        .replace("O(balancer.", "O(balancers[].")
    )
