"""Order and randomness are functions of (seed, epoch, index): of nothing else."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest
import torch
from monai.transforms import Compose, Lambdad, RandGaussianNoised

from scripts.data.sampling import TRIES, EpochSampler, StudyDataset, part_of_rank
from scripts.errors import CxrError, SettingError


def noisy_dataset(size: int = 10, seed: int = 0) -> StudyDataset:
    transform = Compose([RandGaussianNoised("image", prob=1.0)])
    return StudyDataset([{"image": np.zeros((1, 2, 2), np.float32)} for _ in range(size)], transform, seed=seed)


def test_a_sample_depends_on_seed_epoch_and_index_alone() -> None:
    first, second = noisy_dataset(), noisy_dataset()
    second[3], second[7]  # draws that must not matter
    np.testing.assert_array_equal(first[13]["image"], second[13]["image"])
    assert not np.array_equal(first[3]["image"], first[13]["image"])  # the same row, another epoch
    assert not np.array_equal(first[3]["image"], first[4]["image"])
    assert not np.array_equal(first[3]["image"], noisy_dataset(seed=1)[3]["image"])


def test_each_epoch_is_another_order_of_all_rows() -> None:
    sampler = EpochSampler(noisy_dataset(10), batch_size=5, rank=0, world_size=1)
    zero = list(sampler)
    sampler.epoch = 1
    one = list(sampler)
    assert sorted(zero) == list(range(10))
    assert sorted(one) == list(range(10, 20))
    assert [i - 10 for i in one] != zero


def test_another_seed_has_other_epochs() -> None:
    """Neither the epochs of seed 0, one later (seed + epoch), nor in any other place."""

    def orders(seed: int) -> set[tuple[int, ...]]:
        sampler = EpochSampler(noisy_dataset(10), batch_size=5, seed=seed, rank=0, world_size=1)
        found = set()
        for sampler.epoch in range(5):
            found.add(tuple(index % 10 for index in sampler))
        return found

    assert len(orders(0) | orders(1)) == 10


def test_a_resumed_epoch_goes_on_where_it_was() -> None:
    sampler = EpochSampler(noisy_dataset(20), batch_size=4, rank=0, world_size=1)
    whole = list(sampler)
    sampler.start = 3
    assert list(sampler) == whole[12:]
    assert len(sampler) == 8


@pytest.mark.parametrize("world_size", [2, 4])
def test_more_ranks_see_the_same_global_batches(world_size: int) -> None:
    dataset = noisy_dataset(19)
    alone = list(EpochSampler(dataset, batch_size=8, rank=0, world_size=1))
    ranks = [list(EpochSampler(dataset, 8 // world_size, rank=r, world_size=world_size)) for r in range(world_size)]
    assert len({len(rank) for rank in ranks}) == 1
    share = 8 // world_size
    for batch in range(2):
        joined = [i for rank in ranks for i in rank[batch * share : (batch + 1) * share]]
        assert joined == alone[batch * 8 : (batch + 1) * 8]


def test_fewer_rows_than_a_batch_are_one_smaller_batch() -> None:
    sampler = EpochSampler(noisy_dataset(3), batch_size=8, rank=0, world_size=1)
    assert sampler.batch_size == 3
    assert len(list(sampler)) == 3


def test_fewer_rows_than_ranks_are_refused() -> None:
    with pytest.raises(CxrError, match=r"fewer training images \(3\) than ranks \(4\)"):
        EpochSampler(noisy_dataset(3), batch_size=8, rank=0, world_size=4)


def refuse_two(value: int) -> int:
    if value == 2:
        raise CxrError("row two is broken\nand a second line")
    return value


def test_an_unreadable_row_is_replaced_and_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    items: list[dict[str, Any]] = [{"image": value} for value in range(4)]
    dataset = StudyDataset(items, Compose([Lambdad("image", refuse_two)]), unreadable="replace")
    with caplog.at_level(logging.WARNING):
        found = [dataset[i]["image"] for i in (2, 2, 6)]
    assert found[0] == found[1]  # a function of the index, as everything here
    assert set(found) <= {0, 1, 3}
    assert [record.getMessage() for record in caplog.records] == [
        "Row 2 is unreadable and left out of training: row two is broken"
    ]
    strict = StudyDataset(items, Compose([Lambdad("image", refuse_two)]))
    with pytest.raises(CxrError, match=r"^Row 2 cannot be read: row two is broken$"):
        strict[2]


def refuse_the_setting(value: int) -> int:
    raise SettingError("stored with 64 pixels a side, the config asks for 96")


@pytest.mark.parametrize("unreadable", ["raise", "replace", "leave_out", "report"])
def test_a_wrong_setting_is_no_unreadable_file(unreadable: Any, caplog: pytest.LogCaptureFixture) -> None:
    dataset = StudyDataset([{"image": 1}] * 5, Compose([Lambdad("image", refuse_the_setting)]), unreadable=unreadable)
    with pytest.raises(SettingError, match="64 pixels"):
        dataset[0]
    assert not caplog.records


def test_a_missing_folder_is_not_read_to_its_end(caplog: pytest.LogCaptureFixture) -> None:
    dataset = StudyDataset([{"image": 2}] * 1000, Compose([Lambdad("image", refuse_two)]), unreadable="replace")
    with pytest.raises(CxrError, match=r"of the 1000 images .* none can be read; the last: row two is broken"):
        dataset[0]
    assert len(caplog.records) <= TRIES


def test_the_row_of_the_table_is_named_and_not_the_place_in_the_list() -> None:
    items: list[dict[str, Any]] = [{"image": 1, "row": 10}, {"image": 2, "row": 17}]
    with pytest.raises(CxrError, match=r"^Row 17 cannot be read"):
        StudyDataset(items, Compose([Lambdad("image", refuse_two)]))[1]


def test_validation_gives_another_item_and_the_reason_and_tries_no_row_twice() -> None:
    tried: list[int] = []

    def refuse(value: int) -> int:
        tried.append(value)
        return refuse_two(value)

    items: list[dict[str, Any]] = [{"image": value, "label": value} for value in range(4)]
    dataset = StudyDataset(items, Compose([Lambdad("image", refuse)]), unreadable="leave_out")
    found = [dataset[i] for i in (1, 2, 2)]
    assert found[0] == {"image": 1, "label": 1, "error": "", "place": 1}
    assert found[1] == found[2]  # the same rows, and the same stand-in, every epoch
    assert (found[1]["error"], found[1]["place"]) == ("row two is broken", 2)
    assert found[1]["image"] == found[1]["label"] != 2
    assert tried.count(2) == 1
    assert dataset.left_out == {2: "row two is broken"}
    with pytest.raises(CxrError, match=r"1 of the 1 images .* none can be read"):
        StudyDataset(items[2:3], Compose([Lambdad("image", refuse_two)]), unreadable="leave_out")[0]


def test_inference_reports_the_reason_beside_a_black_image() -> None:
    items: list[dict[str, Any]] = [{"image": value, "image_id": str(value)} for value in (1, 2)]
    dataset = StudyDataset(items, Compose([Lambdad("image", refuse_two)]), unreadable="report", shape=(3, 4, 4))
    good = dataset[0]
    assert (good["image"], good["image_id"], good["error"]) == (1, "1", "")
    assert good.keys() == dataset[1].keys()  # or the two could not share a batch
    bad = dataset[1]
    assert (bad["image_id"], bad["error"]) == ("2", "row two is broken")
    assert bad["image"].shape == (3, 4, 4)
    assert not bad["image"].any()


def test_the_reason_does_not_name_the_file() -> None:
    def refuse(name: str) -> None:
        raise CxrError(f"{name}: not a readable radiograph")

    items = [{"image": "archive/DOE^JANE.dcm"}]
    reported = StudyDataset(items, Compose([Lambdad("image", refuse)]), unreadable="report")[0]
    assert reported["error"] == "the file: not a readable radiograph"


def test_nothing_readable_and_nothing_at_all_are_errors() -> None:
    dataset = StudyDataset([{"image": 2}], Compose([Lambdad("image", refuse_two)]), unreadable="replace")
    with pytest.raises(CxrError, match=r"1 of the 1 images .* none can be read; the last: row two is broken"):
        dataset[0]
    with pytest.raises(CxrError, match="empty"):
        StudyDataset([])


@pytest.mark.parametrize(("rows", "ranks"), [(10, 1), (10, 3), (3, 2), (9, 4)])
def test_the_ranks_share_an_evaluation_set_without_repeats(
    rows: int, ranks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = []
    for rank in range(ranks):
        monkeypatch.setattr("ignite.distributed.get_world_size", lambda: ranks)
        monkeypatch.setattr("ignite.distributed.get_rank", lambda rank=rank: rank)
        parts.append(list(part_of_rank(noisy_dataset(rows))))
    assert [index for part in parts for index in part] == list(range(rows))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_fewer_rows_than_ranks_are_refused_on_every_rank(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ignite.distributed.get_world_size", lambda: 4)
    with pytest.raises(CxrError, match=r"fewer validation images \(3\) than ranks \(4\)"):
        part_of_rank(noisy_dataset(3))


def test_features_stand_in_for_pixels_until_an_item_is_read() -> None:
    """What the frozen encoder made of an image goes out in every epoch; `read` gives the picture all the same."""
    items: list[dict[str, Any]] = [{"image": value, "label": value} for value in range(3)]
    dataset = StudyDataset(items, Compose([Lambdad("image", refuse_two)]), unreadable="replace")
    assert dataset.features is None
    dataset.features = torch.arange(6.0).reshape(3, 2)
    assert [dataset[key]["image"].tolist() for key in (0, 2, 4)] == [[0, 1], [4, 5], [2, 3]]
    assert dataset[4]["label"] == 1
    assert items[1] == {"image": 1, "label": 1}
    assert dataset.read(1) == {"image": 1, "label": 1}
    with pytest.raises(CxrError, match="Row 2 cannot be read"):
        dataset.read(2)


def test_reading_one_item_is_epoch_zero() -> None:
    dataset = noisy_dataset()
    np.testing.assert_array_equal(dataset.read(3)["image"], noisy_dataset()[3]["image"])


def test_going_through_it_ends_after_one_epoch() -> None:
    items = [item["image"] for item in noisy_dataset()]
    assert len(items) == 10
    np.testing.assert_array_equal(items[3], noisy_dataset()[3]["image"])
