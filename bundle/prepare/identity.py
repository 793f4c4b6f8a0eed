"""Patient, study and image ids that lead back to nobody without the salt."""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path

import pandas as pd

from scripts.atomic import create_once

SALT = "salt"
ID_COLUMNS = ("patient_id", "study_id", "image_id")


def hash_identities(table: pd.DataFrame, out: Path) -> pd.DataFrame:
    """Replace the ids by keyed blake2b digests (16 hex digits).

    The key is drawn once and kept in OUT/salt, readable by its owner only; whoever shares OUT leaves that file behind.
    """
    salt = bytes.fromhex(create_once(out / SALT, secrets.token_hex(32).encode()).decode())
    return table.assign(
        **{column: table[column].map(lambda value, c=column: _digest(value, c, salt)) for column in ID_COLUMNS}
    )


def _digest(value: object, kind: str, salt: bytes) -> str:
    # `person` keeps a patient and a study of the same number apart.
    return hashlib.blake2b(str(value).encode(), key=salt, person=kind.encode(), digest_size=8).hexdigest()
