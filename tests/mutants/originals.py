"""Sound files that the mutants are made from: eleven transfer syntaxes, both polarities, with an invented patient."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import imagecodecs
import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.encaps import encapsulate
from pydicom.filewriter import dcmwrite
from pydicom.uid import ExplicitVRBigEndian, HTJ2KLossless

from bundle.demo.dicom import SYNTAXES, write_dx

NAMES = (*SYNTAXES, "htj2k", "big_endian")
EIGHT_BITS = ("jpeg_baseline",)
SHAPE = (96, 80)

IDENTITY = {
    "PatientName": "Quillfeather^Wilhelmina",
    "PatientID": "PLANTED-48213",
    "PatientBirthDate": "19310517",
    "StudyDate": "20170923",
    "StudyTime": "174259.381",
    "AccessionNumber": "ACC-7730915",
    "StudyID": "STUDY-6602",
    "ReferringPhysicianName": "Brandywine^Octavius",
    "InstitutionName": "Thistledown Infirmary",
    "StudyInstanceUID": "1.2.826.0.1.3680043.8.498.73310246",
    "SeriesInstanceUID": "1.2.826.0.1.3680043.8.498.73310247",
    "SOPInstanceUID": "1.2.826.0.1.3680043.8.498.73310248",
}
"""What no reason, log or table may hold: of nobody."""


def picture(bits: int) -> NDArray[np.uint16] | NDArray[np.uint8]:
    """Smooth shapes, an edge and noise, `SHAPE`, that no crop, shift, swap or change of sign leaves alike."""
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]] / 16
    scene = np.sin(rows) + np.cos(columns * 1.3) + (columns > 3.5) + rows / 3
    scene += np.random.default_rng(0).normal(0, 0.03, SHAPE)
    scaled = (scene - scene.min()) / np.ptp(scene) * (2**bits - 1)
    return scaled.round().astype(np.uint8 if bits == 8 else np.uint16)


def original(name: str, photometric: str) -> bytes:
    """The sound file of a transfer syntax (one of `NAMES`)."""
    bits = 8 if name in EIGHT_BITS else 12
    written = {"htj2k": "explicit", "big_endian": "explicit"}.get(name, name)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "original.dcm"
        window = (140.0, 200.0) if bits == 8 else (2200.0, 3300.0)
        write_dx(
            path,
            picture(bits),
            photometric=photometric,
            bits_stored=bits,
            transfer_syntax=written,
            window=window,
            rescale=(1.0, 0.0),
            tags={**IDENTITY, "ViewPosition": "PA"},
            uid_seed=name,
        )
        return (
            _as_htj2k(path) if name == "htj2k" else _as_big_endian(path) if name == "big_endian" else path.read_bytes()
        )


def _as_htj2k(path: Path) -> bytes:
    ds = pydicom.dcmread(path)
    ds.PixelData = encapsulate([bytes(imagecodecs.htj2k_encode(ds.pixel_array, reversible=True))])
    ds["PixelData"].VR = "OB"
    ds.file_meta.TransferSyntaxUID = HTJ2KLossless
    stream = BytesIO()
    ds.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def _as_big_endian(path: Path) -> bytes:
    ds = pydicom.dcmread(path)
    ds.PixelData = ds.pixel_array.astype(">u2").tobytes()
    ds["PixelData"].VR = "OW"
    ds.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    ds.preamble = bytes(128)
    list(ds.iterall())  # parsed now: what still is bytes would be written as it is
    stream = BytesIO()
    dcmwrite(stream, ds, implicit_vr=False, little_endian=False, force_encoding=True)
    return stream.getvalue()
