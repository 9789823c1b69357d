"""What a call costs, by the dated price table beside this file. Must not know who pays or where the figure goes."""

from __future__ import annotations

from datetime import date  # noqa: TC003 -- pydantic reads it
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from trending_core.errors import SettingsError

PRICES: Final = Path(__file__).with_name("prices.json")
TOKENS: Final = 1_000_000
"""Prices are for this many tokens."""


class Price(BaseModel):
    """US dollars per million tokens."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: float = Field(ge=0)
    output: float = Field(ge=0)


class PriceTable(BaseModel):
    """List prices on a day; a model that is not in it has no known cost."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    as_of: date
    source: str
    currency: str = Field(pattern="^USD$")
    per_million_tokens: dict[str, Price]

    def cost_usd(self, model: str, *, input_tokens: int, output_tokens: int) -> float | None:
        """Give the cost of a call in US dollars, or None for a model without a price.

        A dated or numbered release (``gemini-2.5-flash-001``) costs what its model does.
        """
        names = [name for name in self.per_million_tokens if model == name or _is_release(model, name)]
        if not names:
            return None
        price = self.per_million_tokens[max(names, key=len)]
        return (input_tokens * price.input + output_tokens * price.output) / TOKENS


def _is_release(model: str, name: str) -> bool:
    suffix = model.removeprefix(name)
    return suffix != model and suffix.startswith("-") and suffix[1:].replace("-", "").isdigit()


def load_prices(path: Path = PRICES) -> PriceTable:
    """Read the table.

    Raises
    ------
    SettingsError
        If the file is missing or not a price table.
    """
    try:
        return PriceTable.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        message = f"The price table {path.name} cannot be used: {error}."
        raise SettingsError(message) from error
