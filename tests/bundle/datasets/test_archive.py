"""Files where they lie: in folders, zip and tar archives."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from bundle.datasets import archive
from bundle.datasets.archive import exists, local_file, members, read_bytes, split_path, stream
from bundle.prepare.work import Work
from scripts.errors import CxrError, UnreadableError

from .miniature import lay, pack

FORMS = [".zip", ".tar", ".tar.gz", ".tgz"]


@pytest.fixture(params=FORMS)
def packed(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    content = lay(tmp_path / "content", {"a/1.png": b"one", "a/2.png": b"two", "b.csv": b"three"})
    return pack(content, tmp_path / f"set{request.param}")


def test_a_member_is_a_file_of_a_folder_of_the_archives_name(packed: Path) -> None:
    assert members(packed) == {"a/1.png", "a/2.png", "b.csv"}
    assert split_path(packed / "a/1.png") == (packed, "a/1.png")
    assert split_path(packed) is None
    assert exists(packed / "a/1.png") and not exists(packed / "a/3.png")
    assert read_bytes(packed / "a/2.png") == b"two"
    with local_file(packed / "a/2.png") as file:
        assert file.read_bytes() == b"two" and file.suffix == ".png"
    assert not file.exists()
    with pytest.raises(FileNotFoundError):
        read_bytes(packed / "a/3.png")


def test_a_plain_file_is_itself(tmp_path: Path) -> None:
    path = lay(tmp_path, {"a.zip.png": b"x"}) / "a.zip.png"
    assert split_path(path) is None and exists(path) and read_bytes(path) == b"x"
    with local_file(path) as file:
        assert file == path
    assert path.exists()


def test_a_folder_may_be_called_like_an_archive(tmp_path: Path) -> None:
    path = lay(tmp_path, {"set.zip/a.png": b"x"}) / "set.zip" / "a.png"
    assert split_path(path) is None and exists(path)


@pytest.mark.parametrize("name", ["../outside.png", "/outside.png"])
def test_members_that_point_out_of_the_archive_are_left_out(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as file:
        file.writestr("inside.png", b"x")
        file.writestr(name, b"x")
    assert members(tmp_path / "set.zip") == {"inside.png"}


@pytest.mark.parametrize("suffix", FORMS)
def test_what_is_no_archive_is_told(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"set{suffix}").write_bytes(b"a web page, perhaps" * 50)
    with pytest.raises(CxrError, match=r"is no whole archive \(\w+\)\. Download it again"):
        members(tmp_path / f"set{suffix}")


def test_another_archive_of_the_same_name_is_listed_anew(tmp_path: Path) -> None:
    pack(lay(tmp_path / "one", {"a.png": b"x"}), tmp_path / "set.zip")
    assert members(tmp_path / "set.zip") == {"a.png"}
    pack(lay(tmp_path / "two", {"b.png": b"x", "c.png": b"x"}), tmp_path / "set.zip")
    assert members(tmp_path / "set.zip") == {"b.png", "c.png"}
    assert read_bytes(tmp_path / "set.zip" / "c.png") == b"x"


def test_a_member_beyond_the_bound_is_unreadable(packed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST_BYTES", 2)
    with pytest.raises(UnreadableError, match="it inflates to more than"):
        read_bytes(packed / "a/1.png")


@pytest.mark.parametrize("suffix", FORMS[1:])
def test_a_tar_is_read_once_and_in_its_own_order(tmp_path: Path, suffix: str) -> None:
    content = {f"{name}.png": name.encode() for name in "abcd"}
    tar = pack(lay(tmp_path / "content", content), tmp_path / f"set{suffix}")
    assert list(stream(tar, {"d.png", "b.png", "x.png"})) == [("b.png", b"b"), ("d.png", b"d")]
    images = [str(tar / "d.png"), "/plain.png", str(tar / "a.png"), str(tar / "x.png")]
    work = Work(images)
    assert list(work.tasks([0, 1, 3])) == [(1, "/plain.png", None), (0, images[0], b"d")]
    assert work.lost == {3: "missing file"}


def test_shards_share_files_row_by_row_and_tars_whole(tmp_path: Path) -> None:
    tars = [
        pack(lay(tmp_path / name, {f"{row}.png": b"x" for row in range(3)}), tmp_path / f"{name}.tar") for name in "pq"
    ]
    images = [str(tars[row % 2] / f"{row // 2}.png") for row in range(6)] + ["/a.png", "/b.png", "/c.png"]
    parts = [Work(images, index, 2).rows for index in (0, 1)]
    assert parts == [[0, 2, 4, 6, 8], [1, 3, 5, 7]]
