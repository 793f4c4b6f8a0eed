"""Reading a radiograph as a viewer shows it: plain NumPy, OpenCV and pydicom."""

from __future__ import annotations

from .letterbox import Letterbox

__all__ = ["Letterbox"]
