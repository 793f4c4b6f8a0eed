"""Who is who in an output: the image that a prediction belongs to, and the model that made it."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import ignite.distributed as idist
from monai.data import MetaTensor

from ..errors import CxrError
from ..metrics.collect import collect_values


class ImageName(NamedTuple):
    """Id of an image, and its file's name; None where names are left out or unknown."""

    image_id: str
    file: str | None


class ImageNames:
    """Ids and file names of the images of a run.

    A batch may carry `image_id` (else a hash of the file's name) and `source` (else the name that `LoadImaged` left in
    the image's meta).

    Args:
        root: folder to which names are relative, so that ids do not depend on the machine.
        shown: False leaves names out, for archives whose file names identify patients. An id that is a hash of the
            name, which whoever guesses names could find again, or that has a part of the name, is then hashed with a
            random key that is kept nowhere: such ids tell the images of one run apart, and differ from run to run.
    """

    def __init__(self, root: str | Path | None = None, shown: bool = True) -> None:
        self.root = None if root is None else Path(root)
        self.shown = shown
        self._key = secrets.token_bytes(32)

    def start(self) -> None:
        """Draws a new key, the same one on all ranks, which must all call this."""
        key = secrets.token_hex(32)
        if idist.get_world_size() > 1:
            key = str(idist.broadcast(key, src=0))
        self._key = bytes.fromhex(key)

    def of(self, batch: Any, count: int) -> list[ImageName]:
        """The `count` images of a batch.

        Raises:
            CxrError: the items have neither an id nor a name.
        """
        sources = collect_values(batch, "source") or _file_names(batch)
        ids = collect_values(batch, "image_id") or [None] * count
        if sources is None and ids[0] is None:
            raise CxrError("The images of a batch cannot be told apart: give the items an image_id or a source.")
        return [self._one(None if sources is None else str(sources[i]), ids[i]) for i in range(count)]

    def _one(self, source: str | None, given: Any) -> ImageName:
        name = None if source is None else self._relative(source)
        image_id = _hash(str(name)) if given is None else str(given)
        if self.shown:
            return ImageName(image_id, name)
        plain = given is None or (source is not None and (_is_hash_of(source, image_id) or _shares(source, image_id)))
        return ImageName(_hash(image_id, self._key) if plain else image_id, None)

    def _relative(self, name: str) -> str:
        path = Path(name)
        return path.relative_to(self.root).as_posix() if self.root and path.is_relative_to(self.root) else name


def model_identity(identity: Mapping[str, Any] | None, checkpoint: str | Path | None) -> dict[str, Any]:
    """What names a model (encoder, image size, …), with the name and SHA-256 of its file of weights."""
    model = dict(identity or {})
    if checkpoint is not None:
        with Path(checkpoint).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        model |= {"checkpoint": Path(checkpoint).name, "sha256": digest}
    return model


def _file_names(batch: Any) -> list[str] | None:
    """Where `LoadImaged` read each image, from the meta of the batch's image."""
    if isinstance(batch, list):
        found = [_file_names(item) for item in batch]
        return None if any(name is None for name in found) else [name for names in found if names for name in names]
    image = batch.get("image")
    name = image.meta.get("filename_or_obj") if isinstance(image, MetaTensor) else None
    return None if name is None else [str(name)] if isinstance(name, str | Path) else list(name)


def _hash(name: str, key: bytes = b"") -> str:
    return hashlib.blake2b(name.encode(), digest_size=16, key=key).hexdigest()


def _is_hash_of(name: str, image_id: str) -> bool:
    """Whether an id is the plain hash, of any length, of a file's name: `raw_items` gives such ids."""
    size = len(image_id) // 2
    return 0 < size <= 64 and hashlib.blake2b(name.encode(), digest_size=size).hexdigest() == image_id


def _shares(name: str, image_id: str) -> bool:
    """Whether an id and a file's name tell each other; a number of few digits is in many names by chance."""
    one, other = image_id.casefold(), name.casefold()
    stems = {Path(part).stem for part in Path(other).parts}
    return not one or one in stems or (len(one) > 3 and one in other) or any(len(s) > 3 and s in one for s in stems)
