"""How long a page of `/trending` takes, and what it reads, with few and with many items: ``python -m tests.bench.trending_bench``.

Everything of a request but the network is in it: the handler's routes, the store, boto3, the emulator as a process. The first
five pages are read in turn from both tables, so that whatever else the machine does meets both alike; the figure is the median.
"""

from __future__ import annotations

import argparse
import io
import os
import statistics
import sys
import tempfile
import time
import warnings
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cdk.local.emulator import Emulator
from functions.trending.routes import build_app
from functions.trending.service import TrendingService
from tests.support.gateway import Context, proxy_event, read
from tests.support.ranked import fill_table
from tests.support.stores import NOW, dynamo_store
from trending_core.http import handle

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

    from trending_core.http import App
    from trending_core.store_dynamodb import DynamoItemStore

PAGES: Final = 5
LIMIT: Final = 20
DESCRIBED: Final = 500
"""Items that have their own row: more than the pages show."""


def pages(app: App) -> list[float]:
    """Read the first pages; give the milliseconds of each."""
    taken = []
    query = {"limit": str(LIMIT)}
    for _ in range(PAGES):
        event: dict[str, Any] = proxy_event("GET", "/trending")
        event["queryStringParameters"] = query
        event["multiValueQueryStringParameters"] = {name: [value] for name, value in query.items()}
        started = time.perf_counter()
        with redirect_stdout(io.StringIO()):  # log lines and metrics
            answer = read(handle(app, event, Context()))  # type: ignore[arg-type]  # as much of a context as is read
        taken.append((time.perf_counter() - started) * 1000)
        if answer.status != 200 or len(answer.body["entries"]) != LIMIT:
            message = f"a page went wrong: {answer.text[:300]}"
            raise RuntimeError(message)
        query["cursor"] = answer.body["next"]
    return taken


def count_reads(client: DynamoDBClient, app: App) -> tuple[int, float]:
    """Count the rows and the capacity units that DynamoDB says the pages' queries read."""
    rows, units = [], []

    def ask(params: dict[str, Any], **_: object) -> None:
        params["ReturnConsumedCapacity"] = "TOTAL"

    def note(parsed: dict[str, Any], **_: object) -> None:
        rows.append(parsed["ScannedCount"])
        units.append(parsed["ConsumedCapacity"]["CapacityUnits"])

    client.meta.events.register("provide-client-params.dynamodb.Query", ask)
    client.meta.events.register("after-call.dynamodb.Query", note)
    pages(app)
    client.meta.events.unregister("provide-client-params.dynamodb.Query", ask)
    client.meta.events.unregister("after-call.dynamodb.Query", note)
    return sum(rows), sum(units)


def app_of(store: DynamoItemStore) -> App:
    """Make the function's application on a store, at the moment the rows were made for."""
    return build_app(TrendingService(store, now=lambda: NOW))


def main() -> None:
    """Fill two tables, read both, print."""
    parser = argparse.ArgumentParser(description="Time and reads of /trending, few items against many.")
    parser.add_argument("--few", type=int, default=1_000)
    parser.add_argument("--many", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=60)
    given = parser.parse_args()
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": "us-east-1",
        "POWERTOOLS_LOG_LEVEL": "CRITICAL",
    }
    warnings.simplefilter("ignore")  # Powertools' about metrics flushed by a request before
    with (
        tempfile.TemporaryDirectory() as folder,
        Emulator(Path(folder)) as emulator,
        dynamo_store(emulator.endpoint_url) as (few, few_client),
        dynamo_store(emulator.endpoint_url) as (many, many_client),
    ):
        fill_table(few_client, few._table, given.few, described=DESCRIBED)
        fill_table(many_client, many._table, given.many, described=DESCRIBED)
        apps = {given.few: app_of(few), given.many: app_of(many)}
        for app in apps.values():
            pages(app)
        times: dict[int, list[float]] = {given.few: [], given.many: []}
        for _ in range(given.rounds):
            for count, app in apps.items():
                times[count] += pages(app)
        reads = {
            given.few: count_reads(few_client, apps[given.few]),
            given.many: count_reads(many_client, apps[given.many]),
        }
    for count, taken in times.items():
        rows, units = reads[count]
        sys.stdout.write(
            f"{count:>8,} items: median {statistics.median(taken):6.2f} ms a page; "
            f"{PAGES} pages read {rows} rows, {units:g} capacity units\n"
        )
    ratio = statistics.median(times[given.many]) / statistics.median(times[given.few])
    sys.stdout.write(f"ratio of times {ratio:.2f}\n")


if __name__ == "__main__":
    main()
