"""AWS on this machine: ministack as a child process on a loopback port, its state in a folder.

It owns the process: start, readiness, stop. What is made in it belongs to `cdk.local.resources`. Must not know: functions.

ministack (https://pypi.org/project/ministack/) writes its state when it ends in an orderly way, and this module sees to
it that it does: on `Emulator.stop`, and when the service itself is killed (`cdk.local.emulator_child`). The next one
waits until that is done (`cdk.local.emulator_folder`). Only killing the emulator outright loses what was written since it
started.
"""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import time
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Self

import psutil

from cdk.local.emulator_child import FOLDER, FRESH
from cdk.local.emulator_folder import LOG, STOP_S
from cdk.local.emulator_states import LAMBDA_URL
from cdk.local.errors import ServeError
from cdk.local.invocation import ACCOUNT, REGION

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType

HOST: Final = "127.0.0.1"
PORT_TRIES: Final = 5
"""Ports tried where none is asked for: one that is free now may be taken when the emulator has started."""
READY_S: Final = STOP_S + 120.0
"""Seconds until the emulator must answer: one that a killed service left behind may have to save its state before, and
the first start compiles its modules."""
_POLL_S: Final = 0.05
_PROBE_S: Final = 2.0
_TAIL_BYTES: Final = 2_000
_KEPT: Final = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "TMP",
    "TEMP",
    "SYSTEMROOT",
    "COVERAGE_PROCESS_CONFIG",
)
"""Variables handed on; credentials and endpoints of a real account are not."""


class EmulatorError(ServeError):
    """The emulator does not start, or ended."""


class _PortLostError(EmulatorError):
    """Somebody else took the port between its choice and the emulator's start."""


class Emulator:
    """The emulator with its folder.

    Use it as a context manager, or call `start` and `stop`; both block.

    Parameters
    ----------
    folder : Path
        Where its state is kept and its log written.
    port : int
        Port on the loopback interface; 0 for a free one.
    fresh : bool
        Forget the state of earlier runs.
    host : str
        Address it listens on; containers reach Docker's bridge, not the loopback interface.
    settings : mapping of str to str
        Further variables of ministack, which win over those set here.
    """

    def __init__(
        self,
        folder: Path,
        *,
        port: int = 0,
        fresh: bool = False,
        host: str = HOST,
        settings: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._folder = folder.resolve()
        self._host, self._port = host, port
        self._settings = settings
        self._fresh = fresh
        self._lambda_url: str | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint_url(self) -> str:
        """What ``AWS_ENDPOINT_URL`` holds for a function, once started."""
        return f"http://{self._host}:{self._port}"

    @property
    def pid(self) -> int | None:
        """The process's id while it runs."""
        return self._process.pid if self._process else None

    @property
    def log(self) -> Path:
        """What the emulator printed since its last start."""
        return self._folder / LOG

    def start(self, *, lambda_url: str | None = None) -> None:
        """Start it and wait until it answers.

        Parameters
        ----------
        lambda_url : str or None
            Where the Lambda API answers that its Step Functions call; None for its own Lambda.

        Raises
        ------
        EmulatorError
            If the folder cannot be used or another emulator stays in it, the port is taken, or it does not answer in
            time.
        """
        self._lambda_url = lambda_url
        wanted, tries = self._port, 1 if self._port else PORT_TRIES
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unusable(error) from error
        while True:
            self._port = _free_port(self._host, wanted)
            tries -= 1
            try:
                self._start()
            except _PortLostError:
                if not tries:
                    raise
            else:
                return

    def _start(self) -> None:
        """Start it on the port chosen."""
        try:
            # An emulator that still ends there goes on to write into a file of its own.
            self.log.unlink(missing_ok=True)
            with self.log.open("wb") as log:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "cdk.local.emulator_child"],
                    env=self._environment(),
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    # Ctrl-C goes to the service, which stops the functions first.
                    start_new_session=True,
                )
        except OSError as error:
            raise self._unusable(error) from error
        try:
            self._await_ready(self._process)
        except BaseException:
            self.stop()
            raise

    def _unusable(self, error: OSError) -> EmulatorError:
        return EmulatorError(f"the AWS emulator's folder {self._folder} cannot be used: {error.strerror}")

    def stop(self) -> None:
        """Let it save its state and end; kill it if it does not in time. Does nothing when it is not running."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin:
            process.stdin.close()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def failure(self) -> EmulatorError | None:
        """Say why it is gone although nobody stopped it; None while it runs, and where it is not started."""
        process = self._process
        if process is None or process.poll() is None:
            return None
        return EmulatorError(
            f"the AWS emulator ended unasked with status {process.returncode}; the last line in {self.log}: "
            f"{self._last_words()}"
        )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        return kept | {
            FOLDER: str(self._folder),
            "BIND_HOST": self._host,
            "GATEWAY_PORT": str(self._port),
            "MINISTACK_REGION": REGION,
            "MINISTACK_ACCOUNT_ID": ACCOUNT,
            "PERSIST_STATE": "1",
            "STATE_DIR": str(self._folder / "state"),
            "S3_PERSIST": "1",
            "S3_DATA_DIR": str(self._folder / "s3"),
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "LOG_LEVEL": "WARNING",
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "PYTHONUNBUFFERED": "1",
            **({FRESH: "1"} if self._fresh else {}),
            **({LAMBDA_URL: self._lambda_url} if self._lambda_url else {}),
            **self._settings,
        }

    def _await_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + READY_S
        while True:
            if process.poll() is not None:
                message = (
                    f"the AWS emulator ended with status {process.returncode} at start: {self._last_words()}"
                )
                raise _PortLostError(message) if self._port_lost() else EmulatorError(message)
            if self._answers() and self._listens(process):
                return
            if time.monotonic() >= deadline:
                message = f"the AWS emulator did not answer within {READY_S:.0f} s: {self._last_words()}"
                raise EmulatorError(message)
            time.sleep(_POLL_S)

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=_PROBE_S)
        try:
            connection.request("GET", "/_ministack/ready")
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _listens(self, process: subprocess.Popen[bytes]) -> bool:
        """Tell whether it is this process that has the port: another emulator may have taken it first."""
        try:
            found = psutil.Process(process.pid).net_connections("tcp")
        except psutil.Error:
            return False
        return any(one.status == psutil.CONN_LISTEN and one.laddr.port == self._port for one in found)

    def _port_lost(self) -> bool:
        """Tell whether it ended because somebody took the port after it was chosen."""
        return "already in use" in self.log.read_text(encoding="utf-8", errors="replace").lower()

    def _last_words(self) -> str:
        text = self.log.read_bytes()[-_TAIL_BYTES:].decode(errors="replace").strip()
        return text.splitlines()[-1] if text else "it printed nothing"


def _free_port(host: str, wanted: int) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, wanted))
        except OSError as error:
            message = f"port {wanted} for the AWS emulator is taken; name another one"
            raise EmulatorError(message) from error
        return int(probe.getsockname()[1])
