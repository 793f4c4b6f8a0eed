"""One vocabulary of findings: what one data set calls `Effusion`, and another `Pleural Effusion`, is one finding."""

from __future__ import annotations

import re
from collections.abc import Sequence

# Canonical name: other spellings of the public data sets (NIH, CheXpert, MIMIC-CXR, PadChest, VinDr-CXR, RSNA, SIIM),
# blanks, `_`, `-` and upper case aside. Only what means the same: NIH's `Infiltration` and CheXpert's `Lung Lesion` are
# nothing of any other set's, and `Lung Opacity` is wider than VinDr's `Infiltration`.
SPELLINGS: dict[str, tuple[str, ...]] = {
    "Aortic Enlargement": ("aortic elongation enlargement",),
    "Atelectasis": ("atelectasia",),
    "Calcification": (),
    "Cardiomegaly": (),
    "Consolidation": (),
    "COVID-19": ("covid", "covid19", "sars-cov-2 pneumonia"),
    "Edema": ("pulmonary edema", "pulmonary oedema", "oedema", "lung edema"),
    "Emphysema": ("pulmonary emphysema",),
    "Enlarged Cardiomediastinum": ("enlarged mediastinum", "mediastinal enlargement"),
    "Fibrosis": ("pulmonary fibrosis",),
    "Foreign Object": ("foreign body", "foreign objects"),
    "Fracture": ("fractures",),
    "Hernia": ("hiatal hernia", "hiatus hernia"),
    "Infiltration": ("infiltrate", "infiltrates"),
    "Interstitial Lung Disease": ("ild",),
    "Lung Lesion": (),
    "Lung Opacity": ("airspace opacity", "opacity", "lung opacities"),
    "Mass": ("pulmonary mass", "lung mass"),
    "No Finding": ("normal", "no findings"),
    "Nodule": ("pulmonary nodule", "lung nodule"),
    "Nodule/Mass": ("nodule or mass",),
    "Pleural Effusion": ("effusion", "pleural effusions"),
    "Pleural Other": (),
    "Pleural Thickening": (),
    "Pneumonia": (),
    "Pneumothorax": (),
    "Support Devices": ("support device",),
    "Tuberculosis": ("tb", "active tuberculosis", "activetuberculosis"),
}


def _key(name: str) -> str:
    return re.sub(r"[\s_-]+", "", name.lower())


_CANONICAL = {_key(word): name for name, others in SPELLINGS.items() for word in (name, *others)}


def canonical(name: str) -> str:
    """The vocabulary's name of a finding in any known spelling; a name that it does not know stays as it is."""
    return _CANONICAL.get(_key(name), name)


def corresponding(names: Sequence[str], known: Sequence[str]) -> dict[str, str | None]:
    """For each finding that is asked for the name that a data set has for it, None where it has none.

    The very name comes first; else the one name of the same canonical one; case, blanks, `_` and `-` do not count.
    Two such names (`Nodule` and `Pulmonary Nodule` in one table) lead to none, for nobody can say which is meant.
    """
    found: dict[str, str | None] = {}
    for name in names:
        same = [other for other in known if _key(canonical(other)) == _key(canonical(name))]
        found[name] = name if name in known else same[0] if len(same) == 1 else None
    return found
