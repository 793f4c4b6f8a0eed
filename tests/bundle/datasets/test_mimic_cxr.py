"""MIMIC-CXR: paths from ids, columns in two orders, labels of studies, reports in a zip."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from scripts.errors import CxrError

from .miniature import lay, manifest, pack, picture

METADATA = (
    "dicom_id,subject_id,study_id,PerformedProcedureStepDescription,ViewPosition,Rows,Columns,StudyDate,StudyTime,"
    "ProcedureCodeSequence_CodeMeaning,ViewCodeSequence_CodeMeaning,PatientOrientationCodeSequence_CodeMeaning"
)
ROWS = (
    "aaa,10000032,50414267,CHEST (PA AND LAT),PA,3056,2544,21800506,213014.531,x,y,Erect",
    "bbb,10000032,50414267,CHEST (PA AND LAT),LATERAL,3056,2544,21800506,213014.531,x,y,Erect",
    "ccc,11000033,50000001,CHEST,,3056,2544,21800506,213014.531,x,y,",
    "ddd,12000044,50000002,CHEST,AP,3056,2544,21800506,213014.531,x,y,",
)
SPLIT = (
    "dicom_id,study_id,subject_id,split\naaa,50414267,10000032,train\nbbb,50414267,10000032,train\n"
    "ccc,50000001,11000033,validate\nddd,50000002,12000044,test\n"
)
LABELS = "subject_id,study_id,Edema,Pneumonia\n10000032,50414267,-1.0,\n11000033,50000001,0.0,1.0\n"
PLACES = [
    "p10/p10000032/s50414267/aaa",
    "p10/p10000032/s50414267/bbb",
    "p11/p11000033/s50000001/ccc",
    "p12/p12000044/s50000002/ddd",
]


@pytest.fixture(params=[".jpg", ".dcm"])
def folder(tmp_path, request):
    files = {f"files/{place}{request.param}": picture(seed, suffix=".jpg") for seed, place in enumerate(PLACES)}
    tables = {"metadata": "\n".join([METADATA, *ROWS]), "split": SPLIT, "chexpert": LABELS}
    packed = {f"mimic-cxr-2.0.0-{name}.csv.gz": gzip.compress(text.encode(), mtime=0) for name, text in tables.items()}
    reports = lay(
        tmp_path / "reports",
        {
            "files/p10/p10000032/s50414267.txt": " FINAL REPORT\n IMPRESSION: Mild edema.",
            "files/p11/p11000033/s50000001.txt": " FINAL REPORT\n IMPRESSION: Pneumonia.",
        },
    )
    lay(tmp_path / "mimic", {**files, **packed})
    pack(reports, tmp_path / "mimic" / "mimic-cxr-reports.zip")
    return tmp_path / "mimic", request.param


def test_the_study_table_cell_by_cell(folder):
    source, suffix = folder
    found = manifest("mimic-cxr", source)
    table = found.table
    assert table["image"].tolist() == [str(source / "files" / f"{place}{suffix}") for place in PLACES]
    assert table["image_id"].tolist() == ["aaa", "bbb", "ccc", "ddd"]
    assert table["patient_id"].tolist() == ["10000032", "10000032", "11000033", "12000044"]
    assert table["study_id"].tolist() == ["50414267", "50414267", "50000001", "50000002"]
    assert table["view"].fillna("").tolist() == ["PA", "LATERAL", "", "AP"]
    assert table["split"].tolist() == ["train", "train", "val", "test"]
    np.testing.assert_array_equal(table["label_Edema"], [-1, -1, 0, np.nan])
    np.testing.assert_array_equal(table["label_Pneumonia"], [np.nan, np.nan, 1, np.nan])
    edema, pneumonia = " FINAL REPORT\n IMPRESSION: Mild edema.", " FINAL REPORT\n IMPRESSION: Pneumonia."
    assert table["report"].fillna("").tolist() == [edema, edema, pneumonia, ""]
    assert "1 studies have no report" in found.notes
    assert "no image is known to be without Pneumonia: a blank is 'not mentioned'" in found.notes


def test_reports_unpacked_beside_the_images(folder, tmp_path):
    source, _ = folder
    (source / "mimic-cxr-reports.zip").unlink()
    assert "report" not in manifest("mimic-cxr", source).table
    lay(source, {"files/p12/p12000044/s50000002.txt": "Clear."})
    assert manifest("mimic-cxr", source).table["report"].fillna("").tolist() == ["", "", "", "Clear."]


def test_without_images_it_says_where_they_are_looked_for(folder):
    source, suffix = folder
    for path in source.rglob(f"*{suffix}"):
        path.unlink()
    with pytest.raises(CxrError, match=r"neither files/p10/…/\*\.jpg nor \*\.dcm of the 4 images"):
        manifest("mimic-cxr", source)
