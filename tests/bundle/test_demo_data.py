"""The demo folder: the same for a seed, valid DICOM, and files that agree with one another."""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pydicom
import pytest

from bundle.demo import add_arguments, main, make_demo
from bundle.demo.plan import BOXED, FINDINGS
from scripts.data.reader import CxrReader
from scripts.errors import CxrError

SMALL = (128, 200)
STUDIES = 50
REQUIRED = (
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "PatientID",
    "PatientSex",
    "PatientAge",
    "Modality",
    "PresentationIntentType",
    "ImageType",
    "BodyPartExamined",
    "PatientOrientation",
    "ViewPosition",
    "ImageLaterality",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PixelIntensityRelationship",
    "PixelIntensityRelationshipSign",
    "RescaleSlope",
    "RescaleIntercept",
    "PresentationLUTShape",
    "LossyImageCompression",
    "BurnedInAnnotation",
    "ImagerPixelSpacing",
    "PixelData",
)


def digest(folder: Path) -> dict[str, str]:
    """SHA-256 of every file by its relative path."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("demo") / "data"
    make_demo(out, STUDIES, seed=3, workers=2, size=SMALL, progress=False)
    return out


@pytest.fixture(scope="module")
def table(data) -> pd.DataFrame:
    return pd.read_csv(data / "demo.csv", keep_default_na=False)


def read_mask(path: Path) -> np.ndarray:
    mask = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert mask is not None, path
    return mask


def test_same_files_for_any_number_of_workers_and_a_longer_list_begins_with_the_shorter(data, tmp_path):
    make_demo(tmp_path, 24, seed=3, workers=1, size=SMALL, progress=False)
    short, whole = digest(tmp_path), digest(data)
    pictures = [name for name in short if name.startswith(("dicom", "masks"))]
    assert len(pictures) == 24 * 8 and all(short[name] == whole[name] for name in pictures)
    assert (data / "demo.csv").read_text().startswith((tmp_path / "demo.csv").read_text())


def test_a_seed_changes_everything(data, tmp_path):
    make_demo(tmp_path, 2, seed=4, workers=1, size=SMALL, progress=False)
    other, whole = digest(tmp_path), digest(data)
    assert other["dicom/p00000_s0.dcm"] != whole["dicom/p00000_s0.dcm"]
    assert other["masks/p00000_s0_lungs.png"] != whole["masks/p00000_s0_lungs.png"]


def test_an_interrupted_run_is_resumed(tmp_path, monkeypatch):
    make_demo(tmp_path / "whole", 6, seed=1, workers=1, size=SMALL, progress=False)
    from bundle.demo import generate

    write = generate._write_image
    written: list[str] = []
    limit = 4

    def dies_at_the_limit(path: Path, plan: Any, phantom: Any, rng: Any, seed: int) -> None:
        if len(written) == limit:
            raise KeyboardInterrupt
        written.append(path.name)
        write(path, plan, phantom, rng, seed)

    monkeypatch.setattr(generate, "_write_image", dies_at_the_limit)
    with pytest.raises(KeyboardInterrupt):
        make_demo(tmp_path / "cut", 6, seed=1, workers=1, size=SMALL, progress=False)
    assert not (tmp_path / "cut" / "demo.csv").exists()
    limit = 99
    make_demo(tmp_path / "cut", 6, seed=1, workers=1, size=SMALL, progress=False)
    assert len(written) == len(set(written)) == 6
    assert digest(tmp_path / "cut") == digest(tmp_path / "whole")


def test_another_recipe_is_refused_and_the_same_is_kept(data):
    before = digest(data)
    make_demo(data, STUDIES, seed=3, size=SMALL, progress=False)
    assert digest(data) == before
    with pytest.raises(CxrError, match="another recipe"):
        make_demo(data, STUDIES, seed=5, size=SMALL, progress=False)


@pytest.mark.parametrize(("studies", "size"), [(0, SMALL), (2, (300, 200)), (2, (10, 20))])
def test_arguments_out_of_range(tmp_path, studies, size):
    with pytest.raises(CxrError, match="studies="):
        make_demo(tmp_path, studies, size=size, progress=False)


def test_columns_and_labels(table):
    names = ["lungs", "heart", *FINDINGS]
    expected = ["image", "patient_id", "study_id", "study_date_offset", "view", "sex", "age", "report"]
    expected += ["boxes", "box_labels"] + [f"label_{kind}" for kind in FINDINGS] + [f"mask_{name}" for name in names]
    assert set(table.columns) == set(expected)
    assert len(table) == STUDIES and table.study_id.is_unique and table.image.is_unique
    for kind in FINDINGS:
        assert set(table[f"label_{kind}"].astype(str)) <= {"1", "0", "-1", ""}
    assert set(table.view) == {"PA", "AP"} and set(table.sex) == {"F", "M"}


def test_patients_never_collide(table):
    """One sex a patient, days that only go forward, ages that do not fall."""
    for patient, visits in table.groupby("patient_id"):
        assert visits.study_id.str.startswith(patient).all()
        assert visits.sex.nunique() == 1
        assert visits.study_date_offset.is_monotonic_increasing and visits.study_date_offset.iloc[0] == 0
        assert visits.age.is_monotonic_increasing
    assert table.patient_id.value_counts().max() in (2, 3, 4)


def test_files_are_digital_radiographs(data, table):
    heads = [pydicom.dcmread(data / image) for image in table.image]
    for head, row in zip(heads, table.itertuples()):
        assert [name for name in REQUIRED if name not in head] == []
        assert head.SOPClassUID == pydicom.uid.DigitalXRayImageStorageForPresentation
        assert (head.ViewPosition, head.PatientSex) == (row.view, row.sex)
        assert head.PatientID == "DEMO" + row.patient_id[1:]
    assert {head.PhotometricInterpretation for head in heads} == {"MONOCHROME1", "MONOCHROME2"}
    assert len({head.file_meta.TransferSyntaxUID for head in heads}) >= 6
    assert len({head.SOPInstanceUID for head in heads}) == STUDIES
    assert {"WindowCenter" in head for head in heads} == {True, False}
    assert {"PixelSpacing" in head for head in heads} == {True, False}
    assert {head.BitsStored for head in heads} >= {10, 12, 14}


def test_polarity_is_normal_after_reading(data, table):
    """Lungs are darker than the heart in every file, whatever its photometric interpretation."""
    reader = CxrReader()
    for row in table.itertuples():
        pixels = reader.get_data(reader.read(str(data / row.image)))[0].squeeze()
        lungs, heart = (read_mask(data / path) > 0 for path in (row.mask_lungs, row.mask_heart))
        assert pixels.shape == lungs.shape == heart.shape
        assert np.median(pixels[lungs]) < np.median(pixels[heart]), row.image


def test_labels_masks_and_boxes_agree(data, table):
    seen = dict.fromkeys(FINDINGS, 0)
    for _, row in table.iterrows():
        boxes, names = json.loads(row.boxes), json.loads(row.box_labels)
        assert len(boxes) == len(names) and set(names) <= set(BOXED)
        lungs = read_mask(data / row.mask_lungs)
        for kind in FINDINGS:
            mask = read_mask(data / row[f"mask_{kind}"])
            assert mask.dtype == np.uint8 and set(np.unique(mask)) <= {0, 255} and mask.shape == lungs.shape
            label = row[f"label_{kind}"]
            if str(label) in ("0", "1"):
                assert mask.any() == (str(label) == "1"), (row.image, kind)
                seen[kind] += int(mask.any())
            if kind not in BOXED:
                continue
            assert not mask[lungs == 0].any(), (row.image, kind)
            own = np.array([box for box, name in zip(boxes, names) if name == kind])
            assert mask.any() == bool(len(own))
            if len(own):
                rows, columns = np.nonzero(mask)
                hull = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
                assert [*own[:, :2].min(0), *own[:, 2:].max(0)] == hull, (row.image, kind)
    assert min(seen.values()) >= 3


def test_command_line(tmp_path, capsys):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    picture = tmp_path / "demo.png"
    options = ["--studies", "4", "--size", "128", "160", "--workers", "1", "--montage", str(picture)]
    assert main(parser.parse_args([str(tmp_path / "out"), *options])) == 0
    assert "4 studies" in capsys.readouterr().out
    image = read_mask(picture)
    assert image.ndim == 3 and image.std() > 20
    assert "No patient" in (tmp_path / "out" / "README.txt").read_text()
