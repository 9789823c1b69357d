"""The state machine for large uploads: a Distributed Map over batches of rows, in the Amazon States Language.

One definition for AWS and for this machine. The function lays the rows out and starts an execution; each batch is a child
execution that asks the function to classify it; then the function is asked to publish. What a step does and answers is the
function's business (``functions.classification.uploads.steps``): here stand the order, the retries and where a failure goes.
https://docs.aws.amazon.com/step-functions/latest/dg/state-map-distributed.html

::

    Classify rows ── Distributed Map, one child execution a batch ──▶ Publish ──▶ How did it end? ──▶ Done / Failed
      │  Classify ──▶ How far? ─┬─▶ Batch done                          │              ▲
      │    ▲            │       └─▶ Batch stopped                       │              │
      │    └── left > 0 ┘                                               │              │
      │  (after the last try) Note ──▶ Batch failed                     │              │
      └──────────────────────── on a failure ───────────────────────────┴──▶ Give up ──┘
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from cdk.service.limits import SpecError, check_name

LABEL: Final = "ClassifyRows"
"""Of the Map: a part of its child executions' ARNs."""
BATCHES: Final = "work/"
"""Where the lists of batches lie in the bucket."""
MAX_CONCURRENCY: Final = 1_000
"""Lambda's concurrency of an account, before anybody has asked for more.
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""
MAX_TIMEOUT_S: Final = 31_536_000
"""A standard execution lives a year at most.
https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html"""
TRIES: Final = 6
"""Of a batch whose worker ends, times out or raises: as many as without the state machine."""
THROTTLED_TRIES: Final = 20
"""Where Lambda has no room, or what the function depends on does not answer: waiting is all it takes."""
MAX_DELAY_S: Final = 60
_MARGIN_S: Final = 60
"""What a task may take beyond the function's own timeout: time to be invoked in."""
_BUSY: Final = (
    "Lambda.TooManyRequestsException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Unavailable",
    "Busy",
)
_UPLOAD: Final = {"upload.$": "$.upload", "generation.$": "$.generation"}

State = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadMap:
    """The state machine.

    Parameters
    ----------
    name : str
        What a function's grant names.
    function : str
        The function of the spec that takes the steps, always by its alias ``live``.
    bucket : str
        The bucket of the spec that holds the lists of batches.
    max_concurrency : int
        Batches at the same time, and so environments of the function.
    timeout_s : int
        Seconds after which an execution is ended.
    """

    name: str
    function: str
    bucket: str
    max_concurrency: int = 10
    timeout_s: int = 86_400

    def __post_init__(self) -> None:
        check_name("state machine", self.name)
        if not 1 <= self.max_concurrency <= MAX_CONCURRENCY:
            message = f"state machine {self.name}: {self.max_concurrency} batches at once is not within 1 to {MAX_CONCURRENCY}"
            raise SpecError(message)
        if not 1 <= self.timeout_s <= MAX_TIMEOUT_S:
            message = (
                f"state machine {self.name}: timeout of {self.timeout_s} s is not within 1 to {MAX_TIMEOUT_S}"
            )
            raise SpecError(message)

    def definition(self, *, function_arn: str, function_timeout_s: int, bucket: str) -> State:
        """Give the definition.

        Parameters
        ----------
        function_arn : str
            ARN of the function's alias.
        function_timeout_s : int
            Its timeout.
        bucket : str
            The bucket's name.
        """
        task = _Tasks(function_arn, function_timeout_s + _MARGIN_S)
        return {
            "Comment": "A large upload: its batches classified at the same time, then published",
            "StartAt": "Classify rows",
            "TimeoutSeconds": self.timeout_s,
            "States": {
                "Classify rows": self._map(task, bucket),
                "Publish": {
                    **task.state("publish", _UPLOAD),
                    "ResultSelector": _ENDED,
                    "ResultPath": "$.end",
                    "Catch": _GIVE_UP,
                    "Next": "How did it end?",
                },
                "Give up": {
                    **task.state("fail", {**_UPLOAD, "error.$": "$.error"}),
                    "ResultSelector": _ENDED,
                    "ResultPath": "$.end",
                    "Next": "How did it end?",
                },
                "How did it end?": {
                    "Type": "Choice",
                    "Choices": [{"Variable": "$.end.status", "StringEquals": "failed", "Next": "Failed"}],
                    "Default": "Done",
                },
                "Failed": {"Type": "Fail", "Error": "UploadFailed", "CausePath": "$.end.reason"},
                "Done": {"Type": "Pass", "InputPath": "$.end", "End": True},
            },
        }

    def _map(self, task: _Tasks, bucket: str) -> State:
        return {
            "Type": "Map",
            "Label": LABEL,
            "ItemReader": {
                "Resource": "arn:aws:states:::s3:getObject",
                "ReaderConfig": {"InputType": "JSON"},
                "Parameters": {"Bucket": bucket, "Key.$": "$.batches"},
            },
            "ItemSelector": {
                **_UPLOAD,
                "first.$": "$$.Map.Item.Value.first",
                "count.$": "$$.Map.Item.Value.count",
            },
            "MaxConcurrency": self.max_concurrency,
            # One batch that cannot be done is an upload that cannot be done: the others are not begun.
            "ToleratedFailurePercentage": 0,
            "ItemProcessor": {
                # Express children end after five minutes, and a batch may take several invocations.
                "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                "StartAt": "Classify",
                "States": _batch(task),
            },
            "ResultPath": None,
            "Catch": _GIVE_UP,
            "Next": "Publish",
        }


