"""What `POST /enrich-item` takes, beyond a draft. Must not know what is done with it."""

from __future__ import annotations

from pydantic import ConfigDict, Field, StrictBool

from trending_core.models import Submission


class EnrichRequest(Submission):
    """A title with its plot and reviews.

    Sending the same content under the same ``item_id`` again gives the stored item. Other content under an ``item_id``
    that exists is a conflict (409): an item's text does not change. Without an ``item_id`` one is made from the content;
    an id of that form (``it-`` and 24 hexadecimal digits) is refused for any other content.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "title": "The Salt Road",
                    "plot": "Two sisters smuggle salt across a closed border and find out who closed it.",
                    "reviews": ["Tense, beautifully shot, and the ending is earned."],
                    "year": 2024,
                }
            ]
        }
    )

    fallback: StrictBool = Field(
        default=True,
        description=(
            "Whether the embedded enricher may answer when the language model cannot. With false such a request "
            "ends with 502 or 504 and nothing is stored; with `Prefer: respond-async` the item was stored before, "
            "and its status becomes `failed`."
        ),
    )
