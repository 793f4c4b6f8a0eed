"""The evaluation of pre-training, from the features of one pass over a data set."""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

import ignite.distributed as idist
import numpy as np
import pandas as pd
import torch
from ignite.engine import Engine, Events
from numpy.typing import NDArray

from ..atomic import write_text_atomically
from ..data.splits import patient_note
from ..encoders.card import overlap_note
from ..encoders.panel import PIXELS, RANDOM
from ..errors import CxrError
from ..figures.training import plot_spectrum
from ..metrics.collect import collect_values
from ..metrics.label_retrieval import label_retrieval
from ..metrics.latent_geometry import latent_geometry, spectrum
from ..metrics.nearest import Index
from ..metrics.retrieval import flatten_retrieval, ranked_entry
from ..output_folder import check_folder
from ..statistics.estimate import Difference, Estimate
from ..tables.scores import ScoreRow, print_scores, write_scores
from .linear_probe import ProbeResult, compare_probes, probe_cv, probe_split
from .score_figures import plot_image_retrieval, plot_probe, plot_reason, plot_retrieval
from .score_rows import geometry_rows, image_retrieval_rows, probe_rows, retrieval_rows, shared_space_rows
from .shared_space import SharedSpace
from .zero_shot import zero_shot_scores, zero_shot_summary

logger = logging.getLogger(__name__)
Protocol = Literal["split", "5-fold"]
Differences = dict[str, dict[str, Difference]]  # to each random member, of each trained one


