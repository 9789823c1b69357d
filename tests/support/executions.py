"""Step Functions in tests that need no engine: executions by name, and the steps of one walked in this process."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from functions.classification.uploads.messages import write_message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from functions.classification.uploads.progress import Progress
    from functions.classification.uploads.steps import Steps
    from functions.classification.uploads.upload import Upload
    from tests.support.uploads import Depot

FOREVER_MS = 900_000


@dataclass
class Engine:
    """Starts executions as Step Functions does, and leaves them to the test.

    Attributes
    ----------
    inputs : dict
        Name to input of every execution, in the order of their starts.
    ended : set of str
        Names of those that have ended.
    """

    inputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)

    def start_execution(self, *, stateMachineArn: str, name: str, input: str) -> Any:  # noqa: A002, N803 -- boto3's
        assert stateMachineArn
        if name in self.ended or self.inputs.get(name, json.loads(input)) != json.loads(input):
            raise ClientError({"Error": {"Code": "ExecutionAlreadyExists"}}, "StartExecution")
        self.inputs[name] = json.loads(input)
        return {}

    @property
    def running(self) -> list[str]:
        return [name for name in self.inputs if name not in self.ended]

    def stop(self) -> None:
        """End what runs, as a person may."""
        self.ended.update(self.inputs)

    def run(
        self, steps: Steps, read: Callable[[str], bytes], *, remaining_ms: Callable[[], int] | None = None
    ) -> list[dict[str, Any]]:
        """Walk every execution that runs to its end; give what their last steps answered.

        What a step raises is raised, and the execution goes on running: who calls again asks for its steps again.
        """
        return [self._walk(name, steps, read, remaining_ms or (lambda: FOREVER_MS)) for name in self.running]

    def _walk(
        self, name: str, steps: Steps, read: Callable[[str], bytes], remaining_ms: Callable[[], int]
    ) -> dict[str, Any]:
        given = self.inputs[name]
        upload = {key: given[key] for key in ("upload", "generation")}
        for batch in batches(given, read):
            left = 1
            while left:
                answer = steps.take({"step": "classify", **upload, **batch}, remaining_ms=remaining_ms)
                left = answer["left"]
                if answer["stopped"]:
                    failure = {"Error": "States.ExceedToleratedFailureThreshold", "Cause": "too many"}
                    end = steps.take({"step": "fail", **upload, "error": failure}, remaining_ms=remaining_ms)
                    self.ended.add(name)
                    return end
        end = steps.take({"step": "publish", **upload}, remaining_ms=remaining_ms)
        self.ended.add(name)
        return end


def batches(given: dict[str, Any], read: Callable[[str], bytes]) -> Iterator[dict[str, int]]:
    """Read an execution's list of batches."""
    yield from json.loads(read(given["batches"]))


def by_map(depot: Depot, **options: Any) -> None:
    """Lay out what is announced, walk its executions."""
    depot.drain(depot.batches(map_bytes=0), **options)
    depot.engine.run(depot.steps(), depot.read)


def record(depot: Depot, upload: Upload) -> Progress:
    found = depot.table().get(upload.id)
    assert found is not None
    return found


def send(depot: Depot, upload: Upload, *, again: bool = False) -> None:
    attributes: Any = {"again": {"DataType": "String", "StringValue": "yes"}} if again else {}
    depot.sqs.send_message(
        QueueUrl=depot.names["queue"], MessageBody=write_message(upload), MessageAttributes=attributes
    )
