"""What a task is to everything around it: the sweep, the packs, the benchmarks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd

from ..errors import CxrError
from ..statistics.draws import Draws, Floats

Published = Mapping[str, Mapping[str, str]]


class Task(ABC):
    """A downstream task. Its configs lie in `configs/<name>`; its table is the `predictions.parquet` of its report.

    Attributes:
        name: of its folder, its configs, its weights.
        headline: what its one number is called, by which initialisations are compared.
        trivial: what needs no learning, in words.
        published: the published tables' metrics: what our evaluation calls each, and what our line's name ends in;
            nothing: we compute none of its kind.
        caches_features: whether a frozen encoder's features are computed once, in `cache_dir`.
        zero_shot: whether prompts answer it without training: `names` of its configs are then findings.
        tags, output, files: of a pack's page: keywords, the network's output (with `{names}` to fill in), and what
            inference leaves.
    """

    name: ClassVar[str]
    headline: ClassVar[str]
    trivial: ClassVar[str]
    published: ClassVar[Published]
    caches_features: ClassVar[bool] = False
    zero_shot: ClassVar[bool] = False
    tags: ClassVar[str]
    output: ClassVar[str]
    files: ClassVar[str]

    def class_scores(
        self, table: pd.DataFrame, names: Sequence[str], draws: Draws, only: Sequence[str] | None = None
    ) -> Floats:
        """What the headline is the mean of: each class in each draw (`scripts.statistics.estimate` takes the mean).

        Args:
            table: a row an image; the scored rows alone.
            names: all findings, masks or boxes of the network, in order.
            draws: of the table's rows.
            only: the names to average over; default all.

        Returns:
            `[C, D]`, NaN where a draw holds nothing of a class to score.

        Raises:
            CxrError: for no name, or draws of another number of images than the table has.
        """
        only = list(names if only is None else only)
        if not only:
            raise CxrError(f"{self.name}: no name is left to score.")
        if draws.images != len(table):
            raise CxrError(f"{self.name}: draws of {draws.images} images for the {len(table)} of the table.")
        return self._class_scores(self._of_names(table, list(names), only), only, draws)

    @abstractmethod
    def trivial_answer(self, table: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
        """The scored rows with the answers of what has not learned to see: `class_scores` then gives its level.

        Args:
            table: all rows.
            names: see `class_scores`.
        """

    @abstractmethod
    def unscored(self, table: pd.DataFrame, names: Sequence[str]) -> dict[str, str]:
        """Names that the rows of `table` cannot score, each with the reason: nothing positive, or nothing negative."""

    def pool(self, tables: Sequence[pd.DataFrame], names: Sequence[str]) -> pd.DataFrame:
        """The scored rows of several folds as one table, ordered by image; each fold has a network of its own."""
        return pd.concat(tables).sort_values("image_id", ignore_index=True)

    def variants(self, table: pd.DataFrame) -> dict[str, pd.DataFrame]:
        """Tables whose headline is a further metric, by its name: the published tables' choice of images."""
        return {}

    @abstractmethod
    def target_names(self, source: str | Path) -> list[str]:
        """Findings, masks or names of boxes that a source of images has."""

    @abstractmethod
    def positives(self, items: Sequence[Mapping[str, Any]], names: Sequence[str], image_size: int) -> dict[str, int]:
        """How many of the items are positive for each name.

        Args:
            items: as the task's configs make them.
            names: see `class_scores`.
            image_size: of the network's input.
        """

    @abstractmethod
    def random_targets(self, batch: int, classes: int, image_size: int) -> Any:
        """Targets of a batch as the task's loss takes them, for a measurement of cost."""

    @abstractmethod
    def _class_scores(self, table: pd.DataFrame, names: Sequence[str], draws: Draws) -> Floats:
        """The headline's `[C, D]` of these names."""

    def _of_names(self, table: pd.DataFrame, names: Sequence[str], only: Sequence[str]) -> pd.DataFrame:
        """The table as that of a network of the names `only`; a column a name needs nothing."""
        return table
