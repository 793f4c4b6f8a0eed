"""Files of tensors: plain containers alone are read, and a file that is none says so in one line."""

from __future__ import annotations

import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from .errors import CxrError

_ZIP, _PICKLE = b"PK\x03\x04", b"\x80"  # of torch.save since torch 1.6, and before
_POINTER = b"version https://git-lfs"  # what a clone without Git LFS leaves in a file's place


def read_tensors(path: str | Path, cure: str) -> Any:
    """Content of a file, on the CPU: a `.safetensors` file's tensors, or whatever plain containers of tensors, numbers
    and texts torch saved (read with `weights_only=True`).

    Args:
        path: is there.
        cure: what a person can do about a file that is empty, cut off or none of tensors.

    Raises:
        CxrError: it cannot be read, or it holds other objects.
    """
    path = Path(path)
    check_whole(path, cure)
    try:
        return load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CxrError(
            f"{path} is not a file of plain tensors, and reading other objects can run code. Have it saved where "
            "it was made as plain tensors: its `state_dict` alone, or safetensors."
        ) from error
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:150]
        raise CxrError(f"{path} is not a file of plain tensors: {reason}. {cure}") from error


def check_whole(path: Path, cure: str) -> None:
    """Looks at the ends of a file of tensors.

    Raises:
        CxrError: it is empty, cut off, or none.
    """
    try:
        why = _damage(path)
    except OSError as error:
        why = str(error)
    if why:
        raise CxrError(f"{path} is not a file of plain tensors: {why}. {cure}")


def check_folder(folder: str | Path) -> None:
    """`check_whole` of the weights of a model of transformers; of a model's name, which is no folder, nothing."""
    for pattern in ("*.safetensors", "pytorch_model*.bin"):
        for path in sorted(Path(folder).glob(pattern)):
            check_whole(path, "Copy or download it again.")


def _damage(path: Path) -> str:
    """What the first and last bytes of a file tell; "" when nothing is wrong with them."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(len(_POINTER))
    if not size:
        return "it has 0 bytes"
    if head == _POINTER:
        return "it is a pointer of Git LFS, in place of the file (`git lfs pull` fetches it)"
    if path.suffix == ".safetensors":
        return _safetensors_damage(path, size)
    if head[:4] == _ZIP:
        return "" if zipfile.is_zipfile(path) else f"it is cut off after {size} bytes"
    if head[8:9] == b"{":
        return "it looks like a safetensors file, which its name should end in"
    return "" if head[:1] == _PICKLE else "torch.save did not write it"


def _safetensors_damage(path: Path, size: int) -> str:
    """The format's own lengths: 8 bytes with that of a JSON header, which has the offsets of the tensors behind it
    (huggingface.co/docs/safetensors).
    """
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size > 8 and file.read(1) != b"{":
            return "it is no safetensors file"
        if size < 8 + length:
            return f"it is cut off after {size} bytes"
        file.seek(8)
        try:
            header = json.loads(file.read(length))
            end = max((entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"), default=0)
        except (ValueError, KeyError, TypeError, AttributeError):
            return "its safetensors header cannot be read"
    return f"it is cut off after {size} bytes" if size < 8 + length + end else ""
