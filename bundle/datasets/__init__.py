"""Dataset layouts, one file each. A new one: a file with `add_arguments` and `read`, and a line here."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from types import ModuleType

from scripts.errors import CxrError

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


def reader(module: ModuleType) -> Callable[[Namespace], Manifest]:
    """The module's `read`, which says so where a file lacks a column or key that the set has."""

    def read(args: Namespace) -> Manifest:
        try:
            return module.read(args)
        except KeyError as error:
            facts: Facts = module.FACTS
            raise CxrError(
                f"{args.source}: a file of {facts.title} has no {error.args[0]!r}; it should be one of "
                f"{', '.join(facts.files)} as downloaded."
            ) from error

    return read


LAYOUTS: dict[str, Layout] = {
    "demo": Layout("the folder made by `python -m bundle demo`", demo.add_arguments, demo.read),
    "table": Layout("any CSV or Parquet file, columns mapped on the command line", table.add_arguments, table.read),
    **{
        facts.name: Layout(f"{facts.title}, as downloaded", module.add_arguments, reader(module), facts)
        for module in PUBLIC
        for facts in [module.FACTS]
    },
}

__all__ = ["LAYOUTS", "Facts", "Layout", "Manifest", "counts_note"]
