"""The whole service at one stage, and the checks that no single part of it can make."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from cdk.service.api import Api
from cdk.service.data import Bucket, Queue, Resource, Secret, Table
from cdk.service.functions import QueueEvent
from cdk.service.limits import QUEUE_VISIBILITY_FACTOR, SpecError
from cdk.service.upload_map import UploadMap

if TYPE_CHECKING:
    from cdk.service.functions import Function, Grant

METRICS_NAMESPACE: Final = "TrendingNow"
_MAY: dict[type, frozenset[str]] = {
    Table: frozenset({"read", "write", "add", "delete"}),
    Bucket: frozenset({"read", "write"}),
    Queue: frozenset({"send", "bury"}),
    Secret: frozenset({"read"}),
    UploadMap: frozenset({"start"}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """All of it, for one stage.

    Parameters
    ----------
    log_days : int
        Days that logs are kept.
    protected : bool
        Data outlives the stack: deletion protection on tables, buckets and secrets retained.
    """

    stage: str
    functions: tuple[Function, ...]
    tables: tuple[Table, ...] = ()
    buckets: tuple[Bucket, ...] = ()
    queues: tuple[Queue, ...] = ()
    secrets: tuple[Secret, ...] = ()
    state_machines: tuple[UploadMap, ...] = ()
    api: Api = field(default_factory=Api)
    log_days: int = 30
    protected: bool = False

    def __post_init__(self) -> None:
        names = [function.name for function in self.functions]
        if twice := {name for name in names if names.count(name) > 1}:
            message = f"function {sorted(twice)[0]} is defined twice"
            raise SpecError(message)
        routes = [(r.method, r.path) for function in self.functions for r in function.routes]
        if taken := {route for route in routes if routes.count(route) > 1}:
            message = f"route {' '.join(sorted(taken)[0])} leads to two functions"
            raise SpecError(message)
        everything = [*names, *(thing.name for thing in (*self.resources, *self.state_machines))]
        if shared := {name for name in everything if everything.count(name) > 1}:
            message = f"the name {sorted(shared)[0]} stands for two things"
            raise SpecError(message)
        for function in self.functions:
            if given := sorted(set(self._given(function)) & {*function.environment, *_variables(function)}):
                message = f"{function.name}: environment variable {given[0]} is set by the service for every function"
                raise SpecError(message)
            for grant in function.grants:
                self._check_grant(function, grant)
            for event in function.events:
                if isinstance(event, QueueEvent):
                    self._check_queue_event(function, event)
        self._check_data()

    @property
    def resources(self) -> tuple[Resource, ...]:
        """Everything that keeps data."""
        return (*self.tables, *self.buckets, *self.queues, *self.secrets)

    @property
    def metrics_namespace(self) -> str:
        """CloudWatch namespace of the functions' own metrics: one a stage, so that stages of one account share no alarm."""
        return f"{METRICS_NAMESPACE}/{self.stage}"

    def environment(self, function: Function) -> dict[str, str]:
        """Give a function's plain variables: its own, and those that every function gets. Its grants' come on top."""
        return {**self._given(function), **function.environment}

    def function(self, name: str) -> Function:
        """Find a function by name.

        Raises
        ------
        SpecError
            If there is none of that name.
        """
        for function in self.functions:
            if function.name == name:
                return function
        known = ", ".join(function.name for function in self.functions)
        message = f"unknown function {name!r}; the service has: {known}"
        raise SpecError(message)

    def queue(self, name: str) -> Queue:
        """Find a queue by name.

        Raises
        ------
        SpecError
            If there is none of that name.
        """
        for queue in self.queues:
            if queue.name == name:
                return queue
        known = ", ".join(queue.name for queue in self.queues) or "no queue"
        message = f"unknown queue {name!r}; the service has: {known}"
        raise SpecError(message)

    def _given(self, function: Function) -> dict[str, str]:
        origins = {"ALLOWED_ORIGINS": ",".join(self.api.origins)} if self.api.origins else {}
        receives = {
            self.queue(event.queue).max_receives for event in function.events if isinstance(event, QueueEvent)
        }
        if len(receives) > 1:
            message = f"{function.name}: its queues differ in max_receives, and it is told one number"
            raise SpecError(message)
        return {
            "POWERTOOLS_SERVICE_NAME": function.name,
            "POWERTOOLS_METRICS_NAMESPACE": self.metrics_namespace,
            **(origins if function.routes else {}),
            **({"QUEUE_MAX_RECEIVES": str(receives.pop())} if receives else {}),
        }

    def _check_grant(self, function: Function, grant: Grant) -> None:
        for thing in (*self.resources, *self.state_machines):
            if thing.name == grant.to:
                allowed = _MAY[type(thing)]
                break
        else:
            target = self.function(grant.to)
            allowed = frozenset({"invoke"})
            if target.name == function.name:
                message = f"{function.name}: a function that may invoke itself can run for ever"
                raise SpecError(message)
        if wrong := sorted(set(grant.can) - allowed):
            message = f"{function.name}: {wrong[0]} is nothing that can be done with {grant.to}"
            raise SpecError(message)
        if grant.under and grant.to not in {bucket.name for bucket in self.buckets}:
            message = f"{function.name}: {grant.to} is no bucket and has no prefixes"
            raise SpecError(message)

    def _check_data(self) -> None:
        for bucket in self.buckets:
            for notification in bucket.notifications:
                self.queue(notification.queue)
        for machine in self.state_machines:
            self._check_state_machine(machine)

    def _check_state_machine(self, machine: UploadMap) -> None:
        function = self.function(machine.function)
        if machine.bucket not in {bucket.name for bucket in self.buckets}:
            message = f"state machine {machine.name}: {machine.bucket!r} is no bucket of the service"
            raise SpecError(message)
        reserved = function.reserved_concurrency
        if reserved is not None and reserved < machine.max_concurrency:
            message = (
                f"state machine {machine.name}: {machine.max_concurrency} batches at once exceed the reserved "
                f"concurrency {reserved} of {function.name}"
            )
            raise SpecError(message)

    def _check_queue_event(self, function: Function, event: QueueEvent) -> None:
        queue = self.queue(event.queue)
        if queue.visibility_s < QUEUE_VISIBILITY_FACTOR * function.timeout_s:
            message = (
                f"queue {queue.name}: visibility of {queue.visibility_s} s is below "
                f"{QUEUE_VISIBILITY_FACTOR} times the {function.timeout_s} s of {function.name}"
            )
            raise SpecError(message)


def _variables(function: Function) -> list[str]:
    return [grant.variable for grant in function.grants]
