"""Damaged and lying files, the same ones every time: none lost, none read wrong where it gives itself away, and nothing
of a patient in what is said of them. `python -m tests.mutants` does more of them, in worker processes.
"""

from __future__ import annotations

import hashlib
import logging
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from monai.transforms import Compose, EnsureChannelFirstd, LoadImaged

from bundle.prepare.worker import Ingest
from scripts.data.image_store import StoreSettings
from scripts.data.picture_reader import PictureReader
from scripts.data.reader import CxrReader
from scripts.data.sampling import StudyDataset
from scripts.data.standardize import StandardizeRadiographd
from scripts.data.store_reader import StoreReader
from tests.mutants import judge, measure
from tests.mutants.mutations import MUTATIONS, mutants
from tests.mutants.originals import NAMES, original

ROUNDS = 3
COUNT = ROUNDS * len(NAMES) * len(MUTATIONS)

# SHA-256 over the mutants: a package that encodes otherwise makes other mutants, which nobody has looked at. Not of the
# deflated ones, whose bytes are those of the system's zlib.
DIGESTS = {
    "implicit": "50a2eb730dea271a",
    "explicit": "ecf43d9013906ca4",
    "rle": "e6ea9d48254acad2",
    "jpeg_baseline": "c456d123b86152d3",
    "jpeg_lossless": "a26d1bc06b841f47",
    "jpeg_ls": "434dcf7e211af9db",
    "jpeg2000_lossless": "2e148596ab327589",
    "jpeg2000": "033382645326d903",
    "htj2k": "056c409414a6deef",
    "big_endian": "57638bdf1cc46adb",
}

pytestmark = pytest.mark.filterwarnings("ignore")  # stock's reader, of nearly every mutant


def test_the_mutants_are_the_known_ones() -> None:
    digests: defaultdict[str, hashlib._Hash] = defaultdict(hashlib.sha256)
    for mutant in mutants(COUNT):
        digests[mutant.name].update(mutant.content)
    assert {name: digests[name].hexdigest()[:16] for name in DIGESTS} == DIGESTS


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> dict[int, dict]:
    """What `prepare`'s worker says of each mutant."""
    folder = tmp_path_factory.mktemp("mutants")
    ingest = Ingest(folder, COUNT, StoreSettings(size=judge.SIZE))
    seen = {}
    for mutant in mutants(COUNT):
        path = folder / "Quillfeather.dcm"  # a name may hold a patient's, too
        path.write_bytes(mutant.content)
        seen[mutant.seed] = ingest((mutant.seed, str(path), None))
    return seen


def test_no_row_is_lost_and_each_has_its_reason(facts: dict[int, dict]) -> None:
    assert sorted(facts) == list(range(COUNT))
    kinds = {entry["exclude_reason"].split(":")[0] for entry in facts.values()}
    assert kinds <= {"", "unreadable", "no contrast"}


def test_nothing_of_the_patient_is_said(facts: dict[int, dict]) -> None:
    said = "\n".join(map(str, facts.values()))
    assert [secret for secret in measure.secrets() if secret in said] == []


def test_nothing_of_the_patient_is_said_of_raw_files(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """By the road of training, validation and inference on raw files."""
    items = []
    for mutant in mutants(COUNT):
        path = tmp_path / f"{mutant.seed}.dcm"
        path.write_bytes(mutant.content)
        items.append({"image": str(path), "row": mutant.seed})
    load = Compose(
        [
            LoadImaged("image", reader=[PictureReader(), CxrReader(decode_size=judge.SIZE), StoreReader()]),
            EnsureChannelFirstd("image"),
            StandardizeRadiographd("image", judge.SIZE),
        ]
    )
    dataset = StudyDataset(items, load, unreadable="report", shape=(1, judge.SIZE, judge.SIZE))
    said = (
        "\n".join(
            f"{item['error']} {getattr(item['image'], 'meta', {})}" for item in map(dataset.__getitem__, range(COUNT))
        )
        + caplog.text
    )
    assert "cannot be read" in said
    assert [secret for secret in measure.secrets() if secret in said] == []


def test_pictures_are_refused_or_right(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Zero wrong among the lies that a file gives away; no more than stock MONAI's among the others."""
    caplog.set_level(logging.CRITICAL)
    tally = measure.judged(COUNT, tmp_path)
    assert tally.rows == COUNT and tally.wrong_though_detectable == []
    wrong = [sum(count for (_, seen), count in side.items() if seen == "wrong") for side in (tally.ours, tally.stock)]
    assert wrong[0] <= wrong[1]


@pytest.mark.parametrize("name", NAMES)
def test_the_sound_files_are_read(tmp_path: Path, name: str) -> None:
    """Both polarities are one picture."""
    path, seen = tmp_path / "a.dcm", []
    for photometric in ("MONOCHROME1", "MONOCHROME2"):
        path.write_bytes(original(name, photometric))
        seen.append(judge.ours(path))
    assert np.ptp(seen[0]) > 0.9
    np.testing.assert_allclose(seen[0], seen[1], atol=0.1 if name in ("jpeg_baseline", "jpeg2000") else 1e-3)
