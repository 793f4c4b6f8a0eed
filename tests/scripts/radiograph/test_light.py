"""Reading a radiograph takes neither torch nor MONAI, which cost seconds and hundreds of megabytes to import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[3] / "scripts" / "radiograph"
HEAVY = {"torch", "monai", "transformers", "mlflow", "ignite", "pandas", "matplotlib", "scipy"}


def test_the_whole_package_imports_nothing_heavy() -> None:
    modules = ", ".join(f"scripts.radiograph.{path.stem}" for path in PACKAGE.glob("[a-z]*.py"))
    code = f"import sys, {modules}; print(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=PACKAGE.parents[1])
    assert done.returncode == 0, done.stderr
    assert not HEAVY & set(done.stdout.split())
