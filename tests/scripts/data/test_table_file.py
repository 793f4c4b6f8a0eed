"""Tables in every form in which a hospital or an archive has them."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from scripts.data import table_file
from scripts.data.table_file import column_names, read_table
from scripts.errors import CxrError

ROWS = [
    ["image", "patient", "report"],
    ["a\\1.png", "007", "Größe, unverändert; kein Erguß\n2. Zeile |"],
    ["b.png ", "8", 'says "clear"'],
    ["c.png", "9", ""],
]


def text(delimiter: str) -> str:
    table = pd.DataFrame(ROWS[1:], columns=ROWS[0])
    return table.to_csv(index=False, sep=delimiter)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_encodings_and_delimiters(tmp_path: Path, encoding: str, delimiter: str) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(text(delimiter).encode(encoding))
    table = read_table(path)
    assert [list(table.columns), *table.fillna("").to_numpy().tolist()] == ROWS


def test_windows_1252(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "t.csv").write_bytes("image,report\na.png,“clear” – 5 €\n".encode("cp1252"))
    assert read_table(tmp_path / "t.csv")["report"].tolist() == ["“clear” – 5 €"]
    assert "not UTF-8 and is read as cp1252" in caplog.text


@pytest.mark.parametrize("name", ["t.CSV", "t.tsv", "t.TSV", "t.txt", "t", "t.csv.gz", "t.TSV.GZ", "t.parquet"])
@pytest.mark.parametrize("packed", [False, True])
def test_content_decides_and_not_the_name(tmp_path: Path, name: str, packed: bool) -> None:
    content = text("\t").encode()
    (tmp_path / name).write_bytes(gzip.compress(content, mtime=0) if packed else content)
    assert read_table(tmp_path / name)["patient"].tolist() == ["007", "8", "9"]


@pytest.mark.parametrize("name", ["t.parquet", "t.PARQUET", "t.pq"])
def test_parquet_gives_the_texts_of_a_csv(tmp_path: Path, name: str) -> None:
    table = pd.DataFrame(
        {"a": ["007", None], "n": [1.0, np.nan], "i": [3, 4], "l": [[[1.5, 2.0]], []], "b": [True, False]}
    )
    table.to_parquet(tmp_path / name)
    found = read_table(tmp_path / name)
    expected = [["007", "1", "3", "[[1.5, 2.0]]", "True"], ["", "", "4", "[]", "False"]]
    assert found.fillna("").to_numpy().tolist() == expected


@pytest.mark.parametrize(
    ("header", "rows", "columns"),
    [
        # Real header lines: SIIM-ACR's blank, NIH's own commas, PadChest's nameless first column, COVIDx's blanks.
        ("ImageId, EncodedPixels", ["1.2.3, -1"], ["ImageId", "EncodedPixels"]),
        (
            "Image Index,Finding Label,Bbox [x,y,w,h],,,",
            ["00013118_008.png,Atelectasis,225.0,547.0,86.7,79.1,,,"],
            ["Image Index", "Finding Label", "Bbox [x", "y", "w", "h]", "Unnamed: 6", "Unnamed: 7", "Unnamed: 8"],
        ),
        (",ImageID,Labels", ["0,a.png,\"['normal', 'scoliosis']\""], ["Unnamed: 0", "ImageID", "Labels"]),
        ("patient file class", ["1 a.png positive", "2 b.png negative"], ["patient", "file", "class"]),
        (
            "path\tfindings, impression, report",
            ["a.png\tNo, no.", "b.png\tYes"],
            ["path", "findings, impression, report"],
        ),
        ("image,Mass|Nodule", ["a.png,1", "b.png,0"], ["image", "Mass|Nodule"]),
        (" image , label ", ["a.png, 1"], ["image", "label"]),
    ],
)
def test_header_lines(tmp_path: Path, header: str, rows: list[str], columns: list[str]) -> None:
    (tmp_path / "t.txt").write_text("\n".join([header, *rows, ""]))
    table = read_table(tmp_path / "t.txt")
    assert table.columns.tolist() == columns and len(table) == len(rows)


def test_empty_rows_at_the_end_are_none(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1,2\n,\n3,4\n,\n,\n")
    assert read_table(tmp_path / "t.csv")["a"].fillna("").tolist() == ["1", "", "3"]


def workbook() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("xl/workbook.xml", "")
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "No columns"),
        (b"a,b\n", "has no rows"),
        (b"a,b\n,\n", "has no rows"),
        (b"a,b\n1,2,3\n4,5,6\n", "rows have more cells than its header"),
        (b"a,b\n1,2\n4,5,6\n", "Expected 2 fields in line 3, saw 3"),
        (b'a,b\n1,"2\n', "EOF inside string"),
        (b"a,a \n1,2\n", "several columns are called 'a'"),
        (workbook(), "Excel workbook .* save the sheet as CSV UTF-8"),
        (bz2.compress(b"a,b\n1,2\n"), "bzip2: unpack it"),
        (lzma.compress(b"a,b\n1,2\n"), "xz: unpack it"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
        (b"<!DOCTYPE html>", "a web page"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\0IHDR" + bytes(range(256)), "it is no text"),
        (gzip.compress(b"a,b\n1,2\n" * 99, mtime=0)[:-20], "gzip stream is damaged or cut off"),
        (b"\xff\xfea,b\n1,2", "is marked as utf-16 and is not"),
        (b"PAR1" + bytes(40), "cannot be read as a table"),
    ],
)
def test_what_is_no_table_names_the_cure(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(CxrError, match=rf"t\.csv.*{message}"):
        read_table(tmp_path / "t.csv")


def test_a_table_that_inflates_beyond_the_bound_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_file, "MOST_BYTES", 2**20)
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"a,b\n" + b"1,2\n" * 2**19))
    with pytest.raises(CxrError, match=r"more than 0\.000976562 GiB"):
        read_table(tmp_path / "t.csv.gz")


def test_a_folder_and_nothing(tmp_path: Path) -> None:
    with pytest.raises(CxrError, match="is a folder, not a table"):
        read_table(tmp_path)
    with pytest.raises(CxrError, match="no such file"):
        read_table(tmp_path / "t.csv")


def test_columns_in_a_message() -> None:
    assert column_names(pd.DataFrame(columns=["a", "b"])) == "a, b"
    assert column_names(pd.DataFrame(columns=["a:b"])).startswith("a:b alone (are its columns parted by")
    assert column_names(pd.DataFrame(columns=list(map(str, range(50))))).endswith("29 and 20 more")
