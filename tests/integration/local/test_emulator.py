"""The emulator as a child process: it comes up, keeps its state, and never outlives who started it."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psutil
import pytest

from cdk.local import emulator as emulator_module
from cdk.local.emulator import HOST, Emulator, EmulatorError
from cdk.local.emulator_child import WAITS
from cdk.local.resources import make_table
from cdk.service import SpecError
from tests.support.local import alive, eventually
from tests.support.stores import ITEMS, NOW, draft, dynamo_store, enrichment, event, session

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mypy_boto3_dynamodb.client import DynamoDBClient


def client_of(emulator: Emulator) -> DynamoDBClient:
    return session().client("dynamodb", endpoint_url=emulator.endpoint_url)


def tables(emulator: Emulator) -> list[str]:
    client = client_of(emulator)
    try:
        return client.list_tables()["TableNames"]
    finally:
        client.close()


def test_items_survive_a_restart_and_fresh_forgets_them(tmp_path: Path, aws_environment: None) -> None:
    with Emulator(tmp_path / "aws") as emulator, dynamo_store(emulator.endpoint_url) as (store, client):
        store.complete(draft(), enrichment(), NOW)
        store.record("salt-road", [event("salt-road", "e1")])
        make_table(client, ITEMS)
        rows = client.scan(TableName=store._table)["Items"]
        for row in rows:
            client.put_item(TableName=ITEMS.name, Item=row)
    with Emulator(tmp_path / "aws") as emulator:
        client = client_of(emulator)
        make_table(client, ITEMS)
        again = client.scan(TableName=ITEMS.name)["Items"]
        client.close()
        assert sorted(again, key=str) == sorted(rows, key=str)
        assert len(again) == 8  # item, texts, three rankings, a marker, two lists of epochs
    with Emulator(tmp_path / "aws", fresh=True) as emulator:
        assert tables(emulator) == []


def test_a_table_of_another_layout_is_refused(tmp_path: Path, aws_environment: None) -> None:
    with Emulator(tmp_path) as emulator:
        client = client_of(emulator)
        make_table(client, ITEMS)
        other = type(ITEMS)(name=ITEMS.name)
        with pytest.raises(SpecError, match="another layout"):
            make_table(client, other)
        client.close()


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(EmulatorError, match=f"port {port} .* is taken"):
            Emulator(tmp_path, port=port).start()


def test_a_port_that_somebody_takes_while_it_starts_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        lost = taken.getsockname()[1]
        chosen = iter([lost])
        choose = emulator_module._free_port
        monkeypatch.setattr(
            emulator_module, "_free_port", lambda host, wanted: next(chosen, None) or choose(host, wanted)
        )
        with Emulator(tmp_path) as emulator:
            assert next(chosen, None) is None
            assert not emulator.endpoint_url.endswith(f":{lost}")
            assert emulator._answers()


def test_a_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EmulatorError, match="cannot be used"):
        Emulator(tmp_path / "file").start()


def test_stopping_leaves_no_process(tmp_path: Path) -> None:
    emulator = Emulator(tmp_path)
    emulator.start()
    pid = emulator.pid
    assert pid is not None
    assert psutil.pid_exists(pid)
    emulator.stop()
    assert not psutil.pid_exists(pid)
    emulator.stop()


@contextmanager
def started_elsewhere(folder: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Start an emulator in another process and make a table in it; give that process, and the emulator's id."""
    script = f"""
import sys, time
from pathlib import Path
from cdk.local.emulator import Emulator
emulator = Emulator(Path({str(folder)!r}))
emulator.start()
print(emulator.pid, emulator.endpoint_url, flush=True)
time.sleep(600)
"""
    starter = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env={**os.environ}
    )
    with starter:
        try:
            assert starter.stdout is not None
            pid, url = starter.stdout.readline().split()
            client = session().client("dynamodb", endpoint_url=url)
            make_table(client, ITEMS)
            client.close()
            yield starter, int(pid)
        finally:
            starter.kill()


def test_it_saves_and_ends_when_its_starter_is_killed(tmp_path: Path, aws_environment: None) -> None:
    with started_elsewhere(tmp_path) as (starter, pid):
        starter.kill()
        # It is nobody's child any more, and where nobody collects it, it stays as a zombie.
        assert eventually(lambda: not alive(pid))
    with Emulator(tmp_path) as again:
        assert tables(again) == [ITEMS.name]


@pytest.mark.parametrize("fresh", [False, True])
def test_the_next_one_waits_until_one_that_was_left_behind_has_saved_its_state(
    tmp_path: Path, aws_environment: None, fresh: bool
) -> None:
    marker, again = tmp_path / "marker", Emulator(tmp_path, fresh=fresh)
    with started_elsewhere(tmp_path) as (starter, pid), ThreadPoolExecutor(1) as executor:
        marker.touch()
        # As long as it is stopped it can neither save nor end.
        os.kill(pid, signal.SIGSTOP)
        try:
            starter.kill()
            starter.wait()
            starting = executor.submit(again.start)
            assert eventually(lambda: WAITS in again.log.read_text() or starting.done())
            assert not starting.done()
            assert marker.exists()
        finally:
            os.kill(pid, signal.SIGCONT)
        try:
            starting.result()
            assert not alive(pid)
            assert tables(again) == ([] if fresh else [ITEMS.name])
            assert marker.exists() is not fresh
        finally:
            again.stop()


def test_an_end_that_nobody_asked_for_is_said(tmp_path: Path) -> None:
    with Emulator(tmp_path) as emulator:
        assert emulator.failure() is None
        assert emulator.pid is not None
        os.kill(emulator.pid, signal.SIGKILL)
        assert eventually(lambda: emulator.failure() is not None)
        assert str(emulator.failure()).startswith("the AWS emulator ended unasked with status -9; ")
    assert emulator.failure() is None


def test_it_answers_on_the_loopback_interface_only(tmp_path: Path) -> None:
    with Emulator(tmp_path) as emulator:
        assert emulator.endpoint_url.startswith("http://127.0.0.1:")
        listening = [
            connection.laddr.ip
            for connection in psutil.Process(emulator.pid).net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN
        ]
        assert set(listening) == {HOST}
        connection = http.client.HTTPConnection(
            HOST, int(emulator.endpoint_url.rpartition(":")[2]), timeout=60
        )
        connection.request("GET", "/_ministack/health")
        assert connection.getresponse().status == http.client.OK
        connection.close()
