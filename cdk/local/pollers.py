"""SQS as an event source: messages of a queue invoke a function, as Lambda's event source mapping does it.

Owns receiving, the event, the reading of a partial batch response, and which messages are deleted. A message that is
not deleted comes back after the queue's visibility timeout, and goes to the dead-letter queue by the queue's own redrive
policy. Must not know what a message says, nor how the function runs.
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from cdk.local.errors import LocalServiceError, ThrottledError
from cdk.local.invocation import ACCOUNT, REGION
from cdk.local.pool import QUEUE_WAIT_S
from cdk.service import QueueEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mypy_boto3_sqs.client import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

    from cdk.local.aws import AwsCompanion
    from cdk.local.function import Functions, LocalFunction
    from cdk.local.invocation import InvocationResult
    from cdk.service import Service

T = TypeVar("T")

WAIT_S: Final = 2
"""Seconds of a long poll; Lambda's are 20, but here a stop waits for the poll to end."""
POLLERS: Final = 2
"""Polls at the same time where the event has no concurrency of its own; Lambda begins with five."""
PAUSE_S: Final = 1.0
"""Seconds until a queue that failed to answer is asked again; doubles up to `MAX_PAUSE_S`."""
MAX_PAUSE_S: Final = 30.0
THROTTLED_S: Final = 5
"""Seconds until a batch is tried again that no environment was free for."""
_LOG: Final = logging.getLogger(__name__)


