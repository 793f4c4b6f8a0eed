"""docs/README.md of a pack, by the model zoo's template, with the run's own numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .kinds import Kind
from .numbers import Run

INPUT = (
    "`image`: one radiograph, float32, three equal channels, {size} × {size} pixels, after the configs' "
    "`preprocessing`: DICOM to display values (modality LUT or rescale, VOI LUT or window, polarity), PNG or JPEG as "
    "they are; letterbox to a square; 0.5th and 99.5th percentile to 0 and 1; minus 0.449, divided by 0.226."
)


STOCK = "The network is a stock MONAI class; reader and transforms are in this bundle's `scripts`:"
OWN = "The network is a class of this bundle's `scripts`, so its folder must be on the Python path first:"
MODULE = "`models/pretraining.pt` is the whole trained module, with what stands on the encoder, for `evaluating`."
NO_MODULE = (
    "What stood on the encoder in the training (`models/pretraining.pt`) is not in this pack. `evaluating` needs it "
    "for the space that images and reports share."
)


@dataclass(frozen=True)
class Parts:
    """What of a pack is there.

    Attributes:
        stock: the network is MONAI's own class.
        module: the whole pre-trained module.
    """

    stock: bool
    module: bool


def readme(
    kind: Kind,
    metadata: Mapping[str, Any],
    run: Run,
    switches: Mapping[str, Any],
    charts: Sequence[str],
    there: Parts,
) -> str:
    """The page.

    Args:
        kind: what is packed.
        metadata: of the pack.
        run: what is known of it.
        switches: of the packed train.json: its plain top-level values.
        charts: files in docs/pictures.
        there: what of the pack is there.
    """
    formats = metadata["network_data_format"]
    pred = formats["outputs"]["pred"]
    size = formats["inputs"]["image"]["spatial_shape"][0]
    names = ", ".join(pred.get("channel_def", {}).values())
    references = metadata.get("references", [])
    tags = kind.tags + (", Self-Supervised, Vision-Language" if "text_data_format" in metadata else "")
    output = kind.output.format(names=names, channels=pred["num_channels"])
    if kind.module:
        output += f" {MODULE if there.module else NO_MODULE}"
    parts = [
        f"# {metadata['name']}",
        f"### **Authors**\n{metadata['authors']}",
        f"### **Tags**\nChest X-ray, CR, DX, {tags}",
        f"## **Model Description**\n{metadata['description']}\n\nIntended use: {metadata['intended_use']}",
        f"## **Data**\nTrained on: {metadata['data_source']}. Terms: [data_license.txt](data_license.txt). The pack "
        "holds no image.",
        "## **Performance**\n" + performance(run, charts),
        f"## **Training configuration**\n{table(switches)}",
        f"### Input\n{INPUT.format(size=size)}",
        f"### Output\n{output}",
        "## **Additional Usage Steps**\n" + usage(kind, there.stock),
        "## **MONAI Bundle Commands**\n" + commands(kind),
        "## **System Configuration**\nPython 3.11 or newer; the versions in `configs/metadata.json`. CPU or GPU: the "
        "same configs, `multi_gpu_train.json` takes one process a GPU. No network is needed.",
        "## **Limitations**\nResearch use only. Not a medical device; not cleared or approved by any agency; no output "
        "may guide the care of a patient. A network learns what its archive holds: devices, scanners, positions and "
        "populations among it, and scores on one archive say little about another. A bundle config is code: run only "
        "configs from a source that you trust.",
        "## **Citation Info**\n" + ("The works below." if references else "No published method: this bundle alone."),
        "## **References**\n" + ("\n\n".join(f"[{i}] {one}" for i, one in enumerate(references, 1)) or "None."),
        "# License\nCode and configs: Apache License 2.0, see `LICENSE`. Weights: "
        "[data_license.txt](data_license.txt).",
    ]
    return "\n\n".join(parts) + "\n"


def performance(run: Run, charts: Sequence[str]) -> str:
    """The run's numbers, or that there are none."""
    text = []
    if run.best is not None and run.best.get("value") is not None:
        text.append(
            f"On the validation images that chose the weights: {run.best['metric']} {run.best['value']:.4f} "
            f"(epoch {run.best['epoch']})."
        )
    if run.table:
        text += [run.table.strip(), *run.notes]
    else:
        text.append("No evaluation was packed with these weights: nothing is known here of how well they do.")
    return "\n\n".join([*text, *(f"![{file}](pictures/{file})" for file in charts)])


def table(values: Mapping[str, Any]) -> str:
    """Switches and their values; of a nested one (an encoder's configuration) the kind alone."""
    rows = ["| switch | value |", "|---|---|"]
    for key, value in values.items():
        if isinstance(value, Mapping) and "model_type" in value:
            value = f"transformers {value['model_type']}"
        rows.append(f"| {key} | {json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value} |")
    return "\n".join(rows)


def usage(kind: Kind, stock: bool) -> str:
    """In Python, from any folder."""
    name = kind.pack
    return f"""{STOCK if stock else OWN}

```python
import sys
sys.path.insert(0, "FOLDER/{name}")

import monai
from monai.bundle import ConfigParser

network = monai.bundle.load("{name}", bundle_dir="FOLDER", workflow_type="inference").eval()

config = ConfigParser()
config.read_config("FOLDER/{name}/configs/inference.json")
image = config.get_parsed_content("preprocessing")({{"image": "YOUR.dcm"}})["image"]
output = network(image[None])
```

`FOLDER` is the one that `{name}` lies in. MONAI's `load` leaves out what does not fit and says nothing;
`scripts.encoders.load_weights(network, path)` is strict. Two bundles with a package `scripts` do not fit into one
process."""


def commands(kind: Kind) -> str:
    """From the bundle's root."""
    start = "starts from `models/model.pt`, and writes the better weights there"
    return f"""From this folder. Inference on a folder of DICOM, PNG or JPEG files; {kind.files}:

```
python -m monai.bundle run inferring --config_file configs/inference.json --dataset_dir YOUR_FOLDER
```

Training {start}; {kind.otherwise}:

```
python -m monai.bundle run training --config_file configs/train.json --dataset_dir YOUR_DATA
torchrun --standalone --nproc_per_node=2 -m monai.bundle run training \\
  --config_file "['configs/train.json','configs/multi_gpu_train.json']" --dataset_dir YOUR_DATA
python -m monai.bundle run evaluating \\
  --config_file "['configs/train.json','configs/evaluate.json']" --dataset_dir YOUR_DATA
```

`YOUR_DATA` is a CSV or Parquet file with an image and its target a row, or a folder made by the project's `prepare`."""
