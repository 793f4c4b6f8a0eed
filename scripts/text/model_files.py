"""Where a language model's files are, and exactly which files they are: package, folder or Hugging Face hub."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

from ..errors import CxrError
from .packaged import PACKAGED, file_sha256

_TOKENIZER = ("tokenizer*", "vocab*", "merges.txt", "special_tokens_map.json", "*.model")
_SAFE, _TORCH = "model*.safetensors", "pytorch_model*.bin"


@dataclass(frozen=True)
class ModelFiles:
    """A language model's files, by the name that a person gives.

    Args:
        model: "minilm" (files of an installed wheel), a folder with a transformers model, or a hub id.
        revision: branch, tag or commit on the hub; None is "main". Folders and packages have none.
    """

    model: str
    revision: str | None = None

    @cached_property
    def _local(self) -> Path | None:
        path = Path(self.model).expanduser()
        if path.is_dir():
            if not (path / "config.json").is_file():
                raise CxrError(f"{path} holds no config.json: give a folder written by transformers' save_pretrained.")
            return path
        if path.is_absolute() or self.model.startswith((".", "~")) or self.model.count("/") > 1:
            raise CxrError(f"Language model folder {self.model} does not exist.")
        return None

    @property
    def name(self) -> str:
        """The model's name without its place on this machine, so that a store can move."""
        return self._local.resolve().name if self.model not in PACKAGED and self._local else self.model

    @cached_property
    def resolved_revision(self) -> str:
        """What the files are: a hub commit, or SHA-256 of the weights (package) or of every file that counts (folder).

        The hub's cache on this disk is asked first, the network only if it knows nothing.

        Raises:
            CxrError: the model is not on this machine and cannot be downloaded.
        """
        if self.model in PACKAGED:
            return PACKAGED[self.model].revision
        if self._local:
            digest = hashlib.sha256()
            for path in sorted(_weights(self._local) + _matches(self._local, ("config.json", *_TOKENIZER))):
                digest.update(f"{path.name} {file_sha256(path)}\n".encode())
            return f"sha256:{digest.hexdigest()}"
        if self.revision and re.fullmatch(r"[0-9a-f]{40}", self.revision):
            return self.revision
        return self.config_path().parent.name  # the hub's cache names a snapshot's folder by its commit

    def config_path(self) -> Path:
        """The model's config.json; of a hub model, this file alone is fetched."""
        if self.model in PACKAGED:
            return PACKAGED[self.model].folder() / "config.json"
        return (self._local or self._snapshot("config.json")) / "config.json"

    def folder(self) -> Path:
        """Folder with config, tokenizer and weights, safetensors where there are any; downloads what is missing."""
        if self.model in PACKAGED:
            return PACKAGED[self.model].folder()
        if self._local:
            _weights(self._local)
            return self._local
        folder = self._snapshot("config.json", *_TOKENIZER, _SAFE, "model.safetensors.index.json", needs=_SAFE)
        if not _matches(folder, (_SAFE,)):
            folder = self._snapshot("pytorch_model*.bin*", needs=_TORCH)
        _weights(folder)
        return folder

    def _snapshot(self, *patterns: str, needs: str = "config.json") -> Path:
        """Snapshot folder of a hub model with the files that match; the network only for what the cache lacks."""
        try:
            folder = Path(snapshot_download(self.model, revision=self.revision, local_files_only=True))
            if _matches(folder, (needs,)) or (needs == _SAFE and _matches(folder, (_TORCH,))):
                return folder
        except LocalEntryNotFoundError:
            pass
        except HFValidationError as error:
            raise CxrError(f"'{self.model}' is neither {', '.join(PACKAGED)}, a folder, nor a hub id.") from error
        try:
            return Path(snapshot_download(self.model, revision=self.revision, allow_patterns=list(patterns)))
        except (OSError, HfHubHTTPError) as error:
            at = f" --revision {self.revision}" if self.revision else ""
            raise CxrError(
                f"Language model '{self.model}' is not on this machine and cannot be downloaded "
                f"({type(error).__name__}). With a network: `hf download {self.model}{at} --local-dir FOLDER`, "
                "then copy FOLDER here and give its path as the language model. 'minilm' needs no download."
            ) from error


def _matches(folder: Path, patterns: tuple[str, ...]) -> list[Path]:
    return [path for pattern in patterns for path in folder.glob(pattern) if path.is_file()]


def _weights(folder: Path) -> list[Path]:
    """Weight files of a model folder: safetensors, else torch's (read with `weights_only`).

    Raises:
        CxrError: there are none.
    """
    found = _matches(folder, (_SAFE,)) or _matches(folder, (_TORCH,))
    if not found:
        raise CxrError(f"{folder} holds no weights ({_SAFE} or {_TORCH}).")
    return found
