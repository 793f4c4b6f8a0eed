"""Names of findings, images and methods where a program reads them: as keys of MLflow and as names of files.

A name that fits stays as it is. Any other keeps what fits and gets a hash of the whole, so that two names never become
one, and a name becomes the same in every epoch and on every rank. Tables, pages and pictures show the name itself.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence

KEY_LENGTH = 250  # MLflow's for metrics, parameters and tags (mlflow.utils.validation.MAX_ENTITY_KEY_LENGTH)
PART_LENGTH = 100  # of a file's name, whose parts, suffix and temporary ending file systems grant 255 bytes
# MLflow's rule, and nothing that its file store would take for a folder: a finding may be called Pneumonia/Viral.
_KEY = re.compile(r"(?!\.)[\w .-]*[\w.-]")
_FILE = re.compile(r"\w([\w.-]*\w)?", re.ASCII)
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)


def tracking_key(*parts: str) -> str:
    """Key of a metric, parameter or tag of MLflow, whose page groups by the `/` between the parts."""
    key, whole = "/".join(map(_key_part, parts)), "/".join(parts)
    if key == whole and len(key) <= KEY_LENGTH:
        return key
    return f"{key[: KEY_LENGTH - 9].rstrip()}-{_digest(*parts)}"


def file_stem(*parts: str) -> str:
    """Name of a file without its suffix, which any file system takes; of several parts, `__` stands between them."""
    plain = all(_FILE.fullmatch(part) and len(part) <= PART_LENGTH for part in parts)
    if len(parts) > 1:
        plain = plain and not any("__" in part or part.startswith("_") or part.endswith("_") for part in parts)
    stem = "__".join(parts)
    if plain and not _RESERVED.match(stem):
        return stem
    kept = (re.sub(r"\W+", "-", part, flags=re.ASCII)[:40].strip("-") for part in parts)
    return "-".join(part for part in (*kept, _digest(*parts)) if part)


def file_parts(names: Sequence[str]) -> list[str]:
    """Part of a file's name for each of several names: some file systems take `Edema` and `edema` for one."""
    stems = [file_stem(name) for name in names]
    times = Counter(stem.casefold() for stem in stems)
    return [
        stem if times[stem.casefold()] == 1 else f"{stem}-{_digest(name)}"
        for stem, name in zip(stems, names, strict=True)
    ]


def is_folder_name(text: str) -> bool:
    """Whether a name of letters, digits, `.`, `+`, `-` and `_` may be that of a folder on any system."""
    return re.fullmatch(r"\w([\w.+-]*[\w+-])?", text) is not None and not _RESERVED.match(text)


def _key_part(part: str) -> str:
    if _KEY.fullmatch(part):
        return part
    return re.sub(r"[^\w .-]+", "_", part).lstrip(".").strip(" _") or "_"


def _digest(*parts: str) -> str:
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=4).hexdigest()
