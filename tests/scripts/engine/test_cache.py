"""Features of a frozen encoder: computed once, right, and known again."""

from __future__ import annotations

import os
import pickle
import signal
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import numpy as np
import pytest
import torch
from ignite.engine import Engine
from monai.transforms import Compose, EnsureChannelFirstd, LoadImaged, ScaleIntensityRanged
from torch import nn

from scripts.data.picture_reader import PictureReader
from scripts.data.sampling import StudyDataset
from scripts.encoders.feature_scale import Standardize
from scripts.engine.cache import CacheFeatures
from scripts.engine.feature_files import FeatureFiles, StoredFeatures, image_ids
from scripts.engine.stop import StopSignals
from scripts.errors import CxrError

ENGINE = Engine(lambda engine, batch: None)


class Mean(nn.Module):
    """An encoder whose feature can be computed by hand: the mean grey times its weight."""

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([weight]), requires_grad=False)
        self.calls = 0

    def pooled(self, image: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return image.mean((1, 2, 3))[:, None] * self.weight

    frozen_features = pooled

    def frozen_part(self) -> nn.Module:
        return self


class Tokens(Mean):
    """Two tokens of three numbers an image."""

    def frozen_features(self, image: torch.Tensor) -> torch.Tensor:
        return self.pooled(image)[:, :, None].expand(-1, 2, 3) + torch.arange(3)


class Network(nn.Module):
    def __init__(self, weight: float = 1.0, encoder: type[Mean] = Mean) -> None:
        super().__init__()
        self.encoder = encoder(weight)


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    import cv2

    paths = [tmp_path / f"{value}.png" for value in (10, 20, 30)]
    for path in paths:
        cv2.imwrite(str(path), np.full((4, 4), int(path.stem), np.uint8))
    return paths


def transform() -> Compose:
    return Compose([LoadImaged("image", reader=PictureReader()), EnsureChannelFirstd("image")])


def items(paths: list[Path]) -> list[dict[str, Any]]:
    return [{"image": str(path), "label": index} for index, path in enumerate(paths)]


def cache(network: nn.Module, dataset: StudyDataset, folder: Path | None, **more: Any) -> None:
    CacheFeatures(network, [dataset], transform(), folder=folder, batch_size=2, **more).fill(ENGINE)


def test_the_images_become_their_features(images: list[Path], tmp_path: Path) -> None:
    dataset = StudyDataset(items(images), Compose([]))
    cache(Network(2.0), dataset, tmp_path / "features")
    assert [float(dataset[index]["image"]) for index in range(3)] == [20, 40, 60]
    assert [dataset[index]["label"] for index in range(3)] == [0, 1, 2]


def test_the_same_encoder_and_images_are_read_and_others_are_not(images: list[Path], tmp_path: Path) -> None:
    first, again, other = Network(), Network(), Network(3.0)
    for network in (first, again, other):
        cache(network, StudyDataset(items(images), Compose([])), tmp_path / "features")
    assert [network.encoder.calls for network in (first, again, other)] == [2, 0, 2]
    images[0].write_bytes(images[2].read_bytes())  # another picture under the same name
    changed = StudyDataset(items(images), Compose([]))
    cache(again, changed, tmp_path / "features")
    assert float(changed[0]["image"]) == 30
    cache(again, StudyDataset(items(images), Compose([])), tmp_path / "features", identity={"image_size": 5})
    assert again.encoder.calls == 1 + 2  # the one that changed, and then all
    cache(again, StudyDataset(items(images[1:]), Compose([])), tmp_path / "features")
    assert again.encoder.calls == 3  # of a part of the images nothing is computed anew


def test_another_preprocessing_is_looked_at_anew(images: list[Path], tmp_path: Path) -> None:
    network, halved = Network(), Compose([*transform().transforms, ScaleIntensityRanged("image", 0, 2, 0, 1)])
    for chain in (transform(), halved):
        dataset = StudyDataset(items(images), Compose([]))
        CacheFeatures(network, [dataset], chain, folder=tmp_path / "features").fill(ENGINE)
    assert network.encoder.calls == 2
    assert float(dataset[0]["image"]) == 5


def test_the_scale_is_that_of_the_training_images(images: list[Path]) -> None:
    standardize = Standardize(1)
    train, val = (StudyDataset(items(paths), Compose([])) for paths in (images[:2], images[2:]))
    CacheFeatures(Network(), [train, val], transform(), standardize=standardize).fill(ENGINE)
    assert (standardize.mean.item(), standardize.std.item()) == (15, 5)


def test_an_unreadable_training_image_is_replaced_with_its_label(images: list[Path]) -> None:
    images[1].write_bytes(b"no picture")
    dataset = StudyDataset(items(images), Compose([]), unreadable="replace")
    cache(Network(), dataset, None)
    found = [(float(dataset[index]["image"]), dataset[index]["label"]) for index in range(3)]
    assert found[1] in ((10, 0), (30, 2))
    assert found[0] == (10, 0)
    assert found[2] == (30, 2)


def test_an_unreadable_evaluation_image_is_an_error_with_its_row(images: list[Path]) -> None:
    images[1].write_bytes(b"no picture")
    with pytest.raises(CxrError, match="Row 1"):
        cache(Network(), StudyDataset(items(images), Compose([])), None)


@pytest.mark.parametrize("kept", [True, False], ids=["on disk", "in memory"])
def test_an_unreadable_validation_image_is_marked_for_leaving_out(
    images: list[Path], tmp_path: Path, kept: bool
) -> None:
    images[1].write_bytes(b"no picture")
    for _ in range(2):  # computed, and then found again
        dataset = StudyDataset(items(images), Compose([]), unreadable="leave_out")
        cache(Network(), dataset, tmp_path / "features" if kept else None)
        found = [(float(dataset[index]["image"]), bool(dataset[index]["error"])) for index in range(3)]
        assert found[0] == (10, False)
        assert found[2] == (30, False)
        assert found[1] in ((10, True), (30, True))
        assert [dataset[index]["place"] for index in range(3)] == [0, 1, 2]
        assert dataset.left_out.keys() == {1}


def test_rows_that_a_training_passed_over_are_an_error_in_evaluation(images: list[Path], tmp_path: Path) -> None:
    images[1].write_bytes(b"no picture")
    cache(Network(), StudyDataset(items(images), Compose([]), unreadable="replace"), tmp_path / "features")
    with pytest.raises(CxrError, match="Row 1"):
        cache(Network(), StudyDataset(items(images), Compose([])), tmp_path / "features")


def test_an_encoder_that_gives_nan_is_said(images: list[Path]) -> None:
    with pytest.raises(CxrError, match="3 of 3 images have no features"):
        cache(Network(float("nan")), StudyDataset(items(images), Compose([]), unreadable="replace"), None)


def test_tokens_stay_on_disk_in_half_precision_and_go_to_workers(images: list[Path], tmp_path: Path) -> None:
    dataset = StudyDataset(items(images), Compose([]))
    cache(Network(1 / 3, Tokens), dataset, tmp_path, storage="float16")
    wanted = torch.tensor([[20 / 3 + k for k in range(3)]] * 2)
    torch.testing.assert_close(dataset[1]["image"], wanted, atol=4e-3, rtol=0)
    assert dataset[1]["image"].dtype == torch.float32
    (file,) = (path for path in tmp_path.rglob("*.npy") if not path.name.endswith(".ids.npy"))
    stored = np.load(file)
    assert (stored.shape, stored.dtype) == ((3, 2, 3), np.float16)
    assert isinstance(dataset.features, StoredFeatures)
    assert all(isinstance(part, np.memmap) for part in dataset.features._opened.values())
    copy = pickle.loads(pickle.dumps(dataset))  # noqa: S301 - what a worker gets
    assert copy.features._opened == {}
    assert torch.equal(copy[1]["image"], dataset[1]["image"])


def test_a_killed_pass_goes_on_where_it_was(images: list[Path], tmp_path: Path) -> None:
    class Killed(Mean):
        def frozen_features(self, image: torch.Tensor) -> torch.Tensor:
            if self.calls == 1:
                raise KeyboardInterrupt
            return self.pooled(image)

    first, second = Network(encoder=Killed), Network()
    with pytest.raises(KeyboardInterrupt):
        cache(first, StudyDataset(items(images), Compose([])), tmp_path, part_mib=0)
    dataset = StudyDataset(items(images), Compose([]))
    cache(second, dataset, tmp_path, part_mib=0)
    assert second.encoder.calls == 1  # of two batches
    assert [float(dataset[index]["image"]) for index in range(3)] == [10, 20, 30]


@pytest.mark.parametrize("how", ["SIGTERM", "by hand"])
def test_a_pass_that_is_told_to_stop_ends_after_its_batch_and_keeps_it(
    images: list[Path], tmp_path: Path, how: str
) -> None:
    """Three images in batches of one; told in the second."""

    class Told(Mean):
        def frozen_features(self, image: torch.Tensor) -> torch.Tensor:
            if self.calls == 1 and how == "SIGTERM":
                os.kill(os.getpid(), signal.SIGTERM)
            elif self.calls == 2:
                raise KeyboardInterrupt
            return self.pooled(image)

    engine, signals = Engine(lambda engine, batch: None), StopSignals()
    first, second = Network(encoder=Told), Network()
    datasets = [StudyDataset(items(images), Compose([])) for _ in range(3)]
    signals.listen(engine)
    try:
        fill = CacheFeatures(first, datasets[:2], transform(), folder=tmp_path, batch_size=1).fill
        if how == "SIGTERM":
            fill(engine)
            assert engine.should_terminate
        else:
            with pytest.raises(KeyboardInterrupt):
                fill(engine)
    finally:
        signals.release()
    assert first.encoder.calls == 2  # and nothing of the second data set
    assert datasets[0].features is None
    cache(second, datasets[2], tmp_path)
    assert second.encoder.calls == 1  # of the third image alone
    assert [float(datasets[2][index]["image"]) for index in range(3)] == [10, 20, 30]


def test_a_part_without_its_ids_does_not_count(images: list[Path], tmp_path: Path) -> None:
    network = Network()
    cache(network, StudyDataset(items(images), Compose([])), tmp_path)
    next(tmp_path.rglob("*.ids.npy")).unlink()
    cache(network, StudyDataset(items(images), Compose([])), tmp_path)
    assert network.encoder.calls == 4


def test_ranks_share_the_work(images: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two ranks in turn, as the barriers let them: each looks at half, and finds all."""
    monkeypatch.setattr(idist, "get_world_size", lambda: 2)
    seen, found = [], None
    for rank in (1, 0):
        monkeypatch.setattr(idist, "get_rank", lambda rank=rank: rank)
        dataset, network = StudyDataset(items(images), Compose([])), Network()
        ids = image_ids(dataset.data)
        handler = CacheFeatures(network, [dataset], transform(), folder=tmp_path)
        with monkeypatch.context() as patch:
            patch.setattr(FeatureFiles, "find", lambda files, ids: StoredFeatures([], np.full((len(ids), 2), -1)))
            handler._features(network.encoder, dataset, FeatureFiles(tmp_path, "key"))
        seen.append(network.encoder.calls)
        found = FeatureFiles(tmp_path, "key").find(ids)
        assert found.missing == ([0, 2] if rank == 1 else [])
    assert seen == [1, 1]
    assert found is not None
    assert [float(found[index]) for index in range(3)] == [10, 20, 30]


def test_what_half_precision_cannot_hold_is_said(images: list[Path]) -> None:
    dataset = StudyDataset(items(images), Compose([]), unreadable="replace")
    with pytest.raises(CxrError, match=r"3 of 3 images have no features.*not a finite number"):
        cache(Network(1e5), dataset, None, storage="float16")


def test_an_image_that_half_precision_cannot_hold_is_not_lost_in_silence(
    images: list[Path], caplog: pytest.LogCaptureFixture
) -> None:
    """Greys of 10, 20 and 30 times 3,000: float16 ends at 65,504."""
    dataset = StudyDataset(items(images), Compose([]), unreadable="replace")
    cache(Network(3000), dataset, None, storage="float16")
    assert "1 of 3 images have no features" in caplog.text
    assert float(dataset[2]["image"]) in (30000, 60000)


def test_a_folder_that_cannot_be_made_is_told_with_what_to_do(images: list[Path]) -> None:
    with pytest.raises(CxrError, match=r"cannot be kept in .*features_dir; in a task cache_dir"):
        cache(Network(), StudyDataset(items(images), Compose([])), images[0] / "features")


def test_a_network_that_is_trained_sees_pixels() -> None:
    engine = Engine(lambda engine, batch: None)
    CacheFeatures(Network(), [], None, enabled=False).attach(engine)
    assert not any(engine._event_handlers.values())
