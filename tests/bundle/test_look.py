"""Where the images are, if not where the table says."""

from __future__ import annotations

from pathlib import Path

import pytest

from bundle.prepare.look import require_images
from scripts.errors import CxrError

PNG = b"\x89PNG\r\n\x1a\n"
IMAGES = 20


def make(folder: Path, suffix: str = ".png", count: int = IMAGES) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        (folder / f"image{i}{suffix}").write_bytes(PNG)
    return folder


def look(root: Path, names: list[str]) -> str:
    with pytest.raises(CxrError) as error:
        require_images([str(root / name) for name in names], root)
    return str(error.value)


def test_images_that_are_there_or_partly(tmp_path: Path) -> None:
    names = [str(tmp_path / f"image{i}.png") for i in range(500)]
    make(tmp_path, count=1)
    require_images(names, tmp_path)
    (tmp_path / "image0.png").rename(tmp_path / "image77.png")  # not among the 200 that are looked at first
    require_images(names, tmp_path)


def test_the_archives_own_folder_in_the_cells(tmp_path: Path) -> None:
    """CheXpert's Path begins with CheXpert-v1.0-small, which is what one gives as the root."""
    root = make(tmp_path / "CheXpert-v1.0-small" / "train").parent
    message = look(root, [f"CheXpert-v1.0-small/train/image{i}.png" for i in range(IMAGES)])
    assert message == f"none of the 20 images exists below {root}; they are found with --root {tmp_path}."


def test_a_folder_between(tmp_path: Path) -> None:
    make(tmp_path / "images")
    names = [f"image{i}.png" for i in range(IMAGES)]
    assert look(tmp_path, names).endswith(f"they are found with --root {tmp_path / 'images'}.")


def test_several_folders(tmp_path: Path) -> None:
    """NIH's images_001/images to images_012/images."""
    first, second = make(tmp_path / "images_001" / "images"), make(tmp_path / "images_002" / "images")
    for i in range(IMAGES):
        ((first if i % 2 else second) / f"image{i}.png").unlink()
    message = look(tmp_path, [f"image{i}.png" for i in range(IMAGES)])
    assert f"they are found in {tmp_path}" in message and "of 12 looked for) and others." in message


def test_names_without_suffix(tmp_path: Path) -> None:
    """VinDr's image_id in train/<id>.dicom."""
    make(tmp_path / "train", ".dicom")
    message = look(tmp_path, [f"image{i}" for i in range(IMAGES)])
    assert "they are found with .dicom at the end of each name, which the column of --image lacks, " in message
    assert message.endswith(f", and with --root {tmp_path / 'train'}.")


@pytest.mark.parametrize(("folder", "state"), [("there", "there"), ("absent", "missing, too")])
def test_images_that_are_nowhere(tmp_path: Path, folder: str, state: str) -> None:
    (tmp_path / "there").mkdir()
    message = look(tmp_path, [f"{folder}/DOE_JANE_{i}.png" for i in range(3)])
    assert f"for example row 0, whose folder is {state}. Give the folder" in message and "DOE" not in message


def test_the_folder_of_one_patient_is_not_named(tmp_path: Path) -> None:
    make(tmp_path / "DOE_JANE", count=1)
    assert "DOE" not in look(tmp_path, [f"image{i}.png" for i in range(IMAGES)])


def test_files_that_are_no_images(tmp_path: Path) -> None:
    for i in range(3):
        (tmp_path / f"{i}.txt").write_text("FINDINGS: clear")
    assert "none of 3 files that the column of --image names is a DICOM" in look(
        tmp_path, [f"{i}.txt" for i in range(3)]
    )
