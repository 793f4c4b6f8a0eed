"""Vision models of transformers: built from their configuration, read with every weight accounted for."""

from __future__ import annotations

import json
import logging
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from torch import nn
from transformers import CONFIG_MAPPING, AutoBackbone, AutoModel
from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES
from transformers.models.auto.modeling_auto import MODEL_FOR_BACKBONE_MAPPING_NAMES
from transformers.utils import cached_file

from ..errors import CxrError
from ..tensor_files import check_folder
from ..text.stock_encoder import quiet_transformers
from .transformers_encoders import gives_tokens

logger = logging.getLogger(__name__)

# A masked autoencoder without its masking is a plain vision transformer, weight by weight.
_STOCK_TYPE = {"vit_mae": "vit"}
_STATISTICS = ("image_mean", "image_std")
_NOT_SETTINGS = ("model_type", "auto_map")
_OPTIONAL = {"_raise_exceptions_for_missing_entries": False, "_raise_exceptions_for_connection_errors": False}
_AS_BUILT = ("hidden_states_norms.", "pooler.dense.")  # heads of another use, which a file of the model need not have


def read_config(name: str) -> dict[str, Any]:
    """A model's config.json, and the `image_mean` and `image_std` of its preprocessor_config.json when it has one.

    Args:
        name: folder with config.json, or hub id, `owner/name` or `owner/name@REVISION` (branch, tag or commit); the
            hub's cache on this disk is enough.

    Raises:
        CxrError: it is neither, or its files cannot be had or read.
    """
    if not Path(name).is_dir() and not re.fullmatch(r"[\w-][\w.-]*/[\w.-]+(@[\w./-]+)?", name):
        raise CxrError(f"No encoder '{name}': it is no folder, and not the `owner/name` of a model of the hub.")
    folder, images = Path(name), "preprocessor_config.json"
    try:
        if not folder.is_dir():  # the hub's cache lays a model's files into one folder
            model, revision = _pinned(name)
            folder = Path(cached_file(model, "config.json", revision=revision)).parent
            cached_file(model, images, revision=revision, **_OPTIONAL)
            if revision is None and folder.parent.name == "snapshots":
                logger.info("%s is at %s today; to keep it so, write %s@%s.", name, folder.name, name, folder.name)
        values = json.loads((folder / "config.json").read_text())
        found = json.loads((folder / images).read_text()) if (folder / images).is_file() else {}
    except (OSError, ValueError) as error:
        what = (
            "its config.json cannot be read" if Path(name).is_dir() else "no folder, nor a hub's model to be had here"
        )
        raise CxrError(
            f"No encoder '{name}': {what} ({_short(error)[:90]}). "
            "With a network: `hf download OWNER/NAME --local-dir FOLDER`, then give FOLDER."
        ) from error
    return {**values, **{key: found[key] for key in _STATISTICS if key in found}}


def _pinned(name: str | Path) -> tuple[str, str | None]:
    """A folder, or a hub id without its revision; and the revision."""
    model, _, revision = str(name).partition("@")
    return (str(name), None) if Path(name).is_dir() else (model, revision or None)


def build_vision_model(values: Mapping[str, Any], **options: Any) -> nn.Module:
    """The model with random weights, float32; hierarchies as the backbone that gives the maps of all their
    stages, where transformers has one.

    Args:
        values: content of a config.json (`model_type` says which architecture); of one of image and text, the image's
            part is taken. `image_mean` and `image_std` may stand beside it.
        options: values of the configuration that are changed.

    Raises:
        CxrError: the architecture is none of transformers', not a vision model, or has no such option.
    """
    kind = values.get("model_type", "")
    if kind not in CONFIG_MAPPING_NAMES:
        raise CxrError(f"'{kind}' is no architecture (`model_type`) of transformers; a model's own code is never run.")
    form = CONFIG_MAPPING[_STOCK_TYPE.get(kind, kind)]
    chosen = {key: values[key] for key in _STATISTICS if key in values}
    if "vision_config" in form.sub_configs:
        form, values = form.sub_configs["vision_config"], values.get("vision_config") or {}
    unknown = sorted(set(options) - {*form().to_dict(), *_STATISTICS})
    if unknown:
        raise CxrError(f"encoder_options: a '{form.model_type}' has no {', '.join(unknown)}.")
    settings = {key: value for key, value in values.items() if key not in _NOT_SETTINGS}
    try:
        config = form(**{**settings, **chosen, **options})
        # A configuration may ask for float16, in which nothing can be trained.
        model = _backbone(config) if _is_backbone(config) else AutoModel.from_config(config, dtype=torch.float32)
    except (ImportError, KeyError, TypeError, ValueError, StrictDataclassError) as error:
        raise CxrError(f"'{form.model_type}' cannot be built as configured: {_short(error)}") from error
    if getattr(model, "main_input_name", "") != "pixel_values" or getattr(config, "num_channels", 3) not in (1, 3):
        raise CxrError(f"'{config.model_type}' is not a model of images with one or three channels.")
    return model


