"""What each kind of alarm says and what to do when it rings: the text of its description and of the guide's table.

The alarms of a function's own metrics bring their text with them (`cdk.service.MetricAlarm`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cdk.service import MetricAlarm


@dataclass(frozen=True, slots=True)
class Meaning:
    """A sentence for what an alarm says, and one for what to do."""

    says: str
    do: str

    @property
    def text(self) -> str:
        """Both, as an alarm's description."""
        return f"{self.says} To do: {self.do}"


_MOVED_BACK: Final = (
    "Nothing at once, CodeDeploy moves back; read what the version logged before the next try."
)

MEANINGS: Final = {
    "errors": Meaning(
        "More than the spec's share of invocations failed in 3 of 5 minutes (at least 5 a minute).",
        "Look for ERROR in the function's log group; if it began with a rollout, roll back; else look at what it depends "
        "on (table, secret, language model).",
    ),
    "p99": Meaning(
        "The 99th percentile of the duration lies above the spec's limit in 3 of 5 minutes.",
        "Look at the dashboard for cold starts (spillover), a slower version or longer texts; raise memory or provisioned "
        "concurrency.",
    ),
    "throttles": Meaning(
        "An invocation was refused for lack of concurrency.",
        "Compare with the reserved concurrency and the account's limit; raise the limit, or lower the API's rate.",
    ),
    "spillover": Meaning(
        "Provisioned environments did not suffice in 3 of 5 minutes, so callers met cold starts.",
        "Raise provisioned_max, or schedule more for this hour.",
    ),
    "version-errors": Meaning(
        "The version that a rollout moves to fails more often than the spec allows.", _MOVED_BACK
    ),
    "version-any-error": Meaning(
        "An invocation of the version that a rollout moves to failed; its function has no routes, so one is enough.",
        _MOVED_BACK,
    ),
    "version-failures": Meaning(
        "The version that a rollout moves to answers 5xx more often than the spec allows; to Lambda itself that is a "
        "success.",
        _MOVED_BACK,
    ),
    "version-p99": Meaning(
        "The version that a rollout moves to is slower than the spec allows.", _MOVED_BACK
    ),
    "version-canary": Meaning(
        "One of the alarms of the version that a rollout moves to rings, so CodeDeploy stops the rollout.",
        "Tell its author; the alarms of the same version say which limit it broke.",
    ),
    "dead-letters": Meaning(
        "A message failed as often as it may.",
        "Read it (aws sqs receive-message), mend the cause, then redrive it (aws sqs start-message-move-task).",
    ),
    "age": Meaning(
        "The oldest message has waited for more than 15 minutes, for 5 minutes.",
        "The reader fails or is too slow: its errors and throttles say which; raise its concurrency.",
    ),
    "api-5xx": Meaning(
        "More than 1 % of the API's answers are 5xx in 3 of 5 minutes.",
        "If a function's errors ring too, begin there; else the access log's field error names the gateway's reason.",
    ),
}


def own(alarm: MetricAlarm) -> Meaning:
    """Give the meaning of an alarm that the spec brings."""
    return Meaning(alarm.meaning, alarm.remedy)


def own_version(alarm: MetricAlarm) -> Meaning:
    """Give the meaning of the same alarm on the version that a rollout moves to."""
    return Meaning(f"On the version that a rollout moves to: {alarm.meaning}", _MOVED_BACK)