class EvaluationReport:
    """Handler for an evaluator whose network is an `EncoderPanel`: scores every member when the pass is over.

    Prints a table, and writes `evaluation.json`, `evaluation.csv`, `evaluation.md` and `pictures/` into the folder:
    linear-probe AUROC per finding with patient-wise 95 % intervals, its paired difference to random initialisation,
    zero-shot AUROC and image-report retrieval in the shared space, retrieval of images with the same finding, and the
    latent geometry. The trivial baselines (chance, 16 x 16 pixels) and random initialisation stand beside the trained
    encoder in every table. A method without a shared space has the reason in place of its numbers.

    Args:
        folder: where the files go.
        labels: findings, in the order of the items' `label`.
        protocol: `split` fits the probe on the training patients and scores the test patients (for the data set that
            the encoder was pre-trained on); `5-fold` cross-validates by patient over all images.
        shared_space: projects the features of one member, the reports and the prompts; None leaves this part out.
        resamples: of the bootstrap.
        index: of the retrieval by finding, `exact` or `faiss`; see `scripts.metrics.nearest`.
        settings: of the encoder's training and this run; see `scripts.encoders.trained_settings`.
    """

    def __init__(
        self,
        folder: str | Path,
        labels: Sequence[str],
        protocol: Protocol = "split",
        shared_space: SharedSpace | None = None,
        resamples: int = 1000,
        index: Index = "exact",
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        if protocol not in ("split", "5-fold"):
            raise CxrError(f"protocol must be split or 5-fold, not {protocol!r}.")
        self.folder = Path(folder)
        self.labels = list(labels)
        self.protocol = protocol
        self.shared_space = shared_space
        self.resamples = resamples
        self.index = index
        self.settings = settings or {}

    def attach(self, engine: Engine) -> None:
        """Registers on the evaluator."""
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.add)
        # Not COMPLETED: what MONAI's own tracking appends reads the metrics at the end of the epoch.
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.finish)

    def start(self, engine: Engine) -> None:
        """Forgets an earlier pass, and looks whether this one's report can be written."""
        self._features: dict[str, list[torch.Tensor]] = defaultdict(list)
        self._columns: dict[str, list[Any]] = defaultdict(list)
        check_folder(self.folder, "output_dir")

    def add(self, engine: Engine) -> None:
        """Keeps the features, labels, patients and reports of a batch."""
        for name, value in engine.state.output["pred"].items():
            self._features[name].append(value.detach().cpu())
        for key in ("patient_id", "split", "fold", "report", "label"):
            values = collect_values(engine.state.batch, key)
            self._columns[key].extend([] if values is None else values)

    def finish(self, engine: Engine) -> None:
        """Gathers what each rank has seen; scores, prints, writes and draws on rank 0."""
        ranks = idist.all_gather((dict(self._features), dict(self._columns)))
        if idist.get_rank() != 0:
            return
        seen = [(parts, columns) for parts, columns in ranks if parts]  # type: ignore[union-attr,misc]
        features = {name: torch.cat([part for parts, _ in seen for part in parts[name]]) for name in seen[0][0]}
        columns = {key: [value for _, columns in seen for value in columns.get(key, [])] for key in seen[0][1]}
        # An array of str is as wide as its longest: one long report would cost gigabytes.
        self.columns = {k: np.asarray(v, dtype=object if k == "report" else None) for k, v in columns.items()}
        notes = (patient_note(pd.Series(self.columns["patient_id"])), overlap_note(self.settings))
        result: dict[str, Any] = {
            "images": len(self.columns["patient_id"]),
            "unreadable_images": int(engine.state.metrics.get("left_out", 0)),
            "patients": len(np.unique(self.columns["patient_id"])),
            "note": " ".join(note for note in notes if note),
            "protocol": self.protocol,
            "geometry": {name: latent_geometry(value) for name, value in features.items()},
        }
        rows: list[ScoreRow] = []
        pictures = self.folder / "pictures"
        probes = self._probe(features) if self.labels else {}
        if probes:
            result["probe"] = {name: probe.to_dict() for name, probe in probes.items()}
            differences = self._differences(probes)
            result["difference_to_random"] = {
                name: {base: asdict(one) for base, one in found.items()} for name, found in differences.items()
            }
            rows += probe_rows(probes) + self._difference_rows(differences)
            plot_probe(probes, pictures / "probe.png")
            means = {f"{name}: macro AUROC": probe.macro.auroc.value for name, probe in probes.items()}
            engine.state.metrics.update({name: value for name, value in means.items() if value is not None})
        if self.shared_space is not None:
            rows += self._in_shared_space(features, probes, result, engine, pictures)
        if self.labels:
            rows += self._similar_images(features, result, pictures)
        rows += geometry_rows(result["geometry"])
        plot_spectrum({name: spectrum(value) for name, value in features.items()}, pictures / "spectrum.png")
        write_text_atomically(json.dumps(result, indent=1, default=ranked_entry), self.folder / "evaluation.json")
        rows = [merge_random(row) for row in rows]
        for suffix in ("csv", "md"):
            write_scores(rows, self.folder / f"evaluation.{suffix}")
        where = "test patients" if self.protocol == "split" else "5 folds by patient"
        print_scores(
            rows, f"{result['images']} images of {result['patients']} patients; probes on {where}; [95 % interval]"
        )
        if result["note"]:
            logger.warning("%s", result["note"])

    def _probe(self, features: dict[str, torch.Tensor]) -> dict[str, ProbeResult]:
        labels = self._labels()
        patients, split = self.columns["patient_id"], self.columns["split"]
        # prepare's folds also keep together patients who share an image; without them, by patient alone.
        drawn = self.columns.get("fold", ())
        folds = drawn if len(drawn) == len(patients) else 5
        probes = {}
        for name, value in features.items():
            if self.protocol == "5-fold":
                probe = probe_cv(value.numpy(), labels, patients, self.labels, folds=folds, resamples=self.resamples)
            else:
                train, test = split == "train", split == "test"
                probe = probe_split(value.numpy(), labels, patients, self.labels, train, test, resamples=self.resamples)
            probes[name] = probe
        return probes

    def _differences(self, probes: dict[str, ProbeResult]) -> Differences:
        """Macro AUROC of each trained member minus that of each random one, on the same patients."""
        random = [name for name in probes if name.startswith(RANDOM)]
        trained = [name for name in probes if name not in random and name != PIXELS]
        return {
            name: {base: compare_probes(probes[base], probes[name], resamples=self.resamples) for base in random}
            for name in trained
        }

    def _difference_rows(self, differences: Differences) -> list[ScoreRow]:
        """The difference to the best of the random seeds: the least that the trained encoder is ahead."""
        least = {name: min(found.values(), key=lambda d: d.value) for name, found in differences.items() if found}
        cells = {name: Estimate(d.value, d.lo, d.hi, reason=d.reason or f"p = {d.p:.3f}") for name, d in least.items()}
        return [ScoreRow("macro AUROC minus best random", cells, trivial=0.0)] if cells else []

    def _in_shared_space(
        self,
        features: dict[str, torch.Tensor],
        probes: dict[str, ProbeResult],
        result: dict[str, Any],
        engine: Engine,
        pictures: Path,
    ) -> list[ScoreRow]:
        """Zero-shot classification and retrieval between images and reports; what there is of them."""
        space, reports = self.shared_space, self.columns.get("report", np.array([]))
        assert space is not None
        result["shared_space"] = space.reason
        if space.reason:
            plot_reason(space.reason, pictures / "zero_shot.png", "Zero-shot classification and retrieval")
            return shared_space_rows(space.member, space.reason)
        rows: list[ScoreRow] = []
        if self.labels:
            rows += self._zero_shot(space, features[space.member], probes[space.member], result, engine, pictures)
        told = self._unseen() & np.array([bool(str(report).strip()) for report in reports] or [False])
        if told.sum() < 2:
            logger.info("Fewer than two images with a report: no retrieval.")
            return rows
        index = np.flatnonzero(told)
        found = space.retrieve(
            features[space.member][index],
            [str(reports[i]) for i in index],
            self.columns["patient_id"][index],
            self._labels()[index] if self.labels else None,
            self.labels,
            self.index,
            self.resamples,
        )
        result["retrieval"] = {space.member: found}
        plot_retrieval(result["retrieval"], pictures / "retrieval.png")
        engine.state.metrics.update(flatten_retrieval(found))
        return rows + retrieval_rows(result["retrieval"])

    def _zero_shot(
        self,
        space: SharedSpace,
        features: torch.Tensor,
        probe: ProbeResult,
        result: dict[str, Any],
        engine: Engine,
        pictures: Path,
    ) -> list[ScoreRow]:
        """Zero-shot classification of the images that the probes are scored on."""
        place = np.flatnonzero(self._unseen())
        try:
            log_odds = space.zero_shot(features[place], self.labels)
        except CxrError as error:  # the prompts cannot be read; the rest of the evaluation needs no language model
            logger.warning("No zero-shot classification: %s", error)
            return [
                ScoreRow("zero-shot AUROC macro", {space.member: Estimate(None, reason="no language model at hand")})
            ]
        scored = zero_shot_scores(
            log_odds, self._labels()[place], self.labels, self.columns["patient_id"][place], self.resamples
        )
        result["zero_shot"] = {space.member: zero_shot_summary(scored)}
        beside = {"zero-shot": scored, "linear probe": probe}
        plot_probe(beside, pictures / "zero_shot.png", "Zero-shot AUROC with 95 % intervals, beside the linear probe")
        if scored.macro.auroc.value is not None:
            engine.state.metrics[f"{space.member}: zero-shot macro AUROC"] = scored.macro.auroc.value
        return probe_rows({space.member: scored}, "zero-shot ")

    def _similar_images(
        self, features: dict[str, torch.Tensor], result: dict[str, Any], pictures: Path
    ) -> list[ScoreRow]:
        """Retrieval of images with the same finding: in the features of each member, and in the shared space."""
        space, place = self.shared_space, np.flatnonzero(self._unseen())
        vectors = dict(features)
        if space is not None and not space.reason:
            vectors[f"{space.member}, projected"] = space.project_images(features[space.member])
        labels, patients = self._labels()[place], self.columns["patient_id"][place]
        found = {
            name: label_retrieval(
                value[place], value[place], labels, self.labels, patients, index=self.index, resamples=self.resamples
            )
            for name, value in vectors.items()
        }
        result["image_retrieval"] = found
        if not any("reason" in one for one in found.values()):
            plot_image_retrieval(found, pictures / "image_retrieval.png")
        rows = image_retrieval_rows({name: found[name] for name in features})
        if space is not None and not space.reason:  # rows of its own: one more column would be empty elsewhere
            projected = {space.member: found[f"{space.member}, projected"]}
            rows += image_retrieval_rows(projected, ("p_at_5", "p_at_10"), "image→image, projected")
        return rows

    def _unseen(self) -> NDArray[np.bool_]:
        """The images that pre-training and probes have not learnt from: with `5-fold`, another data set, all."""
        split = self.columns["split"]
        return split == "test" if self.protocol == "split" else np.ones(len(split), dtype=bool)

    def _labels(self) -> NDArray[np.float64]:
        return np.stack(list(self.columns["label"])).astype(np.float64)


def merge_random(row: ScoreRow) -> ScoreRow:
    """The row with its random initialisations as one column: their mean, and their smallest and largest value."""
    random = [score for name, score in row.scores.items() if name.startswith(RANDOM)]
    if not random:
        return row
    name = f"random ({len(random)} seeds, range)" if len(random) > 1 else RANDOM
    values = [score.value for score in random if score.value is not None]
    if values:
        merged = Estimate(float(np.mean(values)), min(values), max(values))
    else:
        merged = Estimate(None, reason=random[0].reason)
    others = {other: score for other, score in row.scores.items() if not other.startswith(RANDOM)}
    baselines = {other: others.pop(other) for other in [PIXELS] if other in others}
    return replace(row, scores={**baselines, name: merged, **others})
