"""The features of images by one encoder, on disk: parts that are written once and read together."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from scripts.atomic import writing

Rows = dict[str, NDArray[np.float32]]


class FeatureFiles:
    """`<folder>/<key>/*.npz`, each with `ids` `[n]` and `features` `[n, dim]`; another split, fold or label fraction of
    the same images finds them there.

    Args:
        folder: of all encoders; None keeps nothing.
        key: of one encoder and its preprocessing; see `encoder_key`.
    """

    def __init__(self, folder: Path | None, key: str) -> None:
        self.folder = None if folder is None else folder / key

    def read(self, ids: Sequence[str]) -> Rows:
        """Feature of each of these images that is there, by its id."""
        found: Rows = {}
        wanted = set(ids)
        for path in sorted(self.folder.glob("*.npz")) if self.folder else ():
            with np.load(path) as part:
                pairs = zip(part["ids"].tolist(), part["features"], strict=True)
                found |= {image_id: row.copy() for image_id, row in pairs if image_id in wanted}
        return found

    def add(self, rows: Rows) -> None:
        """Writes a part."""
        if self.folder is None or not rows:
            return
        name = hashlib.blake2b("".join(rows).encode(), digest_size=8).hexdigest()
        with writing(self.folder / f"{name}.npz") as part, part.open("wb") as file:
            np.savez(file, ids=np.array(list(rows)), features=np.stack(list(rows.values())))


def encoder_key(encoder: nn.Module, identity: Mapping[str, Any]) -> str:
    """Digest of an encoder's weights and of what else its features depend on."""
    digest = hashlib.blake2b(repr(sorted(identity.items())).encode(), digest_size=16)
    for name, value in sorted(encoder.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def preprocessing_key(transform: Callable[[dict[str, Any]], Any]) -> str:
    """Digest of what a preprocessing makes of one drawn picture: another normalisation, size or rounding is another
    key, however its configuration is written.
    """
    ramp = np.add.outer(np.arange(96) * 2, np.arange(80)).astype(np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ramp.png"
        cv2.imwrite(str(path), ramp)
        image = torch.as_tensor(transform({"image": str(path)})["image"])
    return hashlib.blake2b(image.contiguous().float().numpy().tobytes(), digest_size=16).hexdigest()


def image_ids(items: Sequence[Mapping[str, Any]]) -> list[str]:
    """Digest of each item's image: its name, and the size and time of its file."""
    stamps: dict[str, str] = {}
    ids = []
    for item in items:
        file = str(item["image"]).split("::", maxsplit=1)[0]
        if file not in stamps:
            stat = Path(file).stat() if Path(file).is_file() else None
            stamps[file] = f"{stat.st_size} {stat.st_mtime_ns}" if stat else ""
        ids.append(hashlib.blake2b(f"{item['image']} {stamps[file]}".encode(), digest_size=16).hexdigest())
    return ids
