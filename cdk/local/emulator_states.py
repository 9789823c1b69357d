"""The emulator's Step Functions, led to the functions of the service. Must not know: our state machines.

ministack (1.5) invokes functions of its own Lambda, which are not those that run here, and refuses to start an execution
under the name of one that is running. This module lets a task call the service's Lambda API instead, and answers such a
start as Step Functions does: same name and same input, same execution. Everything else stays ministack's.
https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html
"""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

LAMBDA_URL: Final = "TRENDING_NOW_LAMBDA_URL"
"""Variable of the emulator's process: where the Lambda API answers."""
_NEEDED: Final = ("_call_lambda", "_start_execution", "_executions", "_ExecutionError", "json_response")
_ERRORS: Final = {
    404: "Lambda.ResourceNotFoundException",
    429: "Lambda.TooManyRequestsException",
}
"""What Step Functions calls Lambda's refusals; any other is a service exception.
https://docs.aws.amazon.com/step-functions/latest/dg/connect-lambda.html"""
_REFUSED: Final = 300


class States:
    """What takes the place of two of ministack's functions.

    Parameters
    ----------
    module : module
        ``ministack.services.stepfunctions``.
    lambda_url : str
        Where the Lambda API answers.
    """

    def __init__(self, module: ModuleType, lambda_url: str) -> None:
        self._module: Any = module
        self._start: Callable[[dict[str, Any]], Any] = module._start_execution  # noqa: SLF001 -- there is no public way
        self._address = urlsplit(lambda_url)

    def call(self, function: str, event: Any) -> Any:  # noqa: ANN401 -- JSON both ways
        """Invoke a function by its ARN and give its answer."""
        connection = http.client.HTTPConnection(self._address.hostname or "", self._address.port)
        try:
            path = f"/2015-03-31/functions/{quote(function, safe='')}/invocations"
            connection.request("POST", path, json.dumps(event).encode(), {"Content-Type": "application/json"})
            response = connection.getresponse()
            body = json.loads(response.read() or b"null")
        except (OSError, http.client.HTTPException, ValueError) as error:
            name, cause = "Lambda.SdkClientException", f"the Lambda API does not answer: {error}"
            raise self._module._ExecutionError(name, cause) from error  # noqa: SLF001
        finally:
            connection.close()
        if response.status >= _REFUSED:
            name = _ERRORS.get(response.status, "Lambda.ServiceException")
            raise self._module._ExecutionError(name, str(body.get("message", "")))  # noqa: SLF001
        if response.getheader("X-Amz-Function-Error"):
            raise self._module._ExecutionError(  # noqa: SLF001
                str(body.get("errorType") or "Lambda.Unknown"), json.dumps(body)
            )
        return body

    def start(self, data: dict[str, Any]) -> Any:  # noqa: ANN401 -- ministack's answer, handed through
        """Start an execution, or give the one that runs under this name with this input."""
        machine = str(data.get("stateMachineArn", ""))
        arn = f"{machine.replace(':stateMachine:', ':execution:')}:{data.get('name')}"
        running = self._module._executions.get(arn)  # noqa: SLF001
        if running and running["status"] == "RUNNING" and running["input"] == data.get("input", "{}"):
            return self._module.json_response({"executionArn": arn, "startDate": running["startDate"]})
        return self._start(data)


def lead_to(module: ModuleType, lambda_url: str) -> bool:
    """Have ministack's tasks invoke the functions of a Lambda API; False, and nothing changed, where it has become another."""
    if any(not hasattr(module, name) for name in _NEEDED):
        return False
    states = States(module, lambda_url)
    changed: Any = module
    changed._call_lambda, changed._start_execution = states.call, states.start  # noqa: SLF001
    return True
