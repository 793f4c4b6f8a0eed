"""The wheel: `scripts` becomes the package `cxr_vlp`, with `bundle` and `configs` in it; see pyproject.toml too."""

from pathlib import Path

from setuptools import find_packages, setup

INSIDE = {"cxr_vlp": "scripts", "cxr_vlp.bundle": "bundle"}

packages = [part for name, folder in INSIDE.items() for part in (name, *(f"{name}.{p}" for p in find_packages(folder)))]
configs = [folder for folder in (Path("configs"), *Path("configs").rglob("*")) if folder.is_dir()]
setup(
    packages=[*packages, *("cxr_vlp." + ".".join(folder.parts) for folder in configs)],
    package_dir={**INSIDE, "cxr_vlp.configs": "configs"},
    package_data={"": ["py.typed", "*.json", "*.csv", "*.conf", "*.jinja"]},
)
