"""A file of weights that is empty, cut off or something else is told in one line with its path and the cure."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from transformers import ViTConfig, ViTModel

from scripts.encoders.factory import build_encoder, load_body
from scripts.errors import CxrError
from scripts.tensor_files import read_tensors
from scripts.text.stock_encoder import load_encoder

STATE = {"a.weight": torch.arange(4096.0).reshape(64, 64), "b": torch.ones(10)}
EMPTY, CUT, OTHER = "it has 0 bytes", r"it is cut off after \d+ bytes", "torch.save did not write it"
Damage = Callable[[bytes], bytes]


def nothing(_: bytes) -> bytes:
    return b""


def half(content: bytes) -> bytes:
    return content[: len(content) // 2]


def web_page(_: bytes) -> bytes:
    return b"<!DOCTYPE html><html><head><title>404</title></head></html>"


def pointer(_: bytes) -> bytes:
    """What a clone without Git LFS has (git-lfs.com, its specification)."""
    return b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a21\nsize 12345\n"


def write(state: dict[str, torch.Tensor], path: Path) -> Path:
    (save_file if path.suffix == ".safetensors" else torch.save)(state, path)
    return path


CASES: list[tuple[str, Damage, str]] = [
    (".pt", nothing, EMPTY),
    (".pt", half, CUT),
    (".pt", lambda content: content[:-1], CUT),
    (".pt", lambda content: content[:3], OTHER),
    (".pt", web_page, OTHER),
    (".pt", pointer, "it is a pointer of Git LFS"),
    (".safetensors", nothing, EMPTY),
    (".safetensors", half, CUT),
    (".safetensors", lambda content: content[:-1], CUT),
    (".safetensors", lambda content: content[:40], CUT),
    (".safetensors", web_page, "it is no safetensors file"),
    (".safetensors", pointer, "it is a pointer of Git LFS"),
]


@pytest.mark.parametrize(("suffix", "damage", "words"), CASES)
def test_damage_is_told(suffix: str, damage: Damage, words: str, tmp_path: Path) -> None:
    path = write(STATE, tmp_path / f"weights{suffix}")
    assert all(torch.equal(value, STATE[key]) for key, value in read_tensors(path, "").items())
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(CxrError, match=f"{re.escape(str(path))} is not a file of plain tensors: {words}") as error:
        read_tensors(path, "Copy it again.")
    assert str(error.value).endswith("Copy it again.") and len(str(error.value).splitlines()) == 1


def test_a_wrong_suffix_is_told(tmp_path: Path) -> None:
    write(STATE, tmp_path / "a.safetensors").rename(tmp_path / "a.pt")
    write(STATE, tmp_path / "b.pt").rename(tmp_path / "b.safetensors")
    with pytest.raises(CxrError, match="it looks like a safetensors file, which its name should end in"):
        read_tensors(tmp_path / "a.pt", "")
    with pytest.raises(CxrError, match="it is no safetensors file"):
        read_tensors(tmp_path / "b.safetensors", "")


def test_files_of_before_torch_1_6_are_read(tmp_path: Path) -> None:
    torch.save(STATE, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert torch.equal(read_tensors(tmp_path / "old.pth", "")["b"], STATE["b"])


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
@pytest.mark.parametrize("damage", [nothing, half])
def test_a_folder_of_transformers(name: str, damage: Damage, tmp_path: Path) -> None:
    config = ViTConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8, image_size=32)
    model = ViTModel(config)
    model.save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    path = write({key: value.contiguous() for key, value in model.state_dict().items()}, tmp_path / name)
    path.write_bytes(damage(path.read_bytes()))
    for load in (lambda: load_body(build_encoder(str(tmp_path)), tmp_path), lambda: load_encoder(tmp_path)):
        with pytest.raises(CxrError, match=rf"{re.escape(str(path))} is not .*({EMPTY}|{CUT})\. Copy or download"):
            load()
