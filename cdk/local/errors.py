"""The local service's error tree.

LocalServiceError
├── ServeError           the service cannot start, or not go on (busy port, data folder in use)
├── InitError            an execution environment did not come up; carries Lambda's error type and message
├── EnvironmentGoneError an environment died before it took the invocation: safe to give it to another
├── ThrottledError       no environment is free and the queue is full, or the wait was too long (429)
├── PayloadTooLargeError a request or an event exceeds a payload limit (413)
├── UnknownTargetError   there is no such function, version or alias (404)
└── RolloutError         a rollout cannot begin as asked (422)
    └── RolloutConflictError  it cannot now: another is under way, or there is nothing to go back to (409)

Errors *of* a function (it raised, timed out, died) are no exceptions here: they are an `InvocationResult`.
"""

from __future__ import annotations


class LocalServiceError(Exception):
    """Base of everything the local service raises on purpose; its text is one sentence for a person."""


class ServeError(LocalServiceError):
    """The service cannot start or go on."""


class InitError(LocalServiceError):
    """An execution environment failed before its first invocation.

    Parameters
    ----------
    error_type, error_message : str
        As Lambda names them, such as ``Runtime.ImportModuleError``.

    Attributes
    ----------
    log : tuple of str
        What the process wrote while it initialised, a traceback for instance.
    """

    def __init__(self, function: str, error_type: str, error_message: str) -> None:
        self.error_type = error_type
        self.error_message = error_message
        self.log: tuple[str, ...] = ()
        super().__init__(f"function {function} failed to initialise: {error_type}: {error_message}")


class EnvironmentGoneError(LocalServiceError):
    """The environment's process ended before the invocation reached it."""


class ThrottledError(LocalServiceError):
    """All environments are busy and the request cannot wait (any longer)."""


class PayloadTooLargeError(LocalServiceError):
    """A payload exceeds a limit of Lambda."""


class UnknownTargetError(LocalServiceError):
    """There is no such function, version or alias."""


class RolloutError(LocalServiceError):
    """A rollout cannot be made of what was asked for."""


class RolloutConflictError(RolloutError):
    """What was asked for does not fit where the function's rollouts stand."""
