"""Open-i, the Indiana University collection: an XML file a report, which names its images."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pandas as pd

from scripts.errors import CxrError

from .archive import is_tar, split_path, stream
from .facts import Expected, Facts
from .layout import Manifest
from .source import Source

FACTS = Facts(
    name="openi",
    title="Open-i, Indiana University chest X-rays",
    url="https://openi.nlm.nih.gov/faq",
    licence="CC BY-NC-ND 4.0",
    citation="Demner-Fushman D et al. Preparing a collection of radiology examinations for distribution. JAMIA 2016.",
    size="1.4 GB (PNG), 80 GB (DICOM)",
    files=(
        "ecgen-radiology/*.xml (NLMCXR_reports.tgz)",
        "NLMCXR_png (or NLMCXR_dcm)",
        "[nlmcxr_dicom_metadata.csv.gz]",
    ),
    expected={"": Expected(7_470, 3_955, "counted in the reports: one report a patient, 104 without an image")},
    policy="none: MeSH terms are not read",
)
SECTIONS = ("findings", "impression")


def add_arguments(parser: ArgumentParser) -> None:
    """It needs none."""


def read(args: Namespace) -> Manifest:
    """Manifest of the folder `args.source`: a row an image; reports that name none are counted."""
    source = Source(args.source, FACTS)
    rows: list[dict[str, Any]] = []
    count = without = damaged = 0
    for content in _reports(source):
        count += 1
        try:
            report, images = _report(content)
        except (ElementTree.ParseError, ValueError):
            damaged += 1
            continue
        without += not images
        rows += [{**report, "image_id": image} for image in images]
    if not rows:
        raise CxrError(f"{source.path}: no report that names an image; {FACTS.title} has {', '.join(FACTS.files)}.")
    table = pd.DataFrame(rows)
    places = source.by_name()
    # The DICOM files are called as the PNGs, but without CXR: 1000_IM-0003-2001.dcm.
    found = [places[name] or places[name.removeprefix("CXR")] for name in table["image_id"]]
    table["image"] = [str(place or source.path / name) for place, name in zip(found, table["image_id"])]
    if file := source.find("nlmcxr_dicom_metadata.csv*"):
        views = source.read_table(file)
        table["view"] = table["image_id"].map(views.drop_duplicates("imageid").set_index("imageid")["View Position"])
    notes = [f"{without} of {count} reports name no image"]
    notes += [f"{damaged} reports cannot be read"] if damaged else []
    return Manifest(table, source.path, notes)


def _reports(source: Source) -> Iterator[bytes]:
    """Content of every report; those of a tar in one pass."""
    paths = [path for path in source.files if path.suffix.lower() == ".xml"]
    tars: dict[Path, set[str]] = {}
    for path in paths:
        inside = split_path(path)
        if inside and is_tar(inside[0]):
            tars.setdefault(inside[0], set()).add(inside[1])
        else:
            yield (source.text(path) or "").encode()
    for tar, names in tars.items():
        yield from (content for _, content in stream(tar, names))


def _report(content: bytes) -> tuple[dict[str, Any], list[str]]:
    """Ids and sections of one report, and the images that it names."""
    if b"\0" in content or b"<!DOCTYPE" in content or b"<!ENTITY" in content:  # zeros: another encoding than UTF-8
        raise ValueError("a document type, which these files do not have")
    root = ElementTree.fromstring(content)
    number = (uid.get("id") or "").strip() if (uid := root.find("uId")) is not None else ""
    if not number:
        raise ValueError("no uId")
    texts = {(node.get("Label") or "").lower(): (node.text or "").strip() for node in root.iter("AbstractText")}
    sections = {name: texts.get(name, "") for name in SECTIONS}
    images = [image.get("id") or "" for image in root.iter("parentImage")]
    return {"patient_id": number, "study_id": number, **sections}, [image for image in images if image]
