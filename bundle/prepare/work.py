"""How the images of a data set are dealt out: one by one, and those of a tar archive in one pass through it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from scripts.errors import UnreadableError

from ..datasets.archive import is_tar, split_path, stream

Task = tuple[int, str, bytes | None]


class Work:
    """The rows of one shard, and their tasks for the workers.

    Plain files and members of zip archives are dealt out row by row. A tar can only be read from its beginning on: it
    is one piece of work, for one shard, and the workers are handed the content of its members.

    Args:
        images: path of each row's image; see `bundle.datasets.archive.split_path`.
        index, shards: take the i-th part of n.

    Attributes:
        rows: of this shard, in order.
        lost: after `tasks`, rows whose archive ended before them, with the reason.
    """

    def __init__(self, images: Sequence[str], index: int = 0, shards: int = 1) -> None:
        self.images = images
        self.lost: dict[int, str] = {}
        self._tars: dict[Path, dict[str, int]] = defaultdict(dict)
        plain = []
        for row, image in enumerate(images):
            inside = split_path(image)
            if inside and is_tar(inside[0]):
                self._tars[inside[0]][inside[1]] = row
            else:
                plain.append(row)
        self._plain = plain[index::shards]
        self._mine = sorted(self._tars)[index::shards]
        self.rows = sorted([*self._plain, *(row for tar in self._mine for row in self._tars[tar].values())])

    def tasks(self, todo: Iterable[int]) -> Iterator[Task]:
        """`(row, path, None)` of plain files, then `(row, path, content)` of the archives' members."""
        open_rows = set(todo)
        yield from ((row, self.images[row], None) for row in self._plain if row in open_rows)
        for tar in self._mine:
            wanted = {name: row for name, row in self._tars[tar].items() if row in open_rows}
            reason = "missing file"
            try:
                for name, content in stream(tar, set(wanted)) if wanted else ():
                    if (row := wanted.pop(name, None)) is not None:
                        yield row, self.images[row], content
            except UnreadableError as error:
                reason = f"unreadable: {error}"
            self.lost |= dict.fromkeys(wanted.values(), reason)
