"""What every task's evaluation has in common: from the rows of one pass to files, pictures and one page."""

from __future__ import annotations

import json
import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

import ignite.distributed as idist
import numpy as np
import pandas as pd
import torch
from ignite.engine import Engine, Events
from monai.inferers import Inferer, SimpleInferer

from ..atomic import write_text_atomically, writing
from ..data.splits import patient_note
from ..encoders.card import fold_note, overlap_note
from ..engine.leave_out import left_out_note
from ..engine.tracking import without_passwords
from ..errors import CxrError
from ..metrics.collect import collect_values
from ..output_folder import check_folder
from ..tables.page import Picture, Section, write_html
from ..tables.scores import ScoreRow, markdown, print_scores, scores_frame, write_scores
from .examples import Example, network_output, to_grey
from .plain_values import plain
from .scored_images import count_line, split_table

logger = logging.getLogger(__name__)
REQUIRED = ("image_id", "patient_id")
IDENTITY = (*REQUIRED, "split", "view", "sex", "age")


class Tracker(Protocol):
    """Where an evaluation is recorded besides its folder (`scripts.engine.TrackEvaluation`)."""

    def log(self, metrics: dict[str, float], folder: Path) -> None:
        """Records the numbers and the files."""


@dataclass(frozen=True)
class TaskScores:
    """What a task's `score` found.

    Attributes:
        rows: the table of scores; their method is `this run`, `trivial` the baseline.
        metrics: plain numbers for `engine.state.metrics` and the tracker.
        details: anything else for `evaluation.json`: thresholds, temperature, counts.
        notes: sentences that stand under the table (what was chosen on which images, what could not be scored).
        tables: further tables by title (subgroups); they are printed and written below the first.
    """

    rows: Sequence[ScoreRow]
    metrics: Mapping[str, float]
    details: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()
    tables: Mapping[str, Sequence[ScoreRow]] = field(default_factory=dict)