_ENDED: Final = {"status.$": "$.Payload.status", "reason.$": "$.Payload.reason"}
_GIVE_UP: Final = [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Give up"}]


@dataclass(frozen=True, slots=True)
class _Tasks:
    """Makes the states that invoke the function."""

    function_arn: str
    timeout_s: int

    def state(self, step: str, payload: State) -> State:
        return {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Parameters": {"FunctionName": self.function_arn, "Payload": {"step": step, **payload}},
            "TimeoutSeconds": self.timeout_s,
            "Retry": [
                _retry(_BUSY, interval_s=2, tries=THROTTLED_TRIES),
                _retry(("States.ALL",), interval_s=5, tries=TRIES),
            ],
        }


def _batch(task: _Tasks) -> dict[str, State]:
    """Give the states of a child execution; its output is empty, because those of all children must fit into 256 KiB."""
    chunks = {"first.$": "$.first", "count.$": "$.count"}
    return {
        "Classify": {
            **task.state("classify", {**_UPLOAD, **chunks}),
            "ResultSelector": {"left.$": "$.Payload.left", "stopped.$": "$.Payload.stopped"},
            "ResultPath": "$.progress",
            "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Note"}],
            "Next": "How far?",
        },
        "How far?": {
            "Type": "Choice",
            "Choices": [
                {"Variable": "$.progress.stopped", "BooleanEquals": True, "Next": "Batch stopped"},
                {"Variable": "$.progress.left", "NumericGreaterThan": 0, "Next": "Classify"},
            ],
            "Default": "Batch done",
        },
        "Batch done": {"Type": "Pass", "Result": {}, "End": True},
        "Batch stopped": {
            "Type": "Fail",
            "Error": "Stopped",
            "Cause": "Nothing more can come of the upload.",
        },
        "Note": {
            **task.state("note", {**_UPLOAD, **chunks, "tries": TRIES, "error.$": "$.error"}),
            "ResultPath": None,
            "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": None, "Next": "Batch failed"}],
            "Next": "Batch failed",
        },
        "Batch failed": {"Type": "Fail", "ErrorPath": "$.error.Error", "CausePath": "$.error.Cause"},
    }


def _retry(errors: tuple[str, ...], *, interval_s: int, tries: int) -> State:
    """Try again with growing pauses, drawn by chance so that those who were turned away together do not return together."""
    return {
        "ErrorEquals": list(errors),
        "IntervalSeconds": interval_s,
        "BackoffRate": 2,
        "MaxDelaySeconds": MAX_DELAY_S,
        "JitterStrategy": "FULL",
        "MaxAttempts": tries - 1,
    }
