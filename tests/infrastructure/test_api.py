"""The public API: routes to aliases, what is checked before a function runs, and how the gateway itself answers."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from cdk.app import ROOT
from tests.support.cloud import text

if TYPE_CHECKING:
    from tests.infrastructure.conftest import Synth
    from tests.support.cloud import Assembly, Resource, Template


def path(template: Template, value: Any) -> str:
    """Follow a method's resource up to the root."""
    if "Fn::GetAtt" in value:
        return ""
    properties = template.resources[value["Ref"]]["Properties"]
    return f"{path(template, properties['ParentId'])}/{properties['PathPart']}"


def methods(template: Template) -> dict[tuple[str, str], Resource]:
    return {
        (
            method["Properties"]["HttpMethod"],
            path(template, method["Properties"]["ResourceId"]) or "/",
        ): method
        for method in template.of_type("AWS::ApiGateway::Method").values()
        if method["Properties"]["HttpMethod"] != "OPTIONS"
    }


@pytest.mark.parametrize("stage", ["dev", "staging", "production"])
def test_each_route_leads_to_the_alias_of_its_function(synth: Synth, stage: str) -> None:
    assembly = synth(stage)
    template = assembly.template("service")
    found = methods(template)
    wanted = {(r.method, r.path): (f, r) for f in assembly.spec.functions for r in f.routes}
    assert found.keys() == wanted.keys()
    for key, (function, route) in wanted.items():
        properties = found[key]["Properties"]
        construct = "".join(part.capitalize() for part in function.name.split("-"))
        assert f"<{construct}Live>" in text(properties["Integration"]["Uri"])
        assert properties["Integration"]["TimeoutInMillis"] == 29_000
        assert properties["ApiKeyRequired"] is (assembly.spec.api.keys and not route.public)
        assert properties["RequestValidatorId"]


def test_a_body_is_checked_against_the_functions_own_schema(every_feature: Assembly) -> None:
    template = every_feature.template("service")
    method = methods(template)["POST", "/classify"]["Properties"]
    model = template.resources[method["RequestModels"]["application/json"]["Ref"]]["Properties"]
    assert model["Schema"] == {
        "$schema": "http://json-schema.org/draft-04/schema#",
        "title": "POST /classify",
        "allOf": [{"$ref": "#/definitions/Classify"}],
        "definitions": {
            "Classify": {
                "type": "object",
                "required": ["text"],
                "additionalProperties": False,
                "properties": {
                    "text": {"type": "string", "minLength": 1, "maxLength": 100_000},
                    "top_k": {"type": "integer", "minimum": 0, "exclusiveMinimum": True, "maximum": 18},
                    "model": {"$ref": "#/definitions/Model"},
                },
            },
            "Model": {"enum": ["bert"]},
        },
    }
    validator = template.resources[method["RequestValidatorId"]["Ref"]]["Properties"]
    assert validator["ValidateRequestBody"] is True


def test_every_documented_body_has_a_model(production: Assembly) -> None:
    document = json.loads((ROOT / "functions" / "openapi.json").read_text())
    found = methods(production.template("service"))
    for route, operations in document["paths"].items():
        for name, operation in operations.items():
            if "requestBody" in operation:
                assert found[name.upper(), route]["Properties"]["RequestModels"], route


def test_the_gateway_answers_in_the_shape_of_the_functions_errors(production: Assembly) -> None:
    from trending_core.problem import Problem  # noqa: PLC0415 -- pydantic

    answers = production.template("service").of_type("AWS::ApiGateway::GatewayResponse").values()
    statuses = {}
    for answer in answers:
        properties = answer["Properties"]
        body = properties["ResponseTemplates"]["application/json"]
        problem = Problem.model_validate_json(body)
        # Whatever the gateway puts there may hold quotes, and a template cannot escape them.
        assert set(re.findall(r"\$[A-Za-z.]+", body)) == {"$context.path", "$context.requestId"}
        parameters = properties["ResponseParameters"]
        assert parameters["gatewayresponse.header.Content-Type"] == "'application/problem+json'"
        assert parameters["gatewayresponse.header.X-Request-Id"] == "context.requestId"
        statuses[properties["ResponseType"]] = properties.get("StatusCode")
        assert properties.get("StatusCode", str(problem.status)) == str(problem.status)
    assert statuses["MISSING_AUTHENTICATION_TOKEN"] == "404"
    assert statuses["BAD_REQUEST_BODY"] == "422"
    assert statuses["THROTTLED"] == statuses["QUOTA_EXCEEDED"] == "429"
    assert statuses["INTEGRATION_TIMEOUT"] == "504"
    assert statuses["INVALID_API_KEY"] == "403"
    assert statuses["DEFAULT_4XX"] is statuses["DEFAULT_5XX"] is None