class TaskReport(ABC):
    """Handler for the evaluator of a task network: scores the images of one pass and leaves a report for people.

    Writes `evaluation.json`, `.csv`, `.md`, `predictions.parquet` (a row an image), `pictures/` and `report.html` into
    the folder, prints the table, and gives the metrics to `engine.state.metrics` and to the tracker. Patients appear
    only as codes. All ranks must run it; rank 0 has the result.

    A task overrides `rows` (what is kept of a batch), `score` and `draw`.

    Args:
        folder: where the files go.
        names: findings, masks or boxes, in the order of the network's outputs.
        network: the task network, to read the outputs of chosen cases again.
        dataset: the `StudyDataset` of this pass.
        inferer: as the evaluator's; None = the network itself.
        title: of the report; default: the task's.
        protocol: "mended", or "published" for what a comparison with the published tables needs.
        resamples: of the bootstrap.
        cases: worst, and best, cases that are drawn.
        pictures: False draws none, and writes no page: for one of many runs whose numbers alone are wanted.
        tracking: where the result is logged besides; None = nowhere.
        settings: of the run, shown at the end of the report.
    """

    heading: ClassVar[str] = "Evaluation"
    # Picture's stem to its caption, in the order in which they are shown; other pictures follow by name.
    captions: ClassVar[Mapping[str, str]] = {}

    def __init__(
        self,
        folder: str | Path,
        names: Sequence[str],
        network: torch.nn.Module,
        dataset: Any,
        inferer: Inferer | None = None,
        title: str = "",
        protocol: str = "mended",
        resamples: int = 1000,
        cases: int = 6,
        pictures: bool = True,
        tracking: Tracker | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        if protocol not in ("mended", "published"):
            raise CxrError(f"protocol must be mended or published, not {protocol!r}.")
        self.folder = Path(folder)
        self.names = list(names)
        self.network = network
        self.dataset = dataset
        self.inferer = inferer or SimpleInferer()
        self.title = title or self.heading
        self.protocol = protocol
        self.resamples = resamples
        self.cases = cases
        self.pictures = pictures
        self.tracking = tracking
        self.settings = without_passwords(plain(dict(settings or {})))

    @abstractmethod
    def rows(self, engine: Engine) -> list[dict[str, Any]]:
        """One flat dict an image of the batch in `engine.state`: numbers, texts, arrays; identity is added to it."""

    @abstractmethod
    def score(self, table: pd.DataFrame) -> TaskScores:
        """Scores of all images; see `split_table` for which choose thresholds and which are scored.

        Args:
            table: a row an image, ordered by `image_id`: what `rows` gave, with `image_id, patient, split, view, sex,
                age` (`patient` a whole number that tells patients apart, the others "" or NaN when unknown).
        """

    @abstractmethod
    def draw(self, table: pd.DataFrame, scores: TaskScores, pictures: Path) -> None:
        """Writes PNG pictures into the folder `pictures`, which exists."""

    def attach(self, engine: Engine) -> None:
        """Registers on the evaluator."""
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.add)
        # Not COMPLETED: what MONAI's own tracking appends reads the metrics at the end of the epoch.
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.finish)

    def start(self, engine: Engine) -> None:
        """Forgets an earlier pass, and looks whether this one's report can be written."""
        self._parts: list[pd.DataFrame] = []
        check_folder(self.folder, "output_dir")

    def add(self, engine: Engine) -> None:
        """Keeps the rows of a batch."""
        rows = pd.DataFrame([{key: plain(value) for key, value in row.items()} for row in self.rows(engine)])
        if rows.empty:  # no image of the batch could be read
            return
        for key in IDENTITY:
            values = collect_values(engine.state.batch, key)
            if values is None and key in REQUIRED:
                raise CxrError(
                    f"{type(self).__name__} needs '{key}' in every item: it tells images and patients apart."
                )
            values = [None] * len(rows) if values is None else values
            if key == "age":
                rows[key] = np.array([np.nan if value is None else float(value) for value in values])
            else:
                rows[key] = ["" if value is None else str(value) for value in values]
        self._parts.append(rows)

    def finish(self, engine: Engine) -> None:
        """Gathers what each rank has seen; scores, prints, writes and draws on rank 0."""
        local = pd.concat(self._parts, ignore_index=True) if self._parts else None
        ranks: Any = idist.all_gather(local)
        if idist.get_rank() != 0:
            return
        seen = [part for part in ranks if part is not None]
        if not seen:
            raise CxrError(f"{type(self).__name__} saw no image: the list of items is empty.")
        # A distributed sampler repeats some images to give every rank the same number.
        table = pd.concat(seen, ignore_index=True).drop_duplicates("image_id")
        table = table.sort_values("image_id", ignore_index=True)
        # Codes by the order of the images, not the patients' own numbers.
        table["patient"] = pd.factorize(table.pop("patient_id"))[0]
        scores = self.write(table)
        engine.state.metrics.update(scores.metrics)

    def write(self, table: pd.DataFrame) -> TaskScores:
        """Scores the table, and leaves every file."""
        with writing(self.folder / "predictions.parquet") as part:
            table.to_parquet(part, index=False)
        scores = self.score(table)
        pictures = self.folder / "pictures"
        pictures.mkdir(parents=True, exist_ok=True)
        for old in pictures.glob("*.png"):
            old.unlink()  # of an earlier evaluation: it would be shown as this one's
        if self.pictures:
            self.draw(table, scores, pictures)
        parts = split_table(table)
        remarks = (patient_note(table["patient"]), fold_note(self.settings), overlap_note(self.settings))
        found = (parts.note, left_out_note(self.dataset), *remarks)
        notes = [note for note in (*found, *scores.notes) if note]
        everything = [row for rows in (scores.rows, *scores.tables.values()) for row in rows]
        summary = {
            "title": self.title,
            "images": len(table),
            "scored_images": len(parts.scored),
            "patients": table["patient"].nunique(),
            "protocol": self.protocol,
            "notes": notes,
            "scores": scores_frame(everything).to_dict("records"),
            "metrics": scores.metrics,
            "details": scores.details,
            "settings": self.settings,
        }
        write_text_atomically(json.dumps(plain(summary), indent=1, allow_nan=False), self.folder / "evaluation.json")
        write_scores(everything, self.folder / "evaluation.csv")
        tables = {f"{self.title}: {count_line(parts.scored)}": scores.rows, **scores.tables}
        text = "\n".join(f"{title}\n\n{markdown(rows)}" for title, rows in tables.items())
        write_text_atomically("\n".join([text, *(f"- {note}" for note in notes), ""]), self.folder / "evaluation.md")
        if self.pictures:
            write_html(self.folder / "report.html", self.title, self.sections(table, scores, notes))
        for title, rows in tables.items():
            print_scores(rows, title)
        for note in notes:
            logger.info("%s", note)
        if self.tracking is not None:
            self.tracking.log(dict(scores.metrics), self.folder)
        return scores

    def sections(self, table: pd.DataFrame, scores: TaskScores, notes: Sequence[str]) -> list[Section]:
        """What the page shows, from top to bottom."""
        order = list(self.captions)
        found = sorted((self.folder / "pictures").glob("*.png"))
        found.sort(key=lambda path: order.index(path.stem) if path.stem in order else len(order))
        pictures = [
            Picture(path, self.captions.get(path.stem, path.stem.replace("_", " ").capitalize())) for path in found
        ]
        about = [f"{count_line(split_table(table).scored)}.", *notes]
        cases = ["A case's number is its row, counted from 0, in predictions.parquet."] if pictures else []
        return [
            Section("Scores", about, rows=scores.rows),
            *(Section(title, rows=rows) for title, rows in scores.tables.items()),
            Section("Pictures", cases, pictures=pictures),
            Section("Settings", facts={"protocol": self.protocol, **self.settings}),
        ]

    def examples(self, table: pd.DataFrame, order: Sequence[int], count: int | None = None) -> list[Example]:
        """Reads chosen images again and runs the network on them, so that a pass keeps no pixels.

        Args:
            table: as `score` and `draw` get it.
            order: row labels of the table, the most wanted first.
            count: of them at most; default `cases`.
        """
        count = self.cases if count is None else count
        place = {str(item["image_id"]): index for index, item in enumerate(self.dataset.data)}
        found = []
        for label in list(order)[:count]:
            row = table.loc[label]
            item = self.dataset.read(place[row["image_id"]])
            output = network_output(self.network, self.inferer, item["image"])
            found.append(Example(int(label), row, item, to_grey(item["image"]), output))
        return found
