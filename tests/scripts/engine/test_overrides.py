"""A mistyped override is refused; whatever MONAI's command line would use passes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scripts.engine.overrides import check_command_line, command_line_config, named_arguments, read_files
from scripts.errors import CxrError


@pytest.fixture
def train_json(project: Path) -> str:
    return str(project / "configs" / "train.json")


@pytest.mark.parametrize(
    ("line", "pairs"),
    [
        ("run training --a 1 --b=2", {"a": "1", "b": "2"}),
        ("run -a 1 -bc 2", {"a": "1", "bc": "2"}),
        ("run --a=b=c", {"a": "b=c"}),
        ("run --batch-size 4", {"batch_size": "4"}),
        ("run --resume --a 1", {"resume": "True", "a": "1"}),
        ("run --a 1 --resume", {"a": "1", "resume": "True"}),
        ("run --a -3 --b -1e-3", {"a": "-3", "b": "-1e-3"}),
        ("run --a#b::c x y", {"a#b::c": "x"}),
        ("run --a 1 -- --verbose", {"a": "1"}),
        ("run training", {}),
    ],
)
def test_the_command_line_is_read_as_fire_reads_it(line: str, pairs: dict[str, str]) -> None:
    assert named_arguments(line.split()) == pairs
    # Against Fire itself, for a function that takes any keyword, as MONAI's `run` does.
    from fire.core import _ParseKeywordArgs
    from fire.inspectutils import FullArgSpec

    arguments = line.split(" -- ")[0].split()
    assert _ParseKeywordArgs(arguments, FullArgSpec(varkw="override"))[0] == pairs


@pytest.mark.parametrize(
    "line",
    [
        "--epochs 3",
        "--epochs=3",
        "-epochs 3",
        "--batch-size 3",
        "--resume",
        "--train#trainer#max_epochs 1",
        "--train::trainer::max_epochs 1",
        "--save#every_minutes 0",  # an argument that the config leaves at its default
        "--optimizer#betas (0.8,0.9)",
        "--network_def#widen_factor 0.5",  # of a target that is itself a switch
        "--train#dataset#_disabled_ True",
        "--train#trainer#accumulation_steps 2",
        "--logging_file False --workflow_type train --meta_file x.json --tracking mlflow",
        "--run_name x --output_dir y --experiment_name z --save_execute_config False",
        "",
    ],
)
def test_valid_overrides_pass(train_json: str, line: str) -> None:
    check_command_line(["run", "training", "--config_file", train_json, *line.split()])


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--epoch 3", "--epoch: .*train.json has no such id. Did you mean --epochs?"),
        ("--epoch=3", "Did you mean --epochs?"),
        ("-epoch 3", "Did you mean --epochs?"),
        ("--learningrate 1", "Did you mean --learning_rate?"),
        ("--zzz 1", "Its switches are: .*epochs.*batch_size"),
        ("--train#trainer#max_epoch 1", "--train#trainer#max_epoch: "),
        ("--train#trainr#max_epochs 1", "--train#trainr#max_epochs: "),
        ("--optimizer#beta 1", "--optimizer#beta: "),
        ("--epochs#x 1", "--epochs#x: "),
        ("--save#every_minute 0", "--save#every_minute: .*no such id"),
        ("--train#handlers#99#path x", "no such id"),
        ("--resume false", "--resume false: it takes True or False: write False"),
        ("--amp=false", "--amp false: it takes True or False: write False"),
        ("--learning_rate None", "--learning_rate None: MONAI passes over it"),
    ],
)
def test_mistakes_are_refused_in_one_line(train_json: str, line: str, words: str) -> None:
    with pytest.raises(CxrError, match=words) as caught:
        check_command_line(["run", "training", "--config_file", train_json, *line.split()])
    assert "\n" not in str(caught.value)


def test_an_args_file_is_checked_too(train_json: str, tmp_path: Path) -> None:
    arguments = tmp_path / "run.json"
    arguments.write_text(json.dumps({"config_file": train_json, "epochs": 2}))
    check_command_line(["run", "training", "--args_file", str(arguments), "--batch_size", "2"])
    with pytest.raises(CxrError, match="Did you mean --batch_size"):
        check_command_line(["run", "training", "--args_file", str(arguments), "--batch_sizes", "2"])
    arguments.write_text(json.dumps({"config_file": train_json, "epoch": 2}))
    with pytest.raises(CxrError, match="Did you mean --epochs"):
        check_command_line(["run", "training", "--args_file", str(arguments)])


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.json", '{"epochs": 3,}', "line 1 column"),
        ("a.json", "", "Expecting value"),
        ("a.yaml", "epochs: [3", "while parsing"),
        ("b.json", None, "No such file"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, train_json: str, name: str, content: str | None, words: str) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(CxrError, match=words) as caught:
        read_files([train_json, str(tmp_path / name)])
    assert str(caught.value).startswith(f"{tmp_path / name} cannot be read as a configuration: ")
    assert "\n" not in str(caught.value)


def test_an_overlay_brings_its_own_ids(project: Path, train_json: str) -> None:
    overlay = str(project / "configs" / "evaluate.json")
    check_command_line(["run", "evaluating", f"--config_file=['{train_json}','{overlay}']", "--random_seeds", "[0]"])
    with pytest.raises(CxrError, match=r"random_seeds: .*has no such id"):
        check_command_line(["run", "training", "--config_file", train_json, "--random_seeds", "[0]"])
    with pytest.raises(CxrError, match=r"train\.json, .*evaluate\.json has no such id. Did you mean --random_seeds"):
        check_command_line(["run", "evaluating", f"--config_file=['{train_json}','{overlay}']", "--random_seed", "[0]"])


def test_a_line_without_config_is_not_ours() -> None:
    check_command_line(["download", "--name", "spleen_ct_segmentation", "--whatever", "1"])


@pytest.mark.parametrize(
    ("line", "key", "value"),
    [("--epochs 3", "epochs", 3), ("--view PA", "view", "PA"), ("--optimizer#betas (0.8,0.9)", "betas", (0.8, 0.9))],
)
def test_the_resolved_config_has_the_overrides_with_their_types(
    train_json: str, line: str, key: str, value: Any
) -> None:
    config = command_line_config(["run", "training", "--config_file", train_json, *line.split()])
    assert config is not None
    assert (config["optimizer"] if key == "betas" else config)[key] == value
    assert "config_file" not in config


@pytest.mark.parametrize(
    "encoder", ["densenet121", "../models/vit", "facebook/dinov2-small@abc", "{'model_type': 'vit'}"]
)
@pytest.mark.parametrize("config", ["train", "inference"])
def test_an_encoder_that_is_no_resnet_asks_for_the_overlay(encoder: str, config: str, project: Path) -> None:
    file, overlay = (str(project / "configs" / f"{name}.json") for name in (config, "encoder"))
    with pytest.raises(CxrError) as caught:
        check_command_line(["run", "--config_file", file, "--encoder", encoder])
    assert f"--encoder {encoder} is no ResNet of MONAI" in str(caught.value)
    assert str(caught.value).endswith(f"""--config_file "['{file}','{overlay}']".""")
    check_command_line(["run", "--config_file", f"['{file}','{overlay}']", "--encoder", encoder])


def test_the_overlay_goes_behind_the_first_file(project: Path) -> None:
    folder = project / "configs"
    files = f"['{folder}/train.json','{folder}/evaluate.json']"
    with pytest.raises(CxrError, match=r"train.json','[^']*encoder.json','[^']*evaluate.json'\]"):
        check_command_line(["run", "--config_file", files, "--encoder", "densenet121"])
