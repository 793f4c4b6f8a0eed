"""What every workflow does first, and how it tells a person that something is wrong."""

from __future__ import annotations

import atexit
import logging
import os
import re
import sys
import tempfile
import traceback
import warnings
from pathlib import Path
from types import TracebackType

import ignite.distributed as idist
import torch
from monai.utils import set_determinism

from ..errors import CxrError, causes, explain_os_error, first_line
from .overrides import check_command_line

logger = logging.getLogger(__name__)


def start_workflow(seed: int | None = 0, device: str | torch.device | None = None) -> None:
    """Checks the command line, seeds, and joins the other ranks; `initialize` calls it, more than once at times.

    It touches neither data nor folders: `monai.bundle.load` and federated clients run `initialize` where there are
    none.

    Args:
        seed: of Python, numpy and torch; None leaves them alone.
        device: of this run, or its name; None is a GPU if there is one. The ranks talk over it.

    Raises:
        CxrError: an override on MONAI's command line is not an id of the config, or of another kind.
    """
    if is_command_line():
        sys.excepthook = show_error
        # Said for every LoadImaged that is built, although the reader that it is about is not asked for.
        warnings.filterwarnings("ignore", message="NvImgCodecPydicomReader")
        check_command_line(sys.argv[1:])
    if seed is not None:
        set_determinism(seed=seed)
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and idist.backend() is None:
        # On every rank and before anything is built: MONAI's and ignite's savers make a process group of their own
        # otherwise.
        chosen = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        if chosen.type == "cuda":
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")) if chosen.index is None else chosen.index)
        idist.initialize("nccl" if chosen.type == "cuda" else "gloo")
        # Gloo's threads, if they are still there when the interpreter ends, abort a finished run now and then.
        atexit.register(idist.finalize)


def is_command_line() -> bool:
    """Whether the main program is `python -m monai.bundle`. A host process keeps its own hook, and may inject any
    id.
    """
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return spec is not None and spec.name.startswith("monai.bundle")


def show_error(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """`sys.excepthook` that prints one or two lines, and puts the whole trace into a file."""
    if issubclass(kind, KeyboardInterrupt):
        print("Stopped by hand; go on with --resume True.", file=sys.stderr)
        return
    handle, name = tempfile.mkstemp(prefix="cxr_vlp_error_", suffix=".log")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        traceback.print_exception(kind, error, trace, file=file)
    print(f"Error: {explain(error)}\n(whole trace: {Path(name)})", file=sys.stderr)


def explain(error: BaseException) -> str:
    """What a person needs of a chain of exceptions: our own message, else the innermost cause and what MONAI was
    building.
    """
    chain = list(causes(error))
    for cause in chain:
        if isinstance(cause, CxrError):
            return _without_trace(str(cause))
    cause = chain[-1]
    if isinstance(cause, OSError) and cause.errno:
        return explain_os_error(cause)
    text = f"{type(cause).__name__}: {first_line(cause) if str(cause).strip() else 'no message'}"
    return text if len(chain) == 1 else f"{text}\n  while: {first_line(chain[-2])[:300]}"


def _without_trace(text: str) -> str:
    """torch hands an error of a loader's process on as the text of its whole trace; the message is at its end."""
    return re.split(rf"^{re.escape(CxrError.__module__)}\.\w+: ", text, flags=re.MULTILINE)[-1].strip()
