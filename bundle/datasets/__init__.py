"""Dataset layouts, one file each. A new one: a file with `add_arguments` and `read`, and a line here."""

from __future__ import annotations

from types import ModuleType

from . import (
    chexpert,
    chexpert_plus,
    covid_chestxray,
    covidx,
    demo,
    dicom_folder,
    mimic_cxr,
    nih,
    object_cxr,
    openi,
    padchest,
    rsna,
    siim,
    table,
    tbx11k,
    vindr,
)
from .facts import Facts, counts_note
from .layout import Layout, Manifest

PUBLIC: tuple[ModuleType, ...] = (
    *(mimic_cxr, chexpert, chexpert_plus, openi, padchest, nih, rsna, siim, object_cxr, vindr, covidx, tbx11k),
    *(covid_chestxray, dicom_folder),
)
"""Modules of public data sets: each has `FACTS`, `add_arguments` and `read`."""

LAYOUTS: dict[str, Layout] = {
    "demo": Layout("the folder made by `python -m bundle demo`", demo.add_arguments, demo.read),
    "table": Layout("any CSV or Parquet file, columns mapped on the command line", table.add_arguments, table.read),
    **{
        facts.name: Layout(f"{facts.title}, as downloaded", module.add_arguments, module.read, facts)
        for module in PUBLIC
        for facts in [module.FACTS]
    },
}

__all__ = ["LAYOUTS", "Facts", "Layout", "Manifest", "counts_note"]
