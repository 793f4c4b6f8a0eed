"""`prepare` end to end on small made-up archives: bad files, kills, shards, identities, splits."""

from __future__ import annotations

import importlib
import json
import shutil
import signal
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import psutil
import pydicom
import pytest
from monai.transforms import Compose, EnsureChannelFirstd, LoadImaged

from bundle.__main__ import main as bundle
from bundle.demo.dicom import write_dx
from bundle.prepare import add_arguments, main
from scripts.data.image_store import ImageStore
from scripts.data.items import study_items
from scripts.data.picture_reader import PictureReader
from scripts.data.reader import CxrReader
from scripts.data.standardize import StandardizeRadiographd
from scripts.data.store_reader import StoreReader
from scripts.data.studies import read_studies
from scripts.errors import CxrError
from tests.processes import Command

SIZE = 48
GOOD = 12
PROJECT = Path(__file__).resolve().parents[2]


def pixels(seed: int, shape: tuple[int, int] = (100, 80)) -> np.ndarray:
    noise = np.random.default_rng(seed).uniform(0, 4095, shape).astype(np.float32)
    return cv2.GaussianBlur(noise, (0, 0), 3).astype(np.uint16)


def run(*arguments: str | Path) -> int:
    parser = ArgumentParser()
    add_arguments(parser)
    return main(parser.parse_args([str(argument) for argument in arguments]))


def command(source: Path, out: Path, *more: str) -> list[str]:
    columns = ["--patient", "patient", "--study", "study", "--report", "text"]
    settings = ["--size", str(SIZE), "--language-model", "none", "--workers", "2"]
    return ["table", str(source), str(out), *columns, *settings, *more]


