"""Each distinct report goes through the language model once, before the first epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ignite.distributed as idist
from ignite.engine import Engine, Events

from ..errors import CxrError
from ..text.store import TextStore
from .stop import stop_asked, stop_before_training


class EmbedReports:
    """Handler for the trainer that fills the text store with the reports of the data lists.

    After `prepare` everything is there and this costs a look-up. On raw files it is the one pass of the language model.

    Args:
        text_store: the store to fill.
        data: data lists, training and then validation, whose items have a `report`.
    """

    def __init__(self, text_store: TextStore, data: Sequence[Sequence[dict[str, Any]]]) -> None:
        self.text_store = text_store
        self.data = data

    def attach(self, engine: Engine) -> None:
        """Registers on the trainer."""
        engine.add_event_handler(Events.STARTED, self.embed)

    def embed(self, engine: Engine | None = None) -> None:
        """Embeds what is missing; rank 0 writes first, so that ranks sharing a folder do not do the work twice.

        Raises:
            CxrError: there is no report, or too few for a validation, which would fail only after the first epoch.
        """
        reports = [item.get("report", "") for items in self.data for item in items]
        if reports and not any(reports):
            raise CxrError(
                "None of the training images has a report: pre-training needs text. Look at audit.json, or at the text "
                "columns given to prepare (--report, --findings, --impression)."
            )
        for items in self.data[1:]:
            told = sum(bool(item.get("report", "").strip()) for item in items)
            if told < 2:
                raise CxrError(
                    f"Validation images with a report: {told} of {len(items)}; retrieval needs at least 2. "
                    "Move patients to split 'val' (column split), or look at audit.json for images left out."
                )
        if idist.get_rank() == 0:
            self.text_store.ensure(reports, stop=lambda: stop_asked(engine))
        idist.barrier()
        if not stop_before_training(engine):
            self.text_store.ensure(reports, progress=False)
