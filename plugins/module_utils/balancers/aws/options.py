# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The options of type=aws_target_group, type=aws_listener and type=route53."""

from __future__ import annotations

from ansible_collections.steady.rollout.plugins.module_utils.typed_options import Options, option

SESSION: Options = {
    "region": option(
        "The AWS region. Otherwise C(AWS_REGION), C(AWS_DEFAULT_REGION) or that of the profile.",
        "The AWS types need the Python package C(boto3) on the host where the module runs, normally the coordinator. "
        "Credentials come from the usual places of AWS, in the environment, files or the instance's role.",
        "In IAM, V(aws_target_group) needs C(elasticloadbalancing:Describe*), C(RegisterTargets), C(DeregisterTargets), "
        "C(AddTags) and C(RemoveTags); V(aws_listener) C(Describe*), C(ModifyListener) and C(ModifyRule), for routes and "
        "pages also C(CreateRule) and C(DeleteRule); V(route53) C(route53:List*), C(Get*), C(ChangeResourceRecordSets) and "
        "C(ChangeTagsForResource).",
    ),
    "profile": option("The profile of AWS's configuration files. Otherwise C(AWS_PROFILE)."),
    "role_arn": option("A role to assume first, for an hour."),
    "endpoint_url": option("Where the AWS API is, if not where AWS has it. Otherwise C(AWS_ENDPOINT_URL)."),
}
TARGET_GROUP_POOL = (
    "For V(aws_target_group) the name or ARN of the target group. Its members are targets, as C(id:port)."
)
TARGET_GROUP: Options = {
    **SESSION,
    "targets": option(
        "Targets of an AWS target group by the names that they are to have as members, as V(i-0123), V(i-0123:8080), "
        "V(10.0.0.1:8080) or an ARN; the port is otherwise that of the group.",
        "Those named here are members also while they are not registered. Others that this collection took out are "
        "remembered in up to 50 tags of the group, for which C(AddTags) and C(RemoveTags) must be allowed.",
        type="dict",
    ),
    "connections_command": option(
        "A command, run where the module runs, that prints how many connections a host has open to its service. In its "
        "words C({name}), C({id}) and C({port}) stand for the member, its target's id and port.",
        "With it a drain of an AWS target ends when there was none for O(balancer.connections_quiet) seconds. Otherwise "
        "it takes the whole deregistration delay of the group, idle or not, because AWS does not report when a target is "
        "idle.",
        type="list",
        elements="str",
    ),
    "connections_quiet": option(
        "Seconds without a connection after which a draining AWS target counts as idle.", type="str", default="5"
    ),
}
LISTENER_POOL = (
    "For V(aws_listener) C(load-balancer:port) or the ARN of a listener, or C(load-balancer:port/priority) or the ARN of a "
    "rule. Its members are the target groups that it forwards to, by name, for weights only."
)
LISTENER: Options = {
    **SESSION,
    "target_groups": option(
        "For V(aws_listener), further target groups by name or ARN, which become members with weight 0 although nothing is "
        "forwarded to them yet. The next change of weights attaches them, for their health checks begin only then.",
        "A target group given by its ARN has that as its name.",
        type="list",
        elements="str",
    ),
}
ROUTE53_POOL = (
    "For V(route53) the name of a weighted set of records. Its members are the records by their SetIdentifier."
)
ROUTE53: Options = {
    **SESSION,
    "zone": option(
        "Id or name of the hosted zone.",
        "A record is drained by weight 0. The weight that it had is kept in a tag of the zone meanwhile.",
    ),
    "record_type": option(
        "The type of the records, such as V(A). Otherwise all of the name, which then must have equal weights.",
    ),
}
