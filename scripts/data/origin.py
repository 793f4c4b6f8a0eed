"""Which public data sets the images of a prepared folder come from: an encoder may have seen them in another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .prepared import PreparedFolder


def data_sets(source: Any) -> list[str]:
    """Names of the public data sets in a folder made by `prepare`: its own, then those whose images it holds (RSNA's
    are NIH's); none where nobody can tell, as of a table of one's own.
    """
    folder = PreparedFolder.at(source) if isinstance(source, (str, Path)) else None
    facts = (folder.read_record().get("facts") if folder else None) or {}
    return [facts["name"], *facts.get("contains", ())] if "name" in facts else []
