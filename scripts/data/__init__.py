"""From files to tensors: reader, stores, study table, splits, transforms."""

from __future__ import annotations

from scripts.data.augment import RandRadiographd
from scripts.data.box_transforms import BoxesToSquared
from scripts.data.items import raw_items, study_items
from scripts.data.label_policy import resolve_labels
from scripts.data.masks import LoadMasksd
from scripts.data.picture_reader import PictureReader
from scripts.data.reader import CxrReader
from scripts.data.sampling import EpochSampler, StudyDataset, part_of_rank
from scripts.data.sources import features_folder, is_prepared, label_names, language_model_of, load_items, text_folder
from scripts.data.standardize import StandardizeRadiographd, standardize
from scripts.data.store_reader import StoreReader
from scripts.data.studies import read_studies, write_studies

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
    "features_folder",
    "is_prepared",
    "label_names",
    "language_model_of",
    "load_items",
    "part_of_rank",
    "raw_items",
    "read_studies",
    "resolve_labels",
    "standardize",
    "study_items",
    "text_folder",
    "write_studies",
]
