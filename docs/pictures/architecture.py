"""The architecture as a picture, made from the imports: `python docs/pictures/architecture.py`."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from importlib.util import resolve_name
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
ROOTS = ("scripts", "bundle", "benchmarks")
BASE = "base"  # the modules of scripts/ that are in no folder
# From what knows nothing of the others upwards; a package imports those of lower rows alone.
LAYERS = (
    (BASE,),
    ("radiograph", "statistics"),
    ("text", "metrics", "tables"),
    ("data", "encoders", "figures"),
    ("engine", "predictions"),
    ("tasks",),
    ("pretraining", "evaluation"),
    ("trained",),
    ("bundle",),
    ("benchmarks",),
)


def module_imports(root: Path = PROJECT) -> dict[str, set[str]]:
    """Modules of this project by name, with those that each imports, wherever in the file."""
    files = {_name(path.relative_to(root)): path for folder in ROOTS for path in (root / folder).rglob("*.py")}
    return {name: {found for found in _imported(name, path) if found in files} for name, path in files.items()}


def package_imports(modules: dict[str, set[str]]) -> dict[str, set[str]]:
    """Packages as `LAYERS` names them, with those that each imports."""
    found: dict[str, set[str]] = defaultdict(set)
    for name, imported in modules.items():
        found[package_of(name)] |= {package_of(other) for other in imported} - {package_of(name)}
    return dict(found)


def package_of(module: str) -> str:
    """`scripts.tasks.report` is of "tasks", `scripts.errors` of "base", `bundle.pack` of "bundle"."""
    root, *rest = module.split(".")
    if root != "scripts":
        return root
    if not rest:
        return "trained"  # the package's own door
    return rest[0] if (PROJECT / "scripts" / rest[0]).is_dir() else BASE


def without_detours(packages: dict[str, set[str]]) -> dict[str, set[str]]:
    """The arrows that no longer way says already."""

    def below(name: str) -> set[str]:
        return packages[name].union(*(below(other) for other in packages[name]))

    return {name: found - {far for other in found for far in below(other)} for name, found in packages.items()}


def _name(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def _imported(name: str, path: Path) -> Iterator[str]:
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = resolve_name("." * node.level + (node.module or ""), package)
            # A module, or names of one: a package's own `__init__` is imported for its names alone.
            yield from (f"{source}.{alias.name}" for alias in node.names)
            yield source


def draw(path: Path) -> Path:
    """A box a package, a row a layer, an arrow for each import that no longer way says already."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    modules = module_imports()
    sizes: dict[str, int] = defaultdict(int)
    for name in modules:
        sizes[package_of(name)] += 1
    figure, axes = plt.subplots(figsize=(8, 9.5), layout="constrained")
    axes.set_axis_off()
    place = {
        name: ((column + 0.5) / len(row) + 0.06 * (level % 2 - 0.5) * (len(row) == 1), level)
        for level, row in enumerate(LAYERS)
        for column, name in enumerate(row)
    }
    for name, imported in without_detours(package_imports(modules)).items():
        for other in imported:
            (x0, y0), (x1, y1) = place[name], place[other]
            bend = 0.0 if y0 - y1 == 1 else 0.18 * (1 if x1 >= x0 else -1)
            axes.annotate(
                "", (x1, y1 + 0.24), (x0, y0 - 0.24),
                arrowprops={"arrowstyle": "-|>", "color": "#9aa5b1", "lw": 0.9, "connectionstyle": f"arc3,rad={bend}"},
            )  # fmt: skip
    for name, (x, y) in place.items():
        axes.text(
            x, y, f"{name}\n{sizes[name]} modules", ha="center", va="center", fontsize=10, color="#222222",
            bbox={"boxstyle": "round,pad=0.45", "facecolor": "#eef3f8", "edgecolor": "#4a6785"},
        )  # fmt: skip
    axes.set_xlim(-0.05, 1.05)
    axes.set_ylim(-0.6, len(LAYERS) - 0.4)
    axes.set_title("Who imports whom, where no longer way says it already", fontsize=11)
    figure.savefig(path, dpi=110)
    plt.close(figure)
    return path


if __name__ == "__main__":
    print(draw(Path(__file__).with_suffix(".png")))
