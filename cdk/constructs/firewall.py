"""AWS WAF in front of the REST API: AWS' managed rules, and a limit per address."""

from __future__ import annotations

from typing import Final

import aws_cdk as cdk
from aws_cdk import aws_logs as logs
from aws_cdk import aws_wafv2 as waf
from constructs import Construct

from cdk.constructs.function import log_retention

COUNTED_ONLY: Final = ("SizeRestrictions_BODY", "CrossSiteScripting_BODY")
"""Rules of the common set that refuse honest bodies here: plots are longer than 8 kB, and may quote markup.
https://docs.aws.amazon.com/waf/latest/developerguide/aws-managed-rule-groups-baseline.html"""


class Firewall(Construct):
    """A regional web ACL, associated with one stage of a REST API; what it blocks is logged."""

    def __init__(
        self, scope: Construct, id_: str, *, stage_arn: str, name: str, per_address: int, log_days: int
    ) -> None:
        super().__init__(scope, id_)
        rules = [
            self._managed(0, "AWSManagedRulesAmazonIpReputationList"),
            self._managed(1, "AWSManagedRulesCommonRuleSet", COUNTED_ONLY),
            self._managed(2, "AWSManagedRulesKnownBadInputsRuleSet"),
            waf.CfnWebACL.RuleProperty(
                name="requests-per-address",
                priority=3,
                action=waf.CfnWebACL.RuleActionProperty(block={}),
                statement=waf.CfnWebACL.StatementProperty(
                    rate_based_statement=waf.CfnWebACL.RateBasedStatementProperty(
                        aggregate_key_type="IP", limit=per_address, evaluation_window_sec=300
                    )
                ),
                visibility_config=_visibility("requests-per-address"),
            ),
        ]
        acl = waf.CfnWebACL(
            self,
            "Acl",
            name=name,
            scope="REGIONAL",
            default_action=waf.CfnWebACL.DefaultActionProperty(allow={}),
            rules=rules,
            visibility_config=_visibility(name),
        )
        waf.CfnWebACLAssociation(self, "Association", resource_arn=stage_arn, web_acl_arn=acl.attr_arn)
        group = logs.LogGroup(
            self,
            "Logs",
            log_group_name=f"aws-waf-logs-{name}",  # WAF insists on the prefix
            retention=log_retention(log_days),
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        waf.CfnLoggingConfiguration(
            self,
            "Logging",
            resource_arn=acl.attr_arn,
            log_destination_configs=[
                cdk.Stack.of(self).format_arn(
                    service="logs",
                    resource="log-group",
                    resource_name=group.log_group_name,
                    arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
                )
            ],
            redacted_fields=[
                waf.CfnLoggingConfiguration.FieldToMatchProperty(single_header={"Name": "x-api-key"}),
            ],
        )

    @staticmethod
    def _managed(priority: int, name: str, counted: tuple[str, ...] = ()) -> waf.CfnWebACL.RuleProperty:
        return waf.CfnWebACL.RuleProperty(
            name=name,
            priority=priority,
            override_action=waf.CfnWebACL.OverrideActionProperty(none={}),
            statement=waf.CfnWebACL.StatementProperty(
                managed_rule_group_statement=waf.CfnWebACL.ManagedRuleGroupStatementProperty(
                    vendor_name="AWS",
                    name=name,
                    rule_action_overrides=[
                        waf.CfnWebACL.RuleActionOverrideProperty(
                            name=rule, action_to_use=waf.CfnWebACL.RuleActionProperty(count={})
                        )
                        for rule in counted
                    ]
                    or None,
                )
            ),
            visibility_config=_visibility(name),
        )


def _visibility(name: str) -> waf.CfnWebACL.VisibilityConfigProperty:
    return waf.CfnWebACL.VisibilityConfigProperty(
        cloud_watch_metrics_enabled=True, metric_name=name, sampled_requests_enabled=True
    )
