"""A transformers encoder and its tokenizer in the library's own classes, every weight accounted for."""

from __future__ import annotations

import json
import logging
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModel, AutoTokenizer
from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

from ..errors import CxrError, first_line
from ..tensor_files import check_folder

logger = logging.getLogger(__name__)

# Published under a name of their own with code beside them, though the encoder is a stock one with other heads.
_STOCK_TYPE = {"cxr-bert": "bert"}
_VOCABULARIES = ("tokenizer.json", "vocab.txt", "vocab.json")


def load_config(path: Path) -> Any:
    """The stock configuration that a config.json describes; code that it names is never run.

    Raises:
        CxrError: the file is unreadable, or its architecture is not one of transformers' own.
    """
    try:
        values = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise CxrError(f"{path} cannot be read as a model's configuration: {error}") from error
    published = values.pop("model_type", "bert")  # configurations older than this field are BERT's
    values.pop("auto_map", None)
    kind = _STOCK_TYPE.get(published, published)
    if kind not in CONFIG_MAPPING_NAMES:
        raise CxrError(f"{path}: '{published}' is no architecture of transformers; a model's own code is never run.")
    config = AutoConfig.for_model(kind, **values)
    if config.is_encoder_decoder or not isinstance(getattr(config, "hidden_size", None), int):
        raise CxrError(f"{path}: '{published}' is not a text encoder.")
    return config


def load_encoder(folder: Path) -> torch.nn.Module:
    """The encoder with the folder's weights, float32, in eval mode, without gradients.

    Heads that the file holds beside the encoder are left out and named in the log. A pooler may be missing: its output
    is not used.

    Raises:
        CxrError: weights are missing (a foreign prefix, another architecture), have another shape or cannot be read.
    """
    config = load_config(folder / "config.json")
    check_folder(folder)
    try:
        # Weights that a file lacks are drawn at random: the caller's random state must not depend on it.
        with quiet_transformers(), torch.random.fork_rng(devices=[]):
            model, info = AutoModel.from_pretrained(
                folder,
                config=config,
                dtype=torch.float32,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # named below; transformers only says that there are some
                local_files_only=True,
            )
    except pickle.UnpicklingError as error:
        raise CxrError(f"The weights in {folder} hold more than tensors: convert them to safetensors.") from error
    except (OSError, RuntimeError, ValueError, SafetensorError) as error:
        raise CxrError(f"The weights in {folder} do not load: {first_line(error)[:300]}") from error
    if info["mismatched_keys"]:
        raise CxrError(f"Weights in {folder} do not have config.json's shape: {_some(info['mismatched_keys'])}.")
    missing = sorted(key for key in info["missing_keys"] if not key.startswith("pooler."))
    if missing:
        raise CxrError(f"{folder} lacks {len(missing)} weights of {type(model).__name__}: {_some(missing)}.")
    if info["unexpected_keys"]:
        logger.info("%s: left out, not part of the encoder: %s", folder.name, _some(info["unexpected_keys"]))
    return model.eval().requires_grad_(False)


def load_tokenizer(folder: Path) -> Any:
    """The stock tokenizer of the model in the folder.

    Raises:
        CxrError: its files are missing, or it exists only as code that comes with the model.
    """
    # Without these files transformers makes a tokenizer that knows no word.
    if not any((folder / name).is_file() for name in _VOCABULARIES) and not list(folder.glob("*.model")):
        raise CxrError(f"{folder} holds no tokenizer ({', '.join(_VOCABULARIES)} or *.model).")
    published = json.loads((folder / "config.json").read_text()).get("model_type", "bert")
    kind = {"tokenizer_type": _STOCK_TYPE[published]} if published in _STOCK_TYPE else {}
    try:
        with quiet_transformers():
            return AutoTokenizer.from_pretrained(folder, local_files_only=True, **kind)
    except (OSError, ValueError, ImportError) as error:
        raise CxrError(f"The tokenizer in {folder} does not load: {first_line(error)[:300]}") from error


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """No bar and no report from transformers while weights load: the checks here say it in a line."""
    log = transformers.utils.logging
    level, bar = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity_error()
    log.disable_progress_bar()
    try:
        yield
    finally:
        log.set_verbosity(level)
        if bar:
            log.enable_progress_bar()


def _some(keys: Any) -> str:
    """The first few of many names."""
    names = sorted(str(key if isinstance(key, str) else key[0]) for key in keys)
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
