#!/usr/bin/env bash
# Pillow 13.0.0 (numpy 2.4.6, Python 3.11, Linux x86-64): an uncompressed TIFF whose Orientation (tag 274) is 5, 6, 7 or 8
# comes out scrambled, without an error or a warning, when it is opened by its file name; the same bytes opened from
# memory, or the same picture compressed, come out right. By name Pillow maps the file into memory, with the width and
# height of the picture that is already turned, and so cuts its rows at the wrong places. Orientation 1 to 4 are right.
#
# Seen, for the picture 0 1 2 3 / 4 5 6 7 / 8 9 10 11 with Orientation 6 (to be turned by 90 degrees clockwise):
#   from memory   (4, 3)  [[8 4 0] [9 5 1] [10 6 2] [11 7 3]]      right
#   by name       (3, 4)  [[9 6 3 0] [10 7 4 1] [11 8 5 2]]        neither turned nor as stored
#
# Exits 0 while that is so, and 1 when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pillow==13.0.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import io
import sys

import numpy as np
from PIL import Image

stored = np.arange(12, dtype=np.uint8).reshape(3, 4)
upright = {
    1: stored,
    2: stored[:, ::-1],
    3: stored[::-1, ::-1],
    4: stored[::-1],
    5: stored.T,
    6: stored.T[:, ::-1],
    7: stored.T[::-1, ::-1],
    8: stored.T[::-1],
}
wrong_by_name, wrong = [], []
for orientation, expected in upright.items():
    exif = Image.Exif()
    exif[274] = orientation
    for compression in (None, "tiff_lzw"):
        Image.fromarray(stored).save("a.tif", exif=exif, compression=compression)
        by_name = np.asarray(Image.open("a.tif"))
        with open("a.tif", "rb") as file:
            from_memory = np.asarray(Image.open(io.BytesIO(file.read())))
        if not np.array_equal(from_memory, expected):
            wrong.append(orientation)
        if not np.array_equal(by_name, expected):
            (wrong if compression else wrong_by_name).append(orientation)
        if orientation == 6 and compression is None:
            print("from memory", from_memory.shape, from_memory.tolist())
            print("by name    ", by_name.shape, by_name.tolist())
print("scrambled by name, uncompressed:", wrong_by_name, "- wrong otherwise:", wrong)
sys.exit(wrong_by_name != [5, 6, 7, 8] or bool(wrong))
PYTHON
