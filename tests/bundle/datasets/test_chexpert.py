"""CheXpert and CheXpert Plus: what stands in the path, what a blank means, which part is the test part."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from scripts.errors import CxrError

from .miniature import lay, manifest, pack, picture

NAMES = (
    "No Finding,Enlarged Cardiomediastinum,Cardiomegaly,Lung Opacity,Lung Lesion,Edema,Consolidation,Pneumonia,"
    "Atelectasis,Pneumothorax,Pleural Effusion,Pleural Other,Fracture,Support Devices"
)
HEADER = f"Path,Sex,Age,Frontal/Lateral,AP/PA,{NAMES}"
ROOT = "CheXpert-v1.0-small"
TRAIN = (
    f"{ROOT}/train/patient00001/study1/view1_frontal.jpg,Female,68,Frontal,AP,1.0,,,,,,,,,0.0,,,,1.0",
    f"{ROOT}/train/patient00002/study1/view1_frontal.jpg,Male,0,Frontal,LL,,,1.0,-1.0,,,,1.0,,,,,,",
    f"{ROOT}/train/patient00002/study1/view2_lateral.jpg,Unknown,77,Lateral,,,,1.0,-1.0,,,,0.0,,,,,,",
    f"{ROOT}/train/patient00003/study2/view1_frontal.jpg,Male,41,Frontal,PA,,,,,,0.0,,,,,1.0,,,",
)
VALID = (f"{ROOT}/valid/patient64541/study1/view1_frontal.jpg,Male,73,Frontal,AP,0.0,1.0" + ",0.0" * 12,)


@pytest.fixture
def folder(tmp_path):
    paths = [row.split(",")[0] for row in (*TRAIN, *VALID)]
    files = {path: picture(seed, suffix=".jpg") for seed, path in enumerate(paths)}
    tables = {"train": TRAIN, "valid": VALID}
    lay(tmp_path / "set", files)
    return lay(tmp_path / "set" / ROOT, {f"{name}.csv": "\n".join([HEADER, *rows]) for name, rows in tables.items()})


def test_the_study_table_cell_by_cell(folder):
    found = manifest("chexpert", folder, "--val-share", "0.34")
    table = found.table
    paths = [row.split(",")[0] for row in (*TRAIN, *VALID)]
    assert table["image"].tolist() == [str(folder.parent / path) for path in paths]
    assert table["image_id"].tolist() == paths
    assert table["patient_id"].tolist() == [f"patient{n}" for n in ("00001", "00002", "00002", "00003", "64541")]
    assert table["study_id"].tolist() == [
        f"patient{n}" for n in ("00001/study1", "00002/study1", "00002/study1", "00003/study2", "64541/study1")
    ]
    assert table["view"].tolist() == ["AP", "Frontal", "Lateral", "PA", "AP"]  # LL of a frontal is no lateral
    assert table["sex"].fillna("").tolist() == ["Female", "Male", "", "Male", "Male"]
    np.testing.assert_array_equal(table["age"], [68, np.nan, 77, 41, 73])
    np.testing.assert_array_equal(table["label_No Finding"], [1, np.nan, np.nan, np.nan, 0])
    np.testing.assert_array_equal(table["label_Lung Opacity"], [np.nan, -1, -1, np.nan, 0])
    np.testing.assert_array_equal(table["label_Pneumonia"], [np.nan, 1, 0, np.nan, 0])
    assert sorted(table["split"]) == ["test", "train", "train", "train", "val"] or (
        sorted(table["split"]) == ["test", "train", "train", "val", "val"]
    )
    assert table["split"].iloc[4] == "test" and table["split"].iloc[1] == table["split"].iloc[2]
    notes = " ".join(found.notes)
    assert "train: 1 row(s) of age 0 count as unknown" in notes
    assert "`valid` is the test part" in notes and "the set has no val part" in notes


def test_with_the_test_part_valid_is_valid(folder):
    path = f"{ROOT}/test/patient64741/study1/view1_frontal.jpg"
    lay(folder.parent, {path: picture(9, suffix=".jpg"), f"{ROOT}/test.csv": f"Path,{NAMES}\n{path}" + ",1.0" * 14})
    found = manifest("chexpert", folder)
    assert found.table["split"].tolist() == ["train"] * 4 + ["val", "test"]
    assert found.table["view"].iloc[5] == "frontal"
    assert np.isnan(found.table["age"].iloc[5])


def test_no_finding_without_a_negative_is_told(folder):
    lay(folder, {"valid.csv": f"{HEADER}\n{VALID[0].replace(',0.0,1.0', ',1.0,1.0', 1)}"})
    assert "no image is known to be without No Finding" in " ".join(manifest("chexpert", folder).notes)


def test_the_archive_lies_unopened_or_its_folder_is_renamed(folder, tmp_path):
    """The path in the table begins with the archive's own folder."""
    paths = [row.split(",")[0] for row in (*TRAIN, *VALID)]
    (tmp_path / "packed").mkdir()
    archive = pack(folder.parent, tmp_path / "packed" / f"{ROOT}.zip")
    assert manifest("chexpert", archive.parent).table["image"].tolist() == [str(archive / path) for path in paths]
    assert manifest("chexpert", archive).table["image"].tolist() == [str(archive / path) for path in paths]
    renamed = tmp_path / "my_chexpert"
    shutil.move(folder, renamed)
    images = manifest("chexpert", renamed).table["image"].tolist()
    assert images == [str(renamed / path.removeprefix(f"{ROOT}/")) for path in paths]


