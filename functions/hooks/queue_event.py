"""The event that Lambda's SQS poller would send for a golden message.

https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
"""

from __future__ import annotations

import json
from typing import Any


def queue_event(body: object, *, message_id: str) -> dict[str, Any]:
    """Make the event of a batch of one message, delivered for the first time.

    Parameters
    ----------
    body : object
        Anything JSON; a text goes as it is.
    """
    return {
        "Records": [
            {
                "messageId": message_id,
                "receiptHandle": "golden",
                "body": body if isinstance(body, str) else json.dumps(body),
                "attributes": {
                    "ApproximateReceiveCount": "1",
                    "SentTimestamp": "0",
                    "SenderId": "golden",
                    "ApproximateFirstReceiveTimestamp": "0",
                },
                "messageAttributes": {},
                "md5OfBody": "",
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:golden",
                "awsRegion": "us-east-1",
            }
        ]
    }
