"""What each switch of a configuration takes, so that a value of the wrong kind is refused before anything runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class Kind:
    """Values that a switch takes: in words, and as a test."""

    words: str
    fits: Callable[[Any], bool]

    def __or__(self, other: Kind) -> Kind:
        return Kind(f"{self.words}, or {other.words}", lambda value: self.fits(value) or other.fits(value))


def is_number(value: Any) -> bool:
    """Whether a value is a finite number, and no flag."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def whole(least: int = 0) -> Kind:
    """Whole numbers from `least` on."""
    return Kind(
        f"a whole number of {least} or more", lambda value: is_number(value) and type(value) is int and value >= least
    )


def number(least: float = -math.inf, most: float = math.inf) -> Kind:
    """Finite numbers within bounds."""
    bounds = f" from {least:g} to {most:g}" if math.isfinite(most) else f" of {least:g} or more"
    words = f"a number{bounds if math.isfinite(least) else ''}"
    return Kind(words, lambda value: is_number(value) and least <= value <= most)


def one_of(*choices: Any) -> Kind:
    """One of a few values."""
    words = " or ".join(", ".join(map(str, choices)).rsplit(", ", 1))
    return Kind(words, lambda value: any(type(value) is type(choice) and value == choice for choice in choices))


def many(kind: Kind, words: str) -> Kind:
    """A list, or what the command line makes of `a,b`, of values of a kind."""
    return Kind(words, lambda value: isinstance(value, list | tuple) and all(map(kind.fits, value)))


def mapping(words: str) -> Kind:
    """Values by name."""
    return Kind(words, lambda value: isinstance(value, Mapping))


def _is_device(value: Any) -> bool:
    try:
        device = torch.device(value) if isinstance(value, str | torch.device) else None
    except RuntimeError:
        return False
    if device is None or device.type != "cuda":
        return device is not None
    return (device.index or 0) < torch.cuda.device_count()


# `true` is a text on MONAI's command line, and counts as true; `false` would too.
FLAG = Kind("True or False", lambda value: isinstance(value, bool) or value in (0, 1, "true"))
TEXT = Kind("a text", lambda value: isinstance(value, str))
NAME = Kind("a name", lambda value: isinstance(value, str) or is_number(value))
NAMES = many(TEXT, "a list of names, such as \"['opacity','effusion']\"")
NOTHING = Kind("null", lambda value: value is None)
SHARE = number(0, 1)
EACH = many(number(), "a list of numbers") | mapping("a mapping of names to numbers")
POLICY = one_of("ignore", "zeros", "ones") | mapping("a mapping of findings to these")
DEVICE = Kind("a device of this machine: cpu, or a GPU, such as cuda:0, where torch finds one", _is_device)

# Of those whose default does not tell it all; the others take what their default is.
SWITCHES: dict[str, Kind] = {
    "amp": FLAG,
    "batch_size": whole(1),
    "bundle_root": TEXT,
    "cache_dir": TEXT | NOTHING,
    "calibration": TEXT | NOTHING,
    "ckpt_dir": TEXT,
    "clip_norm": number(0),
    "compare": mapping("a mapping of names to files of weights"),
    "device": DEVICE,
    "encoder": TEXT | mapping("a transformers configuration"),
    "encoder_learning_rate": number(0),
    "encoder_mean": number() | many(number(), "a list of numbers") | NOTHING,
    "encoder_std": number() | many(number(), "a list of numbers") | NOTHING,
    "encoder_weights": TEXT | NOTHING,
    "epochs": whole(1),
    "experiment_name": NAME,
    "features_dir": TEXT | NOTHING,
    "fold": whole(0) | NOTHING,
    "format": one_of("png", "rle", "nifti"),
    "fraction": one_of(1, 10, 100),
    "head": one_of("linear", "mlp"),
    "image_size": whole(1),
    "index": one_of("exact", "faiss"),
    "language_model": TEXT | NOTHING,
    "language_model_revision": NAME | NOTHING,
    "layer_decay": number(0),
    "learning_rate": number(0),
    "loss_kind": one_of("focal_dice", "dice_ce"),
    "mode": one_of("multilabel", "multiclass"),
    "names": NAMES,
    "nms_threshold": SHARE,
    "orthogonality_normalize": one_of("none", "row_l2", "standardize"),
    "orthogonality_where": one_of("features", "projections"),
    "output_dir": TEXT,
    "parent_run": TEXT | NOTHING,
    "pooling": one_of("mean", "cls") | NOTHING,
    "precision": one_of("auto", "float32", "bfloat16"),
    "prompts": TEXT | NOTHING,
    "protocol": one_of("mended", "published", "split", "5-fold"),
    "random_seeds": many(whole(), "a list of whole numbers"),
    "run_name": NAME | NOTHING,
    "runs_dir": TEXT,
    "save_seconds": number(0),
    "score_threshold": SHARE,
    "seed": whole(0),
    "shared_weights": TEXT,
    "standardize": FLAG,
    "start_weights": TEXT | NOTHING,
    "stop_on": TEXT,
    "temperature": number() | EACH,
    "threshold": number() | EACH,
    "thresholds": number() | EACH | NOTHING,
    "tracking_uri": TEXT | NOTHING,
    "tokens": one_of("pooled", "patch"),
    "uncertain": POLICY,
    "unknown": POLICY,
    "val_interval": whole(1),
    "view": TEXT | many(TEXT, "a list of views") | NOTHING,
    "warmup": SHARE,
    "weight_decay": number(0),
    "weights": TEXT,
    "window": whole(1) | NOTHING,
}
_BY_TYPE = {bool: FLAG, int: whole(), float: number(), str: TEXT, dict: mapping("a mapping")}


def kind_of(name: str, default: Any) -> Kind | None:
    """What a switch takes: as `SWITCHES` says, else as its default does; None where neither tells."""
    if name in SWITCHES:
        return SWITCHES[name]
    return None if is_computed(default) else _BY_TYPE.get(type(default))


def is_computed(value: Any) -> bool:
    """Whether a value is known only once the configuration runs: a reference, an expression or a component."""
    if isinstance(value, dict):
        return "_target_" in value
    return isinstance(value, str) and value.startswith(("@", "%", "$"))


def misfit(name: str, value: Any, default: Any) -> str:
    """Why a switch does not take a value, in a few words; "" where it does, or where that is not known."""
    kind = kind_of(name, default)
    if kind is None or is_computed(value) or kind.fits(value):
        return ""
    cure = ""
    if isinstance(value, float) and value.is_integer() and kind.fits(int(value)):
        cure = f": write {int(value)}"
    elif is_number(value) and kind.fits(str(value)):
        cure = f": write \"'{value}'\", and for a folder ./{value}"
    elif value == "false" and kind is FLAG:
        cure = ": write False. MONAI takes 'false' for a text, which counts as true"
    return f"it takes {kind.words}{cure}"