class QueuePoller:
    """Invokes one function with the messages of one queue.

    Workflow: `start` with the running functions; `stop` waits a while for the batches that are under way.

    Parameters
    ----------
    function : str
        The function's name.
    event : QueueEvent
        Queue, batch size and concurrency.
    connect : callable
        Gives the SQS client and the queue's URL; called at `start`, when the queue exists.
    retry_s : float
        Seconds after the receipt of a batch within which it may be given to the function: later the queue would hand it
        out again before the function is done. Until then a throttled batch is tried again, as Lambda does it, so that
        its messages are not counted as delivered in vain.
    wait_s : int
        Seconds of a long poll.
    """

    def __init__(
        self,
        function: str,
        event: QueueEvent,
        connect: Callable[[], tuple[SQSClient, str]],
        *,
        retry_s: float,
        wait_s: int = WAIT_S,
    ) -> None:
        self.name = f"the poller of queue {event.queue}"
        self._function = function
        self._event = event
        self._connect = connect
        self._retry_s = retry_s
        self._wait_s = wait_s
        self._stopping = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._pollers = event.max_concurrency or POLLERS
        # Polls wait for seconds each; in the loop's own threads they would keep others from working.
        self._threads = ThreadPoolExecutor(self._pollers, thread_name_prefix=f"poller-{event.queue}")

    async def start(self, functions: Functions) -> None:
        """Begin to poll."""
        client, url = await self._in_thread(self._connect)
        function = functions[self._function]
        for _ in range(self._pollers):
            task = asyncio.create_task(self._poll(client, url, function))
            task.add_done_callback(self._ended)
            self._tasks.append(task)

    async def stop(self, grace_s: float) -> None:
        """Take no more messages, and wait for the polls and batches that are under way.

        Parameters
        ----------
        grace_s : float
            Seconds after which a batch is given up. Its messages are not deleted, so they are delivered again, as they are
            on AWS when a function fails; here at once, not after the visibility timeout.
        """
        self._stopping.set()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=grace_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        self._threads.shutdown()

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            _LOG.error("%s has ended: %s: %s", self.name, type(error).__name__, error)

    async def _in_thread(self, work: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, partial(work, *arguments))

    async def _poll(self, client: SQSClient, url: str, function: LocalFunction) -> None:
        pause_s = PAUSE_S
        while not self._stopping.is_set():
            try:
                messages = await self._take(client, url)
                if messages and self._stopping.is_set():
                    await self._in_thread(_release, client, url, messages, 0)
                elif messages:
                    await self._work(client, url, function, messages)
                pause_s = PAUSE_S
            except _failures() as error:
                _LOG.warning("%s: %s; trying again in %g s", self.name, error, pause_s)
                await self._pause(pause_s)
                pause_s = min(2 * pause_s, MAX_PAUSE_S)

    async def _take(self, client: SQSClient, url: str) -> list[MessageTypeDef]:
        """Receive; when nobody waits any more, what is received all the same goes back."""
        receiving = asyncio.ensure_future(self._in_thread(self._receive, client, url))
        try:
            return await asyncio.shield(receiving)
        except asyncio.CancelledError:
            if messages := await receiving:
                await self._in_thread(_release, client, url, messages, 0)
            raise

    async def _pause(self, seconds: float) -> None:
        """Wait, but not longer than until the stop."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    def _receive(self, client: SQSClient, url: str) -> list[MessageTypeDef]:
        answer = client.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=self._event.batch_size,
            WaitTimeSeconds=self._wait_s,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        return answer.get("Messages", [])

    async def _work(
        self, client: SQSClient, url: str, function: LocalFunction, messages: Sequence[MessageTypeDef]
    ) -> None:
        """Invoke the function with a batch and delete the messages that it is done with."""
        payload = json.dumps(sqs_event(self._event.queue, messages)).encode()
        try:
            result = await self._invoke(function, payload)
        except asyncio.CancelledError:
            _LOG.warning(
                "%s: a batch of %d that is not done goes back to the queue", self.name, len(messages)
            )
            await self._in_thread(_release, client, url, messages, 0)
            raise
        except LocalServiceError as error:
            _LOG.warning("%s: %s; its messages return to the queue", self.name, error)
            seconds = 0 if self._stopping.is_set() else THROTTLED_S
            await self._in_thread(_release, client, url, messages, seconds)
            return
        if result.error_type is not None:
            _LOG.warning("%s: %s failed with %s", self.name, self._function, result.error_type)
            return
        ids = {message["MessageId"] for message in messages}
        failed = failed_ids(result.payload, ids)
        if failed:
            _LOG.warning("%s: %d of %d messages failed", self.name, len(failed), len(ids))
        done = [message for message in messages if message["MessageId"] not in failed]
        if done:
            await self._in_thread(_delete, client, url, done)

    async def _invoke(self, function: LocalFunction, payload: bytes) -> InvocationResult:
        """Invoke the function; where no environment is free, again until there is no time left or the poller stops."""
        clock = asyncio.get_running_loop().time
        latest = clock() + self._retry_s
        while True:
            try:
                return await function.invoke(payload)
            except ThrottledError as error:
                late = clock() + THROTTLED_S > latest
                if not late:
                    _LOG.warning("%s: %s; trying again in %d s", self.name, error, THROTTLED_S)
                    await self._pause(THROTTLED_S)
                if late or self._stopping.is_set():
                    raise


def queue_pollers(service: Service, aws: AwsCompanion) -> tuple[QueuePoller, ...]:
    """Make a poller for every queue event of the spec."""

    def connect(queue: str) -> tuple[SQSClient, str]:
        return aws.session().client("sqs", endpoint_url=aws.endpoint_url), aws.names[queue]

    visibility_s = {queue.name: queue.visibility_s for queue in service.queues}
    return tuple(
        QueuePoller(
            function.name,
            event,
            lambda queue=event.queue: connect(queue),  # type: ignore[misc]  # bound early
            retry_s=visibility_s[event.queue] - function.timeout_s - QUEUE_WAIT_S,
        )
        for function in service.functions
        for event in function.events
        if isinstance(event, QueueEvent)
    )


def sqs_event(queue: str, messages: Sequence[MessageTypeDef]) -> dict[str, list[dict[str, Any]]]:
    """Write messages as Lambda's SQS event.

    https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
    """
    return {
        "Records": [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": dict(message.get("Attributes", {})),
                "messageAttributes": {
                    name: _attribute(value) for name, value in message.get("MessageAttributes", {}).items()
                },
                "md5OfBody": message.get("MD5OfBody", ""),
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}",
                "awsRegion": REGION,
            }
            for message in messages
        ]
    }


def failed_ids(payload: bytes, ids: set[str]) -> set[str]:
    """Read a partial batch response.

    Nothing, or an empty list, means that all is done; whatever is not a partial batch response of this batch means that
    nothing is, as AWS has it.

    Parameters
    ----------
    payload : bytes
        The function's answer.
    ids : set of str
        The batch's message ids.
    """
    try:
        answer = json.loads(payload or b"null")
    except ValueError:
        return ids
    if answer is None:
        return set()
    if not isinstance(answer, dict):
        return ids
    entries = answer.get("batchItemFailures")
    if entries is None:
        return set()
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        return ids
    named = [entry.get("itemIdentifier") for entry in entries]
    return set(named) if all(isinstance(name, str) and name in ids for name in named) else ids


def _attribute(value: Mapping[str, Any]) -> dict[str, Any]:
    """Write a message attribute with the event's spelling, whose names begin with a small letter."""
    return {f"{name[0].lower()}{name[1:]}": content for name, content in value.items()}


def _delete(client: SQSClient, url: str, messages: Sequence[MessageTypeDef]) -> None:
    entries: Any = [
        {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
        for number, message in enumerate(messages)
    ]
    for failure in client.delete_message_batch(QueueUrl=url, Entries=entries).get("Failed", []):
        _LOG.warning(
            "a finished message could not be deleted and will be delivered again: %s", failure.get("Code")
        )


def _release(client: SQSClient, url: str, messages: Sequence[MessageTypeDef], seconds: int) -> None:
    """Let messages return after so many seconds instead of after the visibility timeout."""
    entries: Any = [
        {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": seconds}
        for number, message in enumerate(messages)
    ]
    client.change_message_visibility_batch(QueueUrl=url, Entries=entries)


def _failures() -> tuple[type[Exception], ...]:
    """Give what boto3 raises; the local service imports it only where there is a queue."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 -- see above

    return BotoCoreError, ClientError
