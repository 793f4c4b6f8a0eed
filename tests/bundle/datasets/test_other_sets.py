"""PadChest, Open-i, covid-chestxray-dataset and a folder of DICOM files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom.data import get_testdata_file

from bundle.datasets import padchest
from bundle.demo.dicom import write_dx
from scripts.errors import CxrError

from .miniature import lay, manifest, pack, picture

PADCHEST = (
    ",ImageID,ImageDir,StudyDate_DICOM,StudyID,PatientID,PatientBirth,PatientSex_DICOM,ViewPosition_DICOM,Projection,"
    "MethodProjection,Pediatric,Report,MethodLabel,Labels,Localizations"
)
PADCHEST_ROWS = (
    "0,a.png,0,20140915,s1,p1,1930.0,F,POSTEROANTERIOR,PA,m,No, sin hallazg .,Physician,['normal'],[]",
    "1,b.png,1,20150914,s2,p2,1929.0,M,,AP_horizontal,m,No,x,RNN,"
    "\"['pleural effusion', ' pleural effusion', ' pneumonia']\",[]",
    "2,c.png,1,20150914,s3,p3,None,None,,EXCLUDE,m,No,,RNN,['exclude'],[]",
    "3,d.png,1,20150914,s4,p4,1990.0,M,,L,m,No,,RNN,,[]",
    "4,e.png,1,20150914,s5,p5,1990.0,M,,PA,m,No,,RNN,\"['normal', 'scoliosis', '']\",[]",
)


def test_padchest_cell_by_cell(tmp_path):
    lay(tmp_path, {"PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv": "\n".join([PADCHEST, *PADCHEST_ROWS])})
    lay(tmp_path, {"0/a.png": picture(0)})
    pack(lay(tmp_path / "content", {f"{name}.png": picture(1) for name in "bcde"}), tmp_path / "1.zip")
    for path in (tmp_path / "content").iterdir():
        path.unlink()
    found = manifest("padchest", tmp_path)
    table = found.table
    assert table["image"].tolist() == [
        str(tmp_path / "0/a.png"),
        *(str(tmp_path / "1.zip" / f"{n}.png") for n in "bcde"),
    ]
    assert table["patient_id"].tolist() == ["p1", "p2", "p3", "p4", "p5"]
    assert table["view"].tolist() == ["PA", "AP_horizontal", "EXCLUDE", "L", "PA"]
    assert table["sex"].fillna("").tolist() == ["F", "M", "", "M", "M"]
    np.testing.assert_array_equal(table["age"], [84, 86, np.nan, 25, 25])
    np.testing.assert_array_equal(table["label_pleural effusion"], [0, 1, 0, np.nan, 0])
    np.testing.assert_array_equal(table["label_pneumonia"], [0, 1, 0, np.nan, 0])
    np.testing.assert_array_equal(table["label_normal"], [1, 0, 0, np.nan, 1])
    assert table["exclude_reason"].tolist() == ["", "", "unusable, as its labels say: exclude", "", ""]
    assert "report" not in table and "1 images are `normal` and something else" in found.notes
    table = manifest("padchest", tmp_path, "--reports", "--names", "scoliosis").table
    assert table["report"].iloc[0].strip() == "sin hallazg ."
    assert [name for name in table if name.startswith("label_")] == ["label_scoliosis"]


TWO = ["CXR1_1_IM-0001-3001", "CXR1_1_IM-0001-4001"]


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        ("['unchanged']", None),
        ("[]", None),
        ("['']", None),
        ("['mass", None),
        ("[' mass ', 'unchanged']", ["mass", "unchanged"]),
    ],
)
def test_labels_of_padchest_that_say_nothing_are_unknown(cell, found):
    assert padchest._labels(cell) == found


def report(number: int, images: list[str], **sections: str) -> str:
    texts = "".join(f'<AbstractText Label="{name.upper()}">{text}</AbstractText>' for name, text in sections.items())
    places = "".join(f'<parentImage id="{name}"/>' for name in images)
    head = f'<?xml version="1.0" encoding="utf-8"?><eCitation><uId id="CXR{number}"/>'
    return f"{head}<Abstract>{texts}</Abstract>{places}</eCitation>"


@pytest.mark.parametrize("form", ["folder", "archive"])
def test_openi_cell_by_cell(tmp_path, form):
    files = {
        "ecgen-radiology/1.xml": report(1, TWO, findings="Clear.", impression="Normal."),
        "ecgen-radiology/2.xml": report(2, [], findings="Seen."),
        "ecgen-radiology/3.xml": report(3, ["CXR3_IM-1"], indication="Cough?", impression="Edema &gt; before"),
        "ecgen-radiology/4.xml": "<eCitation>",
    }  # fmt: skip
    reports = lay(tmp_path / ("set" if form == "folder" else "content"), files)
    views = "imageid,View Position\nCXR1_1_IM-0001-3001,PA\nCXR1_1_IM-0001-4001,LATERAL\n"
    source = lay(tmp_path / "set", {"NLMCXR_png/CXR3_IM-1.png": picture(3), "nlmcxr_dicom_metadata.csv": views})
    if form == "archive":
        pack(reports, source / "NLMCXR_reports.tgz")
    found = manifest("openi", source)
    table = found.table.sort_values("image_id").reset_index()
    assert table["image_id"].tolist() == ["CXR1_1_IM-0001-3001", "CXR1_1_IM-0001-4001", "CXR3_IM-1"]
    assert table["patient_id"].tolist() == table["study_id"].tolist() == ["CXR1", "CXR1", "CXR3"]
    assert table["findings"].tolist() == ["Clear.", "Clear.", ""]
    assert table["impression"].tolist() == ["Normal.", "Normal.", "Edema > before"]
    assert table["view"].fillna("").tolist() == ["PA", "LATERAL", ""]
    assert table["image"].iloc[2] == str(source / "NLMCXR_png" / "CXR3_IM-1.png")
    assert found.notes == ["1 of 4 reports name no image", "1 reports cannot be read"]


def test_all_reports_of_openi(shared_data, tmp_path):
    """Counts of ../shared/reference/archives.md, which were counted in the files by other code."""
    (tmp_path / "NLMCXR_reports.tgz").symlink_to(shared_data / "iu_reports" / "NLMCXR_reports.tgz")
    found = manifest("openi", tmp_path)
    assert len(found.table) == 7470
    assert found.notes == ["104 of 3955 reports name no image"]
    per_report = found.table.groupby("patient_id").size()
    assert len(per_report) == 3955 - 104 and per_report.max() == 5


COVID = (
    "patientid,offset,sex,age,finding,RT_PCR_positive,view,modality,date,location,folder,filename,doi,url",
    "2,0,M,65,Pneumonia/Viral/COVID-19,Y,PA,X-ray,2020,V,images,a.jpg,d,u",
    "2,3,M,65,Pneumonia/Viral/COVID-19,Y,Axial,CT,2020,V,images,b.jpg,d,u",
    "4,,F,,No Finding,,AP Supine,X-ray,2020,V,images,c.jpg,d,u",
    "5,1,F,40,todo,,L,X-ray,2020,V,images,d.jpg,d,u",
    "6,1,F,40,COVID-19,,L,CT,2020,V,volumes,e.nii.gz,d,u",
)


@pytest.mark.parametrize("header", [COVID[0], COVID[0].replace("patientid", "Patientid").replace(",url", ", url")])
def test_covid_chestxray_cell_by_cell(tmp_path, header):
    lay(tmp_path, {"metadata.csv": "\n".join([header, *COVID[1:]]), "images/a.jpg": b"x"})
    table = manifest("covid-chestxray", tmp_path).table
    assert table["image"].iloc[0] == str(tmp_path / "images" / "a.jpg")
    assert table["patient_id"].tolist() == ["2", "2", "4", "5", "6"]
    assert table["study_id"].tolist() == ["2/0", "2/3", "4/?", "5/1", "6/1"]
    reasons = ["", "not a radiograph: CT", "", "", "not a radiograph: CT"]
    assert table["exclude_reason"].tolist() == reasons
    np.testing.assert_array_equal(table["label_COVID-19"], [1, 1, 0, np.nan, 1])
    np.testing.assert_array_equal(table["label_Pneumonia"], [1, 1, 0, np.nan, 0])
    np.testing.assert_array_equal(table["label_No Finding"], [0, 0, 1, np.nan, 0])


@pytest.fixture
def dicom_folder(tmp_path):
    image = np.arange(400, dtype=np.uint16).reshape(20, 20)
    person = {"PatientAge": "061Y", "PatientSex": "F"}
    for name, tags in {
        "a/IM1": {"PatientID": "P1", "AccessionNumber": "007", "ViewPosition": "PA", **person},
        "a/IM2.dcm": {"PatientID": "P1", "AccessionNumber": "7", "ViewPosition": "LL"},
        "b/x.dcm": {"PatientID": "", "AccessionNumber": "9"},
    }.items():  # fmt: skip
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write_dx(tmp_path / name, image, uid_seed=name, tags=tags)
    index = get_testdata_file("DICOMDIR", download=False)  # a real one, of pydicom's own files
    assert isinstance(index, str)
    return lay(
        tmp_path,
        {"DICOMDIR": Path(index).read_bytes(), "readme.txt": "text", "b/broken.dcm": b"\0" * 128 + b"DICM\xff\xff"},
    )


def test_a_dicom_folder_cell_by_cell(dicom_folder: Path):
    found = manifest("dicom", dicom_folder)
    table = found.table
    assert table["image_id"].tolist() == ["a/IM1", "a/IM2.dcm", "b/broken.dcm", "b/x.dcm"]
    assert table["image"].tolist() == [str(dicom_folder / name) for name in table["image_id"]]
    assert table["patient_id"].tolist() == ["P1", "P1", "b/broken.dcm", "b/x.dcm"]
    assert table["study_id"].nunique() == 4
    assert table["view"].tolist()[:2] == ["PA", "LL"]
    np.testing.assert_array_equal(table["age"].iloc[:1], [61])
    assert table["sex"].iloc[0] == "F"
    assert found.notes[:2] == [
        "2 files are no DICOM image (DICOMDIR, texts, pictures) and left out",
        "2 files name no patient: each counts as one",
    ]


def test_reports_of_a_dicom_folder(dicom_folder: Path, tmp_path):
    reports = lay(tmp_path / "more", {"r.csv": "AccessionNumber,text\n007,Clear.\n9,Effusion.\n"}) / "r.csv"
    found = manifest("dicom", dicom_folder, "--reports", str(reports), "--report", "text")
    assert found.table["report"].fillna("").tolist() == ["Clear.", "", "", "Effusion."]
    assert "2 of 4 files have a report" in found.notes
    with pytest.raises(CxrError, match="no column 'Accession' for --on; did you mean 'AccessionNumber'"):
        manifest("dicom", dicom_folder, "--reports", str(reports), "--on", "Accession")
    with pytest.raises(CxrError, match="column text has none of the files' values"):
        manifest("dicom", dicom_folder, "--reports", str(reports), "--on", "text", "--report", "text")


def test_a_folder_without_dicom_files(tmp_path):
    with pytest.raises(CxrError, match="no DICOM file among 1 files"):
        manifest("dicom", lay(tmp_path, {"a.txt": "x"}))
