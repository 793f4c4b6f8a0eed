"""Where this package lies, and what it is called: the one place that knows.

`scripts` in a bundle and in packs, for MONAI's consumers want that name; `cxr_vlp` where it is installed; a name of its
own where `load` imports the `scripts` of a pack.
"""

from __future__ import annotations

from pathlib import Path

PACKAGE = __name__.rpartition(".")[0]
FOLDER = Path(__file__).resolve().parent
# Installed, they are inside the package; in a bundle beside it.
CONFIGS = FOLDER / "configs" if (FOLDER / "configs").is_dir() else FOLDER.parent / "configs"
