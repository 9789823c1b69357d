"""Settings come from environment variables, are parsed once at init, and stop it with a sentence when wrong.

It owns the reading; what settings there are belongs to each function. It must not know any of them.
"""

from __future__ import annotations

from typing import TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings
from pydantic_settings import SettingsError as UnreadableError

from trending_core.errors import SettingsError
from trending_core.wording import reason

SettingsT = TypeVar("SettingsT", bound=BaseSettings)


def load_settings(cls: type[SettingsT]) -> SettingsT:
    """Read a function's settings from the environment.

    Parameters
    ----------
    cls : type
        A pydantic-settings model, one field per environment variable.

    Raises
    ------
    SettingsError
        If a variable is missing or wrong. The sentence names each variable and never its value, which may be a secret.

    Examples
    --------
    >>> class Settings(BaseSettings):
    ...     table_name: str
    >>> load_settings(Settings)  # doctest: +SKIP
    trending_core.errors.SettingsError: setting TABLE_NAME is required
    """
    try:
        return cls()
    except ValidationError as error:
        prefix = str(cls.model_config.get("env_prefix") or "")
        faults = [
            f"{_variable(prefix, fault['loc'])} {reason(fault)}"
            for fault in error.errors(include_url=False, include_input=False)
        ]
        noun = "setting" if len(faults) == 1 else "settings"
        message = f"{noun} {'; '.join(faults)}"
        # Without the cause: pydantic's own text repeats the value.
        raise SettingsError(message) from None
    except UnreadableError as error:
        # A list or object that is not JSON; this text names the field and not the value.
        message = f"settings cannot be read: {error}"
        raise SettingsError(message) from None


def _variable(prefix: str, loc: tuple[int | str, ...]) -> str:
    """Name the environment variable of a field; an alias is the variable's whole name."""
    name = str(loc[0]) if loc else "(the settings as a whole)"
    return name if name.isupper() or not loc else f"{prefix}{name}".upper()
