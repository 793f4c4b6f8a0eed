"""Every switch of every configuration takes what it is meant to take, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from monai.bundle import ConfigParser

from scripts.data.label_policy import Policy
from scripts.data.splits import FRACTIONS
from scripts.encoders.adapted import Tokens
from scripts.engine.overrides import check_command_line, check_values
from scripts.engine.switches import SWITCHES, is_computed, kind_of, misfit
from scripts.errors import CxrError
from scripts.evaluation.report import Protocol
from scripts.metrics.binary import Mode
from scripts.metrics.nearest import Index
from scripts.precision import Precision
from scripts.pretraining.orthogonality import Normalize
from scripts.tasks.protocol import PROTOCOLS
from scripts.tasks.segmentation.loss import LossKind
from scripts.tasks.segmentation.predictions import Format

CONFIGS = Path(__file__).resolve().parents[3] / "configs"
# Parts that a run is put together from, and MONAI's own ids: nobody gives them a plain value.
PARTS = {
    "_desc_", "imports", "initialize", "run", "training", "evaluating", "inferring", "train", "validate", "settings",
    "cached", "network", "network_def", "model", "detector", "method", "loss", "optimizer", "total_steps",
    "lr_scheduler", "prepare_batch", "load_image", "load_target", "to_encoder", "preprocessing", "postprocessing",
    "dataset", "dataloader", "inferer", "handlers", "evaluator", "text_store", "adaptor_options",
    # Handlers that the tasks share.
    "save", "check_features", "progress", "clip", "schedule", "validation", "history", "best", "training_pictures",
    "tracking", "leave_out", "load_weights", "evaluation_tracking",
}  # fmt: skip


def switches() -> Iterator[tuple[str, str, Any]]:
    """File, name and default of each switch of each configuration; those that a protocol decides have no default."""
    for file in sorted(CONFIGS.rglob("*.json")):
        if file.name in ("metadata.json", "tasks.json"):
            continue
        for name, value in json.loads(file.read_text()).items():
            by_protocol = isinstance(value, dict) and value.get("_target_") == "scripts.tasks.by_protocol"
            component = isinstance(value, dict) and "_target_" in value and not by_protocol
            if not (component or name in PARTS or "#" in name):
                yield file.relative_to(CONFIGS).as_posix(), name, value


@pytest.mark.parametrize("file", sorted({file for file, _, _ in switches()}))
def test_every_switch_says_what_it_takes_and_takes_its_default(file: str) -> None:
    for name, default in [(name, default) for found, name, default in switches() if found == file]:
        assert kind_of(name, default) is not None, f"add {name} to scripts.engine.switches.SWITCHES"
        assert misfit(name, default, default) == "", name
        assert misfit(name, object(), default), name


def test_the_table_has_no_switch_that_no_configuration_has() -> None:
    elsewhere = {"encoder_mean", "encoder_std", "features_dir"}
    assert set(SWITCHES) - elsewhere <= {name for _, name, _ in switches()}


@pytest.mark.parametrize(
    ("name", "choices"),
    [
        ("precision", get_args(Precision)),
        ("mode", get_args(Mode)),
        ("uncertain", get_args(Policy)),
        ("unknown", get_args(Policy)),
        ("protocol", (*PROTOCOLS, *get_args(Protocol))),
        ("index", get_args(Index)),
        ("tokens", get_args(Tokens)),
        ("format", get_args(Format)),
        ("loss_kind", get_args(LossKind)),
        ("orthogonality_normalize", get_args(Normalize)),
        ("fraction", FRACTIONS),
    ],
)
def test_a_choice_takes_what_its_component_takes(name: str, choices: tuple[Any, ...]) -> None:
    words = SWITCHES[name].words
    assert all(misfit(name, choice, None) == "" and str(choice) in words for choice in choices)
    assert f"it takes {words}" in misfit(name, "other", None)


REFUSED = [
    ("--resume maybe", "--resume maybe: it takes True or False."),
    ("--resume 2", "--resume 2: it takes True or False."),
    ("--patience x", "--patience x: it takes a whole number of 0 or more."),
    ("--patience -1", "--patience -1: it takes a whole number of 0 or more."),
    ("--patience True", "--patience True: it takes a whole number of 0 or more."),
    ("--epochs 1.5", "--epochs 1.5: it takes a whole number of 1 or more."),
    ("--epochs 1.0", "--epochs 1.0: it takes a whole number of 1 or more: write 1."),
    ("--epochs 0", "--epochs 0: it takes a whole number of 1 or more."),
    ("--batch_size '8'", "--batch_size 8: it takes a whole number of 1 or more."),
    ("--learning_rate fast", "--learning_rate fast: it takes a number of 0 or more."),
    ("--learning_rate nan", "--learning_rate nan: it takes a number of 0 or more."),
    ("--learning_rate 1e999", "--learning_rate inf: it takes a number of 0 or more."),
    ("--learning_rate", "--learning_rate True: it takes a number of 0 or more."),
    ("--warmup 10", "--warmup 10: it takes a number from 0 to 1."),
    ("--precision float8", "--precision float8: it takes auto, float32 or bfloat16."),
    ("--view 5", "--view 5: it takes a text, or a list of views, or null"),
    ("--output_dir 2024", "--output_dir 2024: it takes a text: write \"'2024'\", and for a folder ./2024."),
    ("--device gpu0", "--device gpu0: it takes a device of this machine: cpu, or a GPU"),
    ("--device 0", "--device 0: it takes a device of this machine: cpu, or a GPU"),
    ("--device cuda:99", "--device cuda:99: it takes a device of this machine: cpu, or a GPU"),
    ("--train#trainer#max_epochs 1.5", "--train#trainer#max_epochs 1.5: it takes a whole number of 1 or more."),
    ("--train::sampler::seed x", "--train::sampler::seed x: it takes a whole number of 0 or more."),
    ("--loss#weight x", "--loss#weight x: it takes a number."),
    ("--network_def#spatial_dims two", "--network_def#spatial_dims two: it takes a whole number of 0 or more."),
    ("--network_def#feed_forward no", "--network_def#feed_forward no: it takes True or False."),
]


@pytest.mark.parametrize(("line", "words"), REFUSED, ids=[line for line, _ in REFUSED])
def test_a_value_of_the_wrong_kind_is_refused_in_one_line(line: str, words: str) -> None:
    with pytest.raises(CxrError) as caught:
        check_command_line(["run", "training", "--config_file", str(CONFIGS / "train.json"), *line.split()])
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "line",
    [
        "--resume true --amp 0",
        "--resume=True --epochs=3",
        "--learning_rate 1e-4 --weight_decay 0 --warmup 0",
        "--view PA,AP --seed 7",
        "--view ['PA','AP']",
        "--run_name 42 --experiment_name 2026",
        "--device cpu",
        "--encoder_weights ../models/x.pt --language_model ../models/bert",
        "--epochs $3+4 --batch_size @image_size",
        "--loss#weight 1 --network_def#n_input_channels 1",
    ],
)
def test_what_a_person_means_passes(line: str) -> None:
    check_command_line(["run", "training", "--config_file", str(CONFIGS / "train.json"), *line.split()])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("names", "opacity"), ("names", [1, 2]), ("fraction", 50), ("fold", "two"), ("uncertain", "one"),
        ("frozen", "maybe"), ("layer_decay", "x"), ("score_threshold", 30), ("threshold", "half"),
        ("random_seeds", ["a"]), ("encoder_options", "x"), ("encoder", None), ("resamples", 1.5), ("window", 0),
    ],
)  # fmt: skip
def test_switches_of_tasks_evaluation_and_inference(name: str, value: Any) -> None:
    default = next(default for _, known, default in switches() if known == name)
    assert misfit(name, value, default).startswith("it takes ")


@pytest.mark.parametrize("suffix", ["overlay", "args"])
def test_a_file_of_ones_own_is_checked_too(tmp_path: Path, suffix: str) -> None:
    train, own = str(CONFIGS / "train.json"), tmp_path / "own.json"
    if suffix == "overlay":
        own.write_text(json.dumps({"epochs": "3", "train#trainer#amp": False}))
        line, words = ["--config_file", f"['{train}','{own}']"], f"{own}: epochs 3: it takes a whole number"
    else:
        own.write_text(json.dumps({"config_file": train, "epochs": "3"}))
        line, words = ["--args_file", str(own)], "--epochs 3: it takes a whole number"
    with pytest.raises(CxrError) as caught:
        check_command_line(["run", "training", *line])
    assert words in str(caught.value)


@pytest.mark.parametrize("file", sorted(CONFIGS.rglob("*train.json")), ids=lambda path: str(path.relative_to(CONFIGS)))
def test_the_configurations_pass_their_own_check(file: Path) -> None:
    config = ConfigParser()
    config.read_config(file)
    check_values({name: value for name, value in config.get().items() if not is_computed(value)}, config)
    overlays = [path for path in file.parent.glob("*.json") if path.name not in ("metadata.json", file.name)]
    for overlay in overlays if file.name == "train.json" else []:
        check_command_line(["run", "--config_file", f"['{file}','{overlay}']", "--encoder", "resnet18"])
