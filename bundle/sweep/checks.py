"""What no cell could run with, said once and before the first of them."""

from __future__ import annotations

from scripts.engine.overrides import check_values, is_overridable, read_files
from scripts.errors import CxrError
from scripts.tasks.registry import TASKS

from .cell import CONFIGS
from .plan import Cell, Plan


def check_plan(plan: Plan) -> None:
    """Looks at one cell of each task, mode, fraction and initialisation: its overrides, and its names in the data.

    Raises:
        CxrError: an id that the task's configuration does not have, or names that the data set does not have.
    """
    for task in plan.tasks:
        if not (CONFIGS / task / "train.json").is_file():
            raise CxrError(f"{CONFIGS / task / 'train.json'} is not there: run the sweep from the project's root.")
        there = TASKS[task].target_names(plan.dataset)
        if not there:
            raise CxrError(f"{plan.dataset} has no target for {task}; leave it out of --tasks.")
        seen: list[tuple[object, ...]] = []
        for cell in plan.cells():
            wanted = (cell.configs, list(cell.overrides), cell.overrides.get("names"))
            if cell.task == task and wanted not in seen:
                seen.append(wanted)
                _check(cell, there)


def _check(cell: Cell, there: list[str]) -> None:
    folder = CONFIGS / cell.task
    config = read_files([str(folder / "train.json"), *cell.configs, str(folder / "evaluate.json")])
    config.parse(reset=True)  # the parts that it takes from other files are then among its ids
    for name in cell.overrides:
        if not is_overridable(config, name):
            raise CxrError(f"--set {name}: configs/{cell.task} has no such id. Set it for the tasks that do.")
    names = cell.overrides.get("names", config["names"])
    if isinstance(names, str) and not names.startswith(("$", "@", "%")):
        raise CxrError(f"--set {cell.task}:names={names}: write a list, such as '{cell.task}:names=[\"{names}\"]'.")
    check_values(cell.overrides, config, "--set ")
    absent = [name for name in names if name not in there] if isinstance(names, list) else []
    if absent:
        quoted = ", ".join(f'"{name}"' for name in there)
        raise CxrError(
            f"{cell.task}: the data set has no {', '.join(absent)}. Choose with --set '{cell.task}:names=[{quoted}]'."
        )