@pytest.fixture(scope="module")
def archive(tmp_path_factory) -> Path:
    """Twelve good files of six patients in several forms, then one of every bad kind; names as archives give them."""
    folder = tmp_path_factory.mktemp("archive")
    rows: list[dict[str, str]] = []

    def add(name: str, patient: str) -> Path:
        rows.append(
            {"image": name, "patient": patient, "study": f"{patient}-{len(rows)}", "text": f"Report {len(rows)}."}
        )
        return folder / name

    for i in range(GOOD - 2):
        syntax = ["explicit", "rle", "jpeg_ls", "jpeg2000_lossless", "deflated"][i % 5]
        path = add(f"DOE_JANE_{i}.dcm", f"MRN{i // 2}")
        image = pixels(i, (60 + 9 * i, 100))
        padding = int(image[0, 0]) if i == 3 else None
        forms: dict[str, Any] = {
            "photometric": f"MONOCHROME{i % 2 + 1}",
            "padding_value": padding,
            "tags": {"ViewPosition": "PA"} | ({"PresentationLUTShape": "IDENTITY"} if i == 4 else {}),
        }
        write_dx(path, image, uid_seed=str(i), transfer_syntax=syntax, spacing=(0.2, 0.1), **forms)
    cv2.imwrite(str(add("DOE_JANE_grey.png", "MRN5")), pixels(90).astype(np.uint16) * 8)
    color = np.repeat((pixels(91) // 16).astype(np.uint8)[..., None], 3, axis=2)
    cv2.imwrite(str(add("DOE_JANE_color.jpg", "MRN5")), color)

    whole = (folder / "DOE_JANE_0.dcm").read_bytes()
    add("DOE_JANE_truncated.dcm", "MRN6").write_bytes(whole[: len(whole) // 2])
    add("DOE_JANE_text.dcm", "MRN6").write_text("This is a letter, and no radiograph.")
    add("DOE_JANE_zero.dcm", "MRN7").touch()
    ds = pydicom.dcmread(folder / "DOE_JANE_0.dcm")
    ds.Rows = ds.Columns = 65535
    ds.save_as(add("DOE_JANE_huge.dcm", "MRN7"))
    write_dx(add("DOE_JANE_flat.dcm", "MRN7"), np.full((50, 50), 7, np.uint16), uid_seed="flat")
    add("DOE_JANE_absent.dcm", "MRN7")
    pd.DataFrame(rows).to_csv(folder / "data.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def outcome(archive, tmp_path_factory) -> tuple[Path, str]:
    """The archive prepared, and what was printed."""
    out = tmp_path_factory.mktemp("prepared") / "out"
    with pytest.MonkeyPatch.context() as patch:
        lines: list[str] = []
        patch.setattr("rich.console.Console.print", lambda self, *what, **_: lines.append(" ".join(map(str, what))))
        assert run(*command(archive / "data.csv", out)) == 0
    return out, "\n".join(lines)


def test_bad_files_stay_as_rows_with_a_reason(outcome):
    out, printed = outcome
    table = read_studies(out)
    reasons = table["exclude_reason"]
    assert (reasons[:GOOD] == "").all()
    kinds = reasons[GOOD:].str.split(":").str[0].tolist()
    assert kinds == ["unreadable"] * 4 + ["no contrast", "missing file"]
    assert "empty" in reasons[GOOD + 2]
    assert table["store_row"].notna().tolist() == [True] * GOOD + [False] * 6
    assert "excluded, unreadable: 4" in printed
    audit = json.loads((out / "audit.json").read_text())
    assert audit["images"] == {"rows": GOOD + 6, "used": GOOD}
    assert audit["excluded"] == {"unreadable": 4, "no contrast": 1, "missing file": 1}
    assert audit["photometric"] == {"MONOCHROME1": 5, "MONOCHROME2": 5, "not DICOM": 2}
    assert audit["remarks"] == {"MONOCHROME1 with Presentation LUT Shape IDENTITY": 1}
    assert table["remarks"].notna().tolist() == [row == 4 for row in range(GOOD + 6)]
    assert cv2.imread(str(out / "audit.png")) is not None


def test_no_identity_is_printed_or_written(outcome, archive):
    out, printed = outcome
    table = read_studies(out)
    assert table["image_id"].str.fullmatch("[0-9a-f]{16}").all()
    assert table["patient_id"].nunique() == 8
    assert (out / "salt").stat().st_mode & 0o777 == 0o600
    for name in ("DOE", "MRN"):
        assert name not in printed
        assert not any(name in (out / file).read_text() for file in ("audit.json", "prepare.json", "journal/all.jsonl"))
        ids = table[["patient_id", "study_id", "image_id", "exclude_reason"]]
        assert not ids.apply(lambda column, name=name: column.str.contains(name)).any(axis=None)


def test_facts_of_the_files_reach_the_table(outcome):
    table = read_studies(outcome[0])
    assert table["height"][:GOOD].tolist() == [60 + 9 * i for i in range(10)] + [100, 100]
    assert table["width"][:GOOD].tolist() == [100] * 10 + [80, 80]
    assert table["spacing_y"][0] == 0.2
    assert table["spacing_x"][0] == 0.1
    # Where ITK puts column, row: a DX by its Imager Pixel Spacing, a PNG by whole millimetres.
    items = study_items(outcome[0])
    np.testing.assert_allclose(items[0]["itk_affine"], np.diag([0.1, 0.2, 1, 1]), rtol=1e-6)
    np.testing.assert_allclose(items[10]["itk_affine"], np.eye(4))
    assert table["itk_affine"][GOOD:].isna().all()
    assert table["view"][:10].eq("PA").all()
    assert table["split"].isin(["train", "val", "test"]).all()
    assert (table.groupby("patient_id")[["split", "fold"]].nunique() == 1).all(axis=None)


def test_stored_rows_equal_the_raw_road_to_the_bit(outcome):
    """Stock LoadImaged on the raw file and on the store give the same tensor."""
    out = outcome[0]
    chain = Compose(
        [
            LoadImaged(keys="image", reader=[PictureReader(), CxrReader(decode_size=SIZE), StoreReader()]),
            EnsureChannelFirstd(keys="image"),
            StandardizeRadiographd(keys="image", size=SIZE, quantize="uint8"),
        ]
    )
    stored, raw = (study_items(out, use_store=use_store) for use_store in (True, False))
    assert [item["image_id"] for item in stored] == [item["image_id"] for item in raw]
    assert len(stored) == GOOD
    for a, b in zip(stored, raw, strict=True):
        np.testing.assert_array_equal(chain(a)["image"].numpy(), chain(b)["image"].numpy())


def test_the_same_command_again_changes_nothing(outcome, archive):
    out = outcome[0]
    before = {name: (out / name).read_bytes() for name in ("images.npy", "studies.parquet", "journal/all.jsonl")}
    assert run(*command(archive / "data.csv", out)) == 0
    assert {name: (out / name).read_bytes() for name in before} == before


def test_other_settings_are_refused_in_the_same_folder(outcome, archive):
    with pytest.raises(CxrError, match=r"begun from other input or settings .dtype uint8 → uint16"):
        run(*command(archive / "data.csv", outcome[0], "--dtype", "uint16"))


def test_a_repaired_file_is_taken_in_with_retry(outcome, archive, tmp_path):
    source, out = tmp_path / "archive", tmp_path / "out"
    shutil.copytree(archive, source)
    shutil.copytree(outcome[0], out)
    write_dx(source / "DOE_JANE_absent.dcm", pixels(7), uid_seed="7")
    assert run(*command(source / "data.csv", out, "--retry")) == 0
    table = read_studies(out)
    assert (table["exclude_reason"] == "").sum() == GOOD + 1
    assert ImageStore(out)[int(table["store_row"].iloc[-1])].any()
    assert read_studies(outcome[0])["patient_id"].equals(table["patient_id"])  # the salt stayed


def test_shards_write_the_bytes_of_one_run(outcome, archive, tmp_path):
    out = tmp_path / "out"
    for more in (["--shard", "0/2"], ["--shard", "1/2"], []):
        assert not (out / "studies.parquet").exists()
        assert run(*command(archive / "data.csv", out, *more)) == 0
    assert (out / "images.npy").read_bytes() == (outcome[0] / "images.npy").read_bytes()


# `python -m bundle …`, which kills itself in the middle: who looks on from outside may be too late.
KILLED = """
import os, signal, sys
import psutil
from bundle.__main__ import main
from bundle.prepare.journal import Journal
left, add = 6, Journal.add
def counted(self, row, facts):
    global left
    add(self, row, facts)
    left -= 1
    if left == 0:
        print("children:", *(child.pid for child in psutil.Process().children(recursive=True)), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
Journal.add = counted
sys.exit(main(sys.argv[1:]))
"""


def runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_killed_run_continues_where_it_was(tmp_path):
    """kill -9 of the real command in the middle, a torn journal line, and the same command again."""
    count = 100
    source, out, whole = (tmp_path / name for name in ("archive", "out", "whole"))
    source.mkdir()
    for i in range(count):
        cv2.imwrite(str(source / f"{i}.png"), cv2.resize(pixels(i), (800, 700)), [cv2.IMWRITE_PNG_COMPRESSION, 1])
    table = pd.DataFrame({"image": [f"{i}.png" for i in range(count)], "patient": range(count), "study": range(count)})
    table.assign(text="Clear.").to_csv(source / "data.csv", index=False)
    arguments = command(source / "data.csv", out)
    killed = Command(["-c", KILLED, "prepare", *arguments], tmp_path / "log.txt", PROJECT)
    told = killed.communicate()[0]
    assert killed.returncode == -signal.SIGKILL, told
    journal = out / "journal" / "all.jsonl"
    assert journal.read_bytes().count(b"\n") - 1 == 6
    assert not (out / "images.npy").exists()
    pids = [int(pid) for pid in told.split("children:")[1].splitlines()[0].split()]
    assert pids
    while any(map(runs, pids)):  # they end by themselves
        time.sleep(0.01)
    with journal.open("a") as file:
        file.write('{"row": 99, "exclude_re')

    assert run(*arguments) == 0
    rows = [json.loads(line)["row"] for line in journal.read_text().splitlines()[1:]]
    assert sorted(rows) == list(range(count))  # every row once: nothing was decoded twice
    assert run(*command(source / "data.csv", whole)) == 0
    assert (out / "images.npy").read_bytes() == (whole / "images.npy").read_bytes()


def test_identical_images_join_patients_or_leave_the_training_split(archive, tmp_path):
    """A copy of a test image under another patient's name, in train: excluded; and with drawn splits, on one side."""
    names = [f"DOE_JANE_{i}.dcm" for i in range(8)]
    shutil.copytree(archive, tmp_path / "archive")
    shutil.copy(archive / names[0], tmp_path / "archive" / "copy.dcm")
    table = pd.DataFrame(
        {"image": [*names, "copy.dcm"], "patient": [*"abcdefgh", "z"], "study": range(9), "text": "Clear."}
    )
    table["set"] = ["test", "val", *["train"] * 7]
    path = tmp_path / "archive" / "copies.csv"
    table.to_csv(path, index=False)
    assert run(*command(path, tmp_path / "given", "--split", "set", "--deidentified")) == 0
    given = read_studies(tmp_path / "given")
    assert given["split"].tolist() == table["set"].tolist()
    assert given["exclude_reason"].tolist() == [""] * 8 + ["duplicate across splits: same pixels as an image of test"]
    assert given["duplicate_of"].iloc[8] == 0
    for seed in range(2):
        assert run(*command(path, tmp_path / f"drawn{seed}", "--deidentified", "--seed", str(seed))) == 0
        drawn = read_studies(tmp_path / f"drawn{seed}").set_index("patient_id")
        assert drawn.loc["a", "split"] == drawn.loc["z", "split"]
        assert drawn.loc["a", "fold"] == drawn.loc["z", "fold"]
        assert (drawn["exclude_reason"] == "").all()


def test_a_given_split_that_parts_a_patient_is_refused(archive, tmp_path):
    names = [f"DOE_JANE_{i}.dcm" for i in range(3)]
    table = pd.DataFrame({"image": names, "patient": ["MRN1", "MRN1", "MRN2"], "study": range(3), "text": "Clear."})
    path = archive / "leak.csv"
    table.assign(set=["train", "test", "train"]).to_csv(path, index=False)
    with pytest.raises(CxrError, match=r"leak.csv: 1 patient.*more than one split, for example that of rows \[0, 1\]"):
        run(*command(path, tmp_path / "out", "--split", "set"))
    assert not (tmp_path / "out").exists()  # the corrected table starts anew


def test_a_repeated_image_is_refused_before_anything_is_decoded(archive, tmp_path):
    names = ["DOE_JANE_0.dcm", "DOE_JANE_1.dcm", "DOE_JANE_0.dcm"]
    table = pd.DataFrame({"image": names, "patient": range(3), "study": range(3), "text": "Clear."})
    path = archive / "twice.csv"
    table.to_csv(path, index=False)
    with pytest.raises(CxrError, match=r"rows repeat an image, for example rows \[0, 2\]; keep one row"):
        run(*command(path, tmp_path / "out"))
    table[:2].to_csv(path, index=False)
    assert run(*command(path, tmp_path / "out")) == 0


def test_a_wrong_root_costs_a_second_and_no_store(archive, tmp_path):
    with pytest.raises(CxrError, match=r"none of the 18 images exists below .*; for example row 0, .*--root"):
        run(*command(archive / "data.csv", tmp_path / "out", "--root", str(tmp_path)))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (["--image", "text"], r"none of the 18 images exists below .*their column with --image"),
        (["--image", "letter", "--study", "study"], "none of 18 files that the column of --image names is a DICOM"),
        (["--report", "empty"], "all reports are empty after cleaning"),
        (["--language-model", "./nowhere"], r"Language model folder \./nowhere does not exist"),
    ],
)
def test_whatever_is_wrong_with_the_command_is_said_before_out_is_there(archive, tmp_path, wrong, message):
    table = pd.read_csv(archive / "data.csv").assign(empty="XXXX")
    for row in table.index:
        (archive / f"letter{row}.txt").write_text("Dear colleague")
    table["letter"] = [f"letter{row}.txt" for row in table.index]
    table.to_csv(archive / "wrong.csv", index=False)
    with pytest.raises(CxrError, match=message):
        run(*command(archive / "wrong.csv", tmp_path / "out", *wrong))
    assert not (tmp_path / "out").exists()


def test_a_run_that_goes_on_needs_the_stored_images_alone(archive, tmp_path):
    for name in ("DOE_JANE_0.dcm", "DOE_JANE_2.dcm"):
        (tmp_path / name).write_bytes((archive / name).read_bytes())
    path = tmp_path / "data.csv"
    pd.read_csv(archive / "data.csv").iloc[[0, 2]].to_csv(path, index=False)
    assert run(*command(path, tmp_path / "out")) == 0
    for image in tmp_path.glob("*.dcm"):
        image.unlink()
    assert run(*command(path, tmp_path / "out")) == 0


@pytest.mark.parametrize(
    "wrong", [["--size", "0"], ["--size", "-1"], ["--workers", "0"], ["--time-limit", "nan"], ["--memory-limit", "x"]]
)
def test_a_number_that_cannot_be_is_refused(tmp_path, capsys, wrong):
    with pytest.raises(SystemExit):
        run(*command(tmp_path / "data.csv", tmp_path / "out", *wrong))
    assert "above 0" in capsys.readouterr().err


def test_a_full_disk_is_said_plainly(archive, tmp_path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full)
    with pytest.raises(CxrError, match=r"no space left for .*the same command continues"):
        run(*command(archive / "data.csv", tmp_path / "out"))


def test_an_out_that_is_a_file_is_known_before_the_source_is_read(tmp_path, capsys):
    (tmp_path / "out").write_text("notes")
    for out in (tmp_path / "out", tmp_path / "out" / "prepared"):
        assert bundle(["prepare", *command(tmp_path / "no such table.csv", out)]) == 1
        told = capsys.readouterr().err
        assert (
            told == f"Error: {out}: {tmp_path / 'out'} is a file, and a folder should be there. Choose another name.\n"
        )
    assert (tmp_path / "out").read_text() == "notes"


@pytest.mark.parametrize("verb", ["prepare", "demo", "sweep"])
def test_what_the_file_system_refuses_is_one_line_of_every_verb(tmp_path, capsys, monkeypatch, verb):
    def refuse(args):
        raise OSError(30, "Read-only file system", str(tmp_path / "out" / "x"))

    monkeypatch.setattr(importlib.import_module(f"bundle.{verb}"), "main", refuse)
    arguments = {"prepare": command(tmp_path, tmp_path / "out"), "demo": [str(tmp_path)], "sweep": ["a", "b"]}[verb]
    assert bundle([verb, *arguments]) == 1
    assert capsys.readouterr().err == f"Error: {tmp_path / 'out' / 'x'}: it can be read only: choose another folder.\n"


def test_a_missing_beginning_is_no_wrong_root(archive, tmp_path):
    """The first 300 rows' folder is not there, the last rows' is."""
    names = [f"absent/{i}.dcm" for i in range(300)] + [f"DOE_JANE_{i}.dcm" for i in range(10)]
    path = archive / "part.csv"
    pd.DataFrame({"image": names, "patient": names, "study": names, "text": "Clear."}).to_csv(path, index=False)
    assert run(*command(path, tmp_path / "out")) == 0
    assert (read_studies(tmp_path / "out")["exclude_reason"] == "").sum() == 10


def test_the_record_comes_last(archive, tmp_path, monkeypatch):
    """What make waits for is not there until the folder is whole."""

    def fail(*_: object) -> None:
        raise CxrError("stopped")

    monkeypatch.setattr("bundle.prepare.command.write_studies", fail)
    with pytest.raises(CxrError, match="stopped"):
        run(*command(archive / "data.csv", tmp_path / "out"))
    assert not (tmp_path / "out" / "prepare.json").exists()


def test_workers_are_the_cores_that_the_process_may_use(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {3})
    parser = ArgumentParser()
    add_arguments(parser)
    assert parser.parse_args(["table", "a.csv", "out", "--patient", "p"]).workers == 1
