"""The gateway's own problems have the shape of the functions'."""

from __future__ import annotations

import json

from cdk.local.problems import problem_response
from trending_core.errors import MethodNotAllowed
from trending_core.problem import PROBLEM_JSON, problem_body


def test_same_body_as_a_function_s() -> None:
    error = MethodNotAllowed("This path takes no DELETE.", allow=["GET"])
    response = problem_response(error, instance="/items/x", request_id="42")
    assert isinstance(response.body, bytes)
    assert json.loads(response.body) == json.loads(problem_body(error, instance="/items/x", request_id="42"))
    assert response.headers["Content-Type"] == PROBLEM_JSON
    assert response.headers["Allow"] == "GET"
    assert response.status == 405
