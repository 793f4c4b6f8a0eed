"""The target of a batch of pairs: who shares a report, who a study."""

from __future__ import annotations

import torch

from scripts.engine.batch import PrepareImageReport, pair_identities


def test_equal_reports_and_studies_and_nothing_else_share_an_identity() -> None:
    found = pair_identities(
        reports=["Clear.", "Clear.", "Effusion.", "Nodule.", "Mass."],
        patients=["p", "q", "q", "1", "11"],
        studies=["1", "1", "1", "1 2", "2"],
    )
    assert found.dtype == torch.int64
    assert found.shape == (5, 2)
    same = found[:, None] == found[None]
    assert same[..., 0].nonzero().tolist() == [[0, 0], [0, 1], [1, 0], [1, 1], [2, 2], [3, 3], [4, 4]]
    # Study 1 of patient p is not study 1 of patient q.
    assert same[..., 1].nonzero().tolist() == [[0, 0], [1, 1], [1, 2], [2, 1], [2, 2], [3, 3], [4, 4]]


def test_identities_are_the_same_in_every_process() -> None:
    """Python's own hash is salted; BLAKE2b of "Clear.", by coreutils' b2sum -l 128."""
    expected = int.from_bytes(bytes.fromhex("528c5819a99b0ee8"), signed=True)
    assert pair_identities(["Clear."], ["p"], ["s"])[0, 0].item() == expected


def test_a_batch_gives_image_identities_and_text() -> None:
    class Store:
        def lookup(self, reports: list[str]) -> object:
            return torch.arange(2.0 * len(reports)).reshape(-1, 2).numpy()

    batch = {"image": torch.ones(2, 3, 4, 4), "report": ["a", "a"], "patient_id": ["p", "q"], "study_id": ["1", "1"]}
    image, target, arguments, options = PrepareImageReport(Store())(batch, "cpu")  # type: ignore[arg-type]
    assert image is not None and image.shape == (2, 3, 4, 4)
    assert (target[0] == target[1]).tolist() == [True, False]
    assert [text.tolist() for text in arguments] == [[[0, 1], [2, 3]]]
    assert options == {}


def test_a_hosts_items_without_ids_share_what_their_reports_share() -> None:
    class Store:
        def lookup(self, reports: list[str]) -> object:
            return torch.zeros(len(reports), 2).numpy()

    batch = {"image": torch.ones(3, 3, 4, 4), "report": ["a", "b", "a"]}
    _, target, _, _ = PrepareImageReport(Store())(batch, "cpu")  # type: ignore[arg-type]
    assert (target[:, None] == target[None]).all(dim=2).nonzero().tolist() == [[0, 0], [0, 2], [1, 1], [2, 0], [2, 2]]
