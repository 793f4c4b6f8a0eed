"""Fixtures that several test modules share."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real X-rays beside the project; a clone elsewhere does not have it."""
    if not (SHARED / "data").is_dir():
        pytest.skip(f"real data not found at {SHARED / 'data'}")
    return SHARED / "data"
