"""Reading a radiograph as a viewer shows it: plain NumPy, OpenCV and pydicom, without torch and MONAI."""

from __future__ import annotations

from .dicom_image import dicom_image, read_dicom_image
from .letterbox import Letterbox
from .picture import open_picture, read_picture
from .standard_image import standardize

__all__ = ["Letterbox", "dicom_image", "open_picture", "read_dicom_image", "read_picture", "standardize"]
