"""From files to tensors: reader, stores, study table, splits, transforms."""

from __future__ import annotations

from .augment import RandRadiographd
from .box_transforms import BoxesToSquared
from .items import raw_items, study_items
from .label_policy import resolve_labels
from .masks import LoadMasksd
from .origin import data_sets
from .picture_reader import PictureReader
from .reader import CxrReader
from .sampling import EpochSampler, StudyDataset, part_of_rank
from .sources import features_folder, is_prepared, label_names, language_model_of, load_items, text_folder
from .standardize import StandardizeRadiographd
from .store_reader import StoreReader
from .studies import read_studies, write_studies

__all__ = [
    "BoxesToSquared",
    "CxrReader",
    "EpochSampler",
    "LoadMasksd",
    "PictureReader",
    "RandRadiographd",
    "StandardizeRadiographd",
    "StoreReader",
    "StudyDataset",
    "data_sets",
    "features_folder",
    "is_prepared",
    "label_names",
    "language_model_of",
    "load_items",
    "part_of_rank",
    "raw_items",
    "read_studies",
    "resolve_labels",
    "study_items",
    "text_folder",
    "write_studies",
]
