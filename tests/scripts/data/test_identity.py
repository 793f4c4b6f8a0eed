"""No word of a file's identity in reasons, meta data, logs, warnings or prints, however the file is damaged."""

from __future__ import annotations

import logging
import re
import traceback
import warnings
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from bundle.demo.dicom import write_dx
from bundle.prepare.worker import why_unreadable
from scripts.data.reader import CxrReader
from scripts.errors import CxrError, UnreadableError, reading
from scripts.radiograph.silence import silence
from scripts.radiograph.vocabulary import LATERALITIES, VENDORS, vendor

IDENTITY = {
    "PatientName": "Quixwood^Zelda",
    "PatientID": "MRN7734519",
    "PatientBirthDate": "19510723",
    "PatientSex": "F",
    "PatientAge": "067Y",
    "StudyDate": "20190412",
    "SeriesDate": "20190413",
    "ContentDate": "20190414",
    "StudyTime": "134501.73",
    "AccessionNumber": "ACC99120457",
    "StudyID": "58831",
    "SeriesNumber": 47119,
    "InstitutionName": "Saint Gwendolyn",
    "StationName": "ROOM88XR",
    "ReferringPhysicianName": "Thistlewaite^Bo",
    "OperatorsName": "Urquhart",
    "StudyDescription": "CHEST Quixwood",
    "StudyInstanceUID": "1.2.826.0.1.3680043.8.498.5550019047712",
    "SeriesInstanceUID": "1.2.826.0.1.3680043.8.498.5550019047713",
    "SOPInstanceUID": "1.2.826.0.1.3680043.8.498.5550019047714",
    "ImageComments": "of Zelda Quixwood",
}
# Whole or in part: bits are flipped within these, too.
SECRET = re.compile(
    r"quix|wood|zelda|elda\b|mrn|7734|4519|1951|0723|201904|13450|acc9|9912|0457|58831|47119|saint|gwen|lyn\b|room88"
    r"|88xr|thistle|waite|urqu|hart\b|comments|chest|555001|904771|3680043",
    re.IGNORECASE,
)
MUTANTS = 1000


@pytest.mark.parametrize("name", ["implicit", "explicit", "jpeg_lossless", "deflated"])
def test_single_bit_errors_of_a_header_let_no_identity_out(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """1,000 seeded mutants of each of four syntaxes: one bit of the header is another."""
    path, reader, told = tmp_path / "a.dcm", CxrReader(), Counter[str]()
    write_dx(path, np.arange(64, dtype=np.uint8).reshape(8, 8), transfer_syntax=name, window=(9, 20), uid_seed="1")
    ds = pydicom.dcmread(path)
    for keyword, value in IDENTITY.items():
        setattr(ds, keyword, value)
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.ViewPosition, ds.NumberOfFrames = "PA", 1
    ds.save_as(path)
    whole = np.frombuffer(path.read_bytes(), np.uint8)
    header = whole.tobytes().find(b"\xe0\x7f\x10\x00") if name != "deflated" else len(whole)
    rng = np.random.default_rng(0)
    with caplog.at_level(logging.DEBUG), warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        for place, bit in zip(rng.integers(0, header, MUTANTS), rng.integers(0, 8, MUTANTS), strict=True):
            mutant = whole.copy()
            mutant[place] ^= 1 << bit
            path.write_bytes(mutant.tobytes())
            try:
                _, meta = reader.get_data([path])
                told[repr({key: value for key, value in meta.items() if key != "affine"})] += 1
                assert meta["laterality"] in ("", *LATERALITIES) and meta["manufacturer"] in ("", "other", *VENDORS)
            except CxrError as error:
                reason = str(error).replace(str(path), "")
                told[reason] += 1
                if told[reason] == 1:
                    told["".join(traceback.format_exception(error)).replace(str(path), "")] += 1
                    told[why_unreadable(error, str(path))] += 1
    printed = capfd.readouterr()
    told[caplog.text + printed.out + printed.err + "".join(str(one.message) for one in warned)] += 1
    leaks = [text for text in told if SECRET.search(text.replace(str(Path(pydicom.__file__).parent), ""))]
    assert not leaks, leaks[:3]
    # Neither all nor none of them were readable.
    assert 0.1 < sum(count for text, count in told.items() if text.startswith("{")) / MUTANTS < 0.99
    assert not warned and not caplog.records


def test_words_of_other_libraries_become_their_kind() -> None:
    with (
        pytest.raises(UnreadableError, match=r"^its header cannot be read \(KeyError\)$") as caught,
        reading("its header"),
    ):
        raise KeyError("Quixwood")
    assert "Quixwood" not in "".join(traceback.format_exception(caught.value))
    with pytest.raises(UnreadableError, match=r"^our own words$"), reading("its header"):
        raise UnreadableError("our own words")
    with pytest.raises(MemoryError), reading("its header"):
        raise MemoryError


def test_a_reason_is_our_own_words_or_the_kind_of_an_error() -> None:
    outer = CxrError("/data/Quixwood.dcm: not a readable radiograph: it is a CT image; leave it out")
    outer.__cause__ = UnreadableError("it is a CT image; leave it out")
    assert why_unreadable(outer, "/data/Quixwood.dcm") == "it is a CT image; leave it out"
    assert why_unreadable(CxrError("the file is empty"), "/data/a.dcm") == "the file is empty"
    assert why_unreadable(CxrError("/data/a.dcm: is a folder"), "/data/a.dcm") == "the file: is a folder"
    assert why_unreadable(OSError("broken chunk b'Quixwood'"), "/data/a.png") == "it is damaged (OSError)"


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("GE MEDICAL SYSTEMS", "GE"),
        ('"GE Healthcare"', "GE"),
        ("FUJI PHOTO FILM Co., ltd.", "Fujifilm"),
        ("FUJIFILM Corporation", "Fujifilm"),
        ("Philips Medical Systems", "Philips"),
        ("SIEMENS", "Siemens"),
        ("Carestream Health", "Carestream"),
        ("Agfa-Gevaert", "Agfa"),
        ("KONICA MINOLTA", "Konica"),
        ("Quixwood^Zelda", "other"),
        ("20190412", ""),
        (None, ""),
    ],
)
def test_vendors(written: str | None, name: str) -> None:
    ds = Dataset()
    ds.add_new("Manufacturer", "LO", written)
    assert vendor(ds) == name


def test_silence_ends_with_the_last_thread_that_is_inside() -> None:
    """Entered 200 times by eight threads: afterwards a warning warns, and pydicom's logger is as it was."""
    before = (list(warnings.filters), list(logging.getLogger("pydicom").filters))

    def inside(_: int) -> None:
        with silence():
            warnings.warn("Quixwood", stacklevel=1)
            logging.getLogger("pydicom").warning("Quixwood")

    with warnings.catch_warnings(record=True) as warned, ThreadPoolExecutor(8) as pool:
        warnings.simplefilter("always")
        within = list(warnings.filters)
        list(pool.map(inside, range(200)))
        assert list(warnings.filters) == within and not warned
        warnings.warn("heard", stacklevel=1)
    assert [str(one.message) for one in warned] == ["heard"]
    assert (list(warnings.filters), list(logging.getLogger("pydicom").filters)) == before
