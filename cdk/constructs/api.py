"""The public REST API: the spec's routes to the aliases, and everything in front of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import aws_cdk as cdk
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_logs as logs
from aws_cdk import aws_route53 as route53
from aws_cdk import aws_route53_targets as targets
from constructs import Construct

from cdk.constructs.acknowledge import acknowledge
from cdk.constructs.firewall import Firewall
from cdk.constructs.function import log_retention
from cdk.constructs.gateway_responses import add_gateway_responses
from cdk.constructs.schemas import request_schema
from cdk.service import GATEWAY_TIMEOUT_S
from trending_core.cors import EXPOSED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cdk.constructs.function import ServiceFunction
    from cdk.service import Route, Service
    from cdk.stacks.place import Place

STAGE: Final = "v1"
ACCESS_FIELDS: Final = {
    "requestId": apigateway.AccessLogField.context_request_id(),
    "time": apigateway.AccessLogField.context_request_time_epoch(),
    "method": apigateway.AccessLogField.context_http_method(),
    "route": apigateway.AccessLogField.context_resource_path(),
    "status": apigateway.AccessLogField.context_status(),
    "bytes": apigateway.AccessLogField.context_response_length(),
    "ms": apigateway.AccessLogField.context_response_latency(),
    "integrationMs": apigateway.AccessLogField.context_integration_latency(),
    "error": apigateway.AccessLogField.context_error_response_type(),
    "apiKeyId": apigateway.AccessLogField.context_identity_api_key_id(),
    "trace": apigateway.AccessLogField.context_xray_trace_id(),
}
"""One line per request: no body, no query (it may hold personal data), no address, no key."""


class Api(Construct):
    """The REST API of one stage.

    Attributes
    ----------
    rest : aws_apigateway.RestApi
    url : str
        Where callers reach it.
    first_key_id : str or None
        The id, not the value, of the API key that comes with a stage that asks for keys.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        service: Service,
        place: Place,
        functions: Mapping[str, ServiceFunction],
        document: Mapping[str, Any],
    ) -> None:
        super().__init__(scope, id_)
        self._service, self._document = service, document
        settings, name = service.api, f"trending-now-{service.stage}"
        log = logs.LogGroup(
            self,
            "AccessLog",
            log_group_name=f"/aws/apigateway/{name}/access",
            retention=log_retention(service.log_days),
            removal_policy=cdk.RemovalPolicy.RETAIN if service.protected else cdk.RemovalPolicy.DESTROY,
        )
        routes = [(function, route) for function in service.functions for route in function.routes]
        self.rest = apigateway.RestApi(
            self,
            "Rest",
            rest_api_name=name,
            description="Trending Now",
            cloud_watch_role=False,  # a setting of the account, made once by the account stack
            disable_execute_api_endpoint=place.domain is not None,
            endpoint_configuration=apigateway.EndpointConfiguration(types=[apigateway.EndpointType.REGIONAL]),
            default_cors_preflight_options=self._cors(),
            deploy_options=apigateway.StageOptions(
                stage_name=STAGE,
                tracing_enabled=True,
                metrics_enabled=True,
                logging_level=apigateway.MethodLoggingLevel.ERROR,
                data_trace_enabled=False,  # would write request bodies to the log
                access_log_destination=apigateway.LogGroupLogDestination(log),
                access_log_format=apigateway.AccessLogFormat.custom(
                    cdk.Stack.of(self).to_json_string(ACCESS_FIELDS)
                ),
                throttling_rate_limit=settings.rate,
                throttling_burst_limit=settings.burst,
                cache_cluster_enabled=settings.cache_gb is not None,
                cache_cluster_size=settings.cache_gb,
                caching_enabled=False if settings.cache_gb else None,  # only routes that say so
                cache_data_encrypted=True if settings.cache_gb else None,
                method_options=self._method_options([route for _, route in routes]),
            ),
        )
        self.rest.node.try_remove_child(
            "Endpoint"
        )  # an output; the stack has its own, which knows the domain
        add_gateway_responses(self.rest, settings.origins)
        self._validators = {
            "body": self.rest.add_request_validator(
                "Body", validate_request_body=True, validate_request_parameters=True
            ),
            "parameters": self.rest.add_request_validator("Parameters", validate_request_parameters=True),
        }
        for function, route in routes:
            self._add_route(route, functions[function.name])
        self.first_key_id = self._usage_plan(name) if settings.keys else None
        if settings.firewall:
            stage = self.rest.deployment_stage
            Firewall(
                self,
                "Firewall",
                stage_arn=stage.stage_arn,
                name=name,
                per_address=settings.requests_per_address,
                log_days=service.log_days,
            )
        else:
            acknowledge(
                self,
                "The firewall costs some 10 USD a month standing still; this stage has callers we know.",
                "AwsSolutions-APIG3",
            )
        self.url = self._domain(place) if place.domain else self.rest.url
        acknowledge(
            self,
            "A public service for programs: callers are told apart by API key and throttled; nobody signs in.",
            "AwsSolutions-APIG4",
            "AwsSolutions-COG4",
        )

    def _cors(self) -> apigateway.CorsOptions | None:
        origins = self._service.api.origins
        if not origins:
            return None
        return apigateway.CorsOptions(
            allow_origins=list(origins),
            allow_headers=["content-type", "idempotency-key", "prefer", "x-api-key"],
            expose_headers=list(EXPOSED),
            max_age=cdk.Duration.hours(1),
        )

    def _method_options(self, routes: list[Route]) -> dict[str, apigateway.MethodDeploymentOptions] | None:
        if self._service.api.cache_gb is None:
            return None
        return {
            f"{route.path}/{route.method}": apigateway.MethodDeploymentOptions(
                caching_enabled=True, cache_ttl=cdk.Duration.seconds(route.cache_s), cache_data_encrypted=True
            )
            for route in routes
            if route.cache_s
        }

    def _add_route(self, route: Route, target: ServiceFunction) -> None:
        resource = self.rest.root.resource_for_path(route.path) if route.path != "/" else self.rest.root
        schema = request_schema(self._document, route.method, route.path)
        models, validator = None, self._validators["parameters"]
        if schema is not None:
            model = self._model(_identifier(route), schema)
            models, validator = {"application/json": model}, self._validators["body"]
        cached = bool(route.cache_s and self._service.api.cache_gb)
        parameters = [f"method.request.path.{name}" for name in re.findall(r"\{([a-z_]+)\+?\}", route.path)]
        queries = [f"method.request.querystring.{name}" for name in route.cache_by] if cached else []
        if cached and self._service.api.origins:
            queries.append("method.request.header.origin")  # the answer names the origin that may read it
        resource.add_method(
            route.method,
            apigateway.LambdaIntegration(
                target.alias,
                allow_test_invoke=False,
                timeout=cdk.Duration.seconds(GATEWAY_TIMEOUT_S),
                cache_key_parameters=[*parameters, *queries] if cached else None,
            ),
            api_key_required=self._service.api.keys and not route.public,
            request_models=models,
            request_validator=validator,
            request_parameters={
                **dict.fromkeys(parameters, True),
                **dict.fromkeys(queries, False),
            },
        )

    def _model(self, identity: str, schema: dict[str, Any]) -> apigateway.IModel:
        """Make a model of a whole JSON Schema; the higher-level construct takes only a typed excerpt of the dialect."""
        model = apigateway.CfnModel(
            self,
            f"Model{identity}",
            rest_api_id=self.rest.rest_api_id,
            name=identity,
            content_type="application/json",
            schema=schema,
        )
        if deployment := self.rest.latest_deployment:
            deployment.node.add_dependency(model)
            deployment.add_to_logical_id({"model": schema})
        return apigateway.Model.from_model_name(self, f"ModelOf{identity}", model.ref)

    def _usage_plan(self, name: str) -> str:
        settings = self._service.api
        plan = self.rest.add_usage_plan(
            "Plan",
            name=name,
            throttle=apigateway.ThrottleSettings(rate_limit=settings.rate, burst_limit=settings.burst),
            quota=apigateway.QuotaSettings(limit=settings.quota_per_day, period=apigateway.Period.DAY)
            if settings.quota_per_day
            else None,
            api_stages=[apigateway.UsagePlanPerApiStage(api=self.rest, stage=self.rest.deployment_stage)],
        )
        key = self.rest.add_api_key(
            "Key", api_key_name=f"{name}-first", description="The first caller; one key each"
        )
        plan.add_api_key(key)
        return key.key_id

    def _domain(self, place: Place) -> str:
        domain = apigateway.DomainName(
            self,
            "Domain",
            domain_name=str(place.domain),
            certificate=acm.Certificate.from_certificate_arn(self, "Certificate", str(place.certificate_arn)),
            endpoint_type=apigateway.EndpointType.REGIONAL,
            security_policy=apigateway.SecurityPolicy.TLS_1_2,
            mapping=self.rest,
        )
        if place.hosted_zone_id:
            route53.ARecord(
                self,
                "Record",
                zone=route53.HostedZone.from_hosted_zone_attributes(
                    self, "Zone", hosted_zone_id=place.hosted_zone_id, zone_name=str(place.hosted_zone_name)
                ),
                record_name=place.domain,
                target=route53.RecordTarget.from_alias(targets.ApiGatewayDomain(domain)),
            )
        return f"https://{place.domain}/"


def _identifier(route: Route) -> str:
    words = re.findall(r"[a-z0-9]+", f"{route.method.lower()} {route.path}")
    return "".join(word.capitalize() for word in words)