def _is_backbone(config: Any) -> bool:
    """Whether transformers has a backbone of the model; if so, the configuration is set to give the maps of all its
    stages. A vision transformer's one map is its output.
    """
    if not any(hasattr(config, name) for name in ("depths", "patch_size", "num_channels")):
        raise CxrError(f"'{config.model_type}' is no vision model.")
    known = config.model_type in MODEL_FOR_BACKBONE_MAPPING_NAMES and hasattr(config, "stage_names")
    if gives_tokens(config) or not known:
        return False
    if isinstance(getattr(config, "hidden_sizes", None), tuple):  # the default, to which ConvNeXt adds a list
        config.hidden_sizes = list(config.hidden_sizes)
    config.out_features = [name for name in config.stage_names if name != "stem"]
    return True


def _backbone(config: Any) -> Any:
    """The backbone with random weights; with its model's final norm where it would leave that out."""
    from .normed_backbones import NORMED

    if config.model_type in NORMED:
        backbone: Any = NORMED[config.model_type]
        return backbone._from_config(config, dtype=torch.float32)
    return AutoBackbone.from_config(config, dtype=torch.float32)


def load_vision_weights(body: Any, name: str | Path) -> Any:
    """Loads a folder's or hub model's weights into a body of the same architecture, in place.

    Heads that the file holds beside the encoder are left out and named in the log. A backbone's norms of its stages,
    which the model itself has not, stay as built (the last one takes the model's own final norm).

    Raises:
        CxrError: weights are missing, have another shape, or cannot be read.
    """
    own = body.state_dict()
    norms = [key.split(".")[1] for key in own if key.startswith("hidden_states_norms.")]
    renamed = norms and "model.layernorm.weight" not in own  # MaskFormer's backbone has the final norm besides
    names = {rf"^(?:{body.base_model_prefix}\.)?layernorm\.": f"hidden_states_norms.{norms[-1]}."} if renamed else None
    model_name, revision = _pinned(name)
    check_folder(name)
    try:
        # Weights that a file lacks are drawn at random: the caller's random state must not depend on it.
        with quiet_transformers(), torch.random.fork_rng(devices=[]):
            model, info = type(body).from_pretrained(
                model_name,
                revision=revision or "main",
                config=body.config,
                dtype=torch.float32,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # named below
                key_mapping=names,
            )
    except pickle.UnpicklingError as error:
        raise CxrError(f"The weights in {name} hold more than tensors: convert them to safetensors.") from error
    except (OSError, RuntimeError, ValueError, SafetensorError) as error:
        raise CxrError(f"The weights in {name} do not load: {_short(error)}") from error
    problems = {
        "missing": [key for key in info["missing_keys"] if key in own and not key.startswith(_AS_BUILT)],
        "of another shape": [key if isinstance(key, str) else key[0] for key in info["mismatched_keys"]],
    }
    found = [f"{len(keys)} {kind} ({_some(keys)})" for kind, keys in problems.items() if keys]
    if found:
        raise CxrError(f"{name} does not fit {type(body).__name__}: {'; '.join(found)}. Is `encoder` its own config?")
    if info["unexpected_keys"]:
        logger.info("%s: left out, not part of the encoder: %s", Path(name).name, _some(info["unexpected_keys"]))
    body.load_state_dict({key: value for key, value in model.state_dict().items() if key in own})
    return body


def _some(keys: Any) -> str:
    names = sorted(map(str, keys))
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