PLUS = (
    "path_to_image,path_to_dcm,frontal_lateral,ap_pa,deid_patient_id,patient_report_date_order,report,"
    "section_findings,section_impression,age,sex,split"
)
PLUS_ROWS = (
    "train/patient00001/study1/view1_frontal.jpg,x.dcm,Frontal,AP,patient00001,1,r,,Clear lungs.,68,Female,train",
    "train/patient00002/study1/view1_frontal.jpg,x.dcm,Frontal,,patient00002,1,r,Large heart.,Edema.,50,Male,train",
    "valid/patient64541/study1/view2_lateral.jpg,x.dcm,Lateral,,patient64541,1,r,,Effusion.,40,Male,valid",
)


def test_chexpert_plus_cell_by_cell(tmp_path):
    paths = [row.split(",")[0] for row in PLUS_ROWS]
    files = {f"PNG/{path.replace('.jpg', '.png')}": picture(seed) for seed, path in enumerate(paths)}
    labels = [{"path_to_image": paths[0], "Edema": None, "Pneumonia": 0.0}, {"path_to_image": paths[1], "Edema": 1.0}]
    texts = {
        "df_chexpert_plus_240401.csv": "\n".join([PLUS, *PLUS_ROWS]),
        "chexbert_labels/report_fixed.json": "\n".join(map(json.dumps, labels)),
    }
    found = manifest("chexpert-plus", lay(tmp_path, {**files, **texts}), "--val-share", "0.4")
    table = found.table
    assert table["image"].tolist() == [str(tmp_path / "PNG" / path.replace(".jpg", ".png")) for path in paths]
    assert table["study_id"].tolist() == ["patient00001/1", "patient00002/1", "patient64541/1"]
    assert table["view"].tolist() == ["AP", "Frontal", "Lateral"]
    assert table["findings"].fillna("").tolist() == ["", "Large heart.", ""]
    assert table["impression"].tolist() == ["Clear lungs.", "Edema.", "Effusion."]
    np.testing.assert_array_equal(table["label_Edema"], [np.nan, 1, np.nan])
    np.testing.assert_array_equal(table["label_Pneumonia"], [0, np.nan, np.nan])
    assert table["split"].iloc[2] == "test"


@pytest.mark.parametrize(
    ("lines", "message"), [('{"path": "a"}', "its lines have no `path_to_image`"), ('{"pa', "is no JSON")]
)
def test_another_label_file_of_chexpert_plus_is_named(tmp_path, lines, message):
    files = {"PNG/train/patient00001/study1/view1_frontal.png": picture(0), "report_fixed.json": lines}
    lay(tmp_path, {**files, "df_chexpert_plus_240401.csv": "\n".join([PLUS, PLUS_ROWS[0]])})
    with pytest.raises(CxrError, match=rf"report_fixed\.json.*{message}"):
        manifest("chexpert-plus", tmp_path)