def test_production_asks_for_keys_counts_them_and_has_a_firewall(production: Assembly) -> None:
    template = production.template("service")
    api = production.spec.api
    _, plan = template.one("AWS::ApiGateway::UsagePlan")
    assert plan["Properties"]["Throttle"] == {"RateLimit": api.rate, "BurstLimit": api.burst}
    assert plan["Properties"]["Quota"] == {"Limit": api.quota_per_day, "Period": "DAY"}
    assert template.of_type("AWS::ApiGateway::UsagePlanKey")
    _, acl = template.one("AWS::WAFv2::WebACL")
    rules = {rule["Name"]: rule for rule in acl["Properties"]["Rules"]}
    common = rules["AWSManagedRulesCommonRuleSet"]["Statement"]["ManagedRuleGroupStatement"]
    counted = {override["Name"]: override["ActionToUse"] for override in common["RuleActionOverrides"]}
    assert counted["SizeRestrictions_BODY"] == {"Count": {}}
    assert (
        rules["requests-per-address"]["Statement"]["RateBasedStatement"]["Limit"] == api.requests_per_address
    )
    _, association = template.one("AWS::WAFv2::WebACLAssociation")
    assert association["Properties"]["WebACLArn"]["Fn::GetAtt"][0] in template.of_type("AWS::WAFv2::WebACL")


@pytest.mark.parametrize("stage", ["dev", "staging"])
def test_other_stages_pay_for_no_firewall(synth: Synth, stage: str) -> None:
    assert not synth(stage).template("service").of_type("AWS::WAFv2::WebACL")


def test_the_stage_throttles_logs_and_traces_but_never_logs_bodies(every_feature: Assembly) -> None:
    template = every_feature.template("service")
    _, stage = template.one("AWS::ApiGateway::Stage")
    properties = stage["Properties"]
    assert properties["TracingEnabled"] is True
    everything = next(setting for setting in properties["MethodSettings"] if setting["ResourcePath"] == "/*")
    assert everything["DataTraceEnabled"] is False
    assert everything["LoggingLevel"] == "ERROR"
    assert (everything["ThrottlingRateLimit"], everything["ThrottlingBurstLimit"]) == (20, 40)
    line = properties["AccessLogSetting"]["Format"]
    assert '"requestId":"$context.requestId"' in line
    for personal in ("sourceIp", "userAgent", "querystring", "$input"):
        assert personal not in line


def test_only_the_route_that_says_so_is_cached_by_what_it_names(every_feature: Assembly) -> None:
    template = every_feature.template("service")
    _, stage = template.one("AWS::ApiGateway::Stage")
    properties = stage["Properties"]
    assert properties["CacheClusterEnabled"] is True
    assert properties["CacheClusterSize"] == "0.5"
    cached = {s["ResourcePath"]: s for s in properties["MethodSettings"] if s.get("CachingEnabled")}
    assert set(cached) == {"/~1trending"}
    assert cached["/~1trending"]["CacheTtlInSeconds"] == 30
    assert cached["/~1trending"]["CacheDataEncrypted"] is True
    integration = methods(template)["GET", "/trending"]["Properties"]["Integration"]
    assert integration["CacheKeyParameters"] == [
        "method.request.querystring.window",
        "method.request.querystring.genre",
        # The answer names the origin that may read it.
        "method.request.header.origin",
    ]


def test_pages_of_the_named_origin_may_call(every_feature: Assembly) -> None:
    template = every_feature.template("service")
    preflights = [
        method["Properties"]["Integration"]["IntegrationResponses"][0]["ResponseParameters"]
        for method in template.of_type("AWS::ApiGateway::Method").values()
        if method["Properties"]["HttpMethod"] == "OPTIONS"
    ]
    assert preflights
    for parameters in preflights:
        assert parameters["method.response.header.Access-Control-Allow-Origin"] == "'https://example.com'"
    for answer in template.of_type("AWS::ApiGateway::GatewayResponse").values():
        header = answer["Properties"]["ResponseParameters"][
            "gatewayresponse.header.Access-Control-Allow-Origin"
        ]
        assert header == "'https://example.com'"


def test_a_domain_of_ones_own_replaces_the_gateways(every_feature: Assembly) -> None:
    template = every_feature.template("service")
    _, domain = template.one("AWS::ApiGateway::DomainName")
    assert domain["Properties"]["DomainName"] == "api.example.com"
    assert domain["Properties"]["SecurityPolicy"] == "TLS_1_2"
    assert template.one("AWS::ApiGateway::RestApi")[1]["Properties"]["DisableExecuteApiEndpoint"] is True
    _, record = template.one("AWS::Route53::RecordSet")
    assert record["Properties"]["Name"] == "api.example.com."
    assert template.body["Outputs"]["Url"]["Value"] == "https://api.example.com/"
