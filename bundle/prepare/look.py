"""Whether the images of a manifest are there, before anything is written; and where they are if they are not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from scripts.errors import CxrError
from scripts.radiograph.file_kind import DICOM_SUFFIXES, PICTURE_SUFFIXES, is_dicom, is_image

from ..datasets.archive import exists, split_path

LOOK_FOR = 200
TRIED = 12  # names that are looked for elsewhere
FOLDERS = 500  # that they are looked for in
SUFFIXES = ("", *PICTURE_SUFFIXES, *DICOM_SUFFIXES[1:])


def require_images(images: Sequence[str], source: Path) -> None:
    """Refuses a table whose images are all missing, or all something else than images: a wrong --image or --root.

    Some are looked at, evenly over the table, for one folder of a large archive may be missing; all of them only where
    none of these is there. A message names rows and folders of many images, no file.

    Raises:
        CxrError: with what was looked for, and how they are found.
    """
    some = [Path(images[row]) for row in _evenly(len(images), LOOK_FOR)]
    there = [path for path in some if exists(path)] or [path for path in map(Path, images) if exists(path)]
    if not there:
        raise CxrError(f"none of the {len(images)} images exists below {source}; {_cure(images, source)}")
    if not any(split_path(path) or is_image(path) or is_dicom(path) for path in there[:LOOK_FOR]):
        raise CxrError(
            f"none of {len(there[:LOOK_FOR])} files that the column of --image names is a DICOM, PNG, JPEG, TIFF or "
            "BMP image. Name the column of the images with --image."
        )


def _cure(images: Sequence[str], source: Path) -> str:
    """Where images of those names are, if not below `source`."""
    rows = _evenly(len(images), TRIED)
    names = [path.relative_to(source) for row in rows if (path := Path(images[row])).is_relative_to(source)]
    if not names:
        return "their paths begin at the disk's root. Correct the column of --image."
    for folder in (source, *list(source.parents)[:2], *islice(_folders(source), FOLDERS)):
        for suffix in SUFFIXES:
            found = sum((folder / f"{name}{suffix}").is_file() for name in names)
            # One image in a folder of its own: its name may be a patient's.
            if found < min(2, len(names)):
                continue
            advice = f"with {suffix} at the end of each name, which the column of --image lacks" if suffix else ""
            if folder != source:
                all_there = found == len(names)
                place = f"--root {folder}" if all_there else f"{folder} ({found} of {len(names)} looked for) and others"
                advice += f"{', and ' if suffix else ''}{'with' if all_there else 'in'} {place}"
            return f"they are found {advice}."
    parents = sum((source / name).parent.is_dir() for name in names)
    example = f"for example row {rows[0]}, whose folder is {'there' if parents else 'missing, too'}"
    return f"{example}. Give the folder that the paths start from with --root, or their column with --image."


def _folders(source: Path) -> Iterator[Path]:
    """Folders one and two levels below."""
    if source.is_dir():
        for pattern in ("*", "*/*"):
            yield from (path for path in source.glob(pattern) if path.is_dir())


def _evenly(count: int, most: int) -> list[int]:
    return np.linspace(0, count - 1, min(count, most), dtype=int).tolist()
