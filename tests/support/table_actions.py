"""Which actions of IAM the requests of a DynamoDB client need."""

from __future__ import annotations

import json
from typing import Any, Final

_PARTS: Final = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
}


def table_actions(client: Any) -> set[str]:
    """Make a client note the actions that its requests need; the set grows as it makes them.

    A transaction needs those of its parts.
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html
    """
    seen: set[str] = set()

    def note(params: dict[str, Any], model: Any, **_: Any) -> None:
        if model.name == "TransactWriteItems":
            parts = [next(iter(part)) for part in json.loads(params["body"])["TransactItems"]]
            seen.update(f"dynamodb:{_PARTS[part]}" for part in parts)
        else:
            seen.add(f"dynamodb:{model.name}")

    client.meta.events.register("before-call.dynamodb.*", note)
    return seen
