"""Processes that tests start: real ones, of a server that has paid for the imports once.

`python -m monai.bundle …` takes nine seconds of CPU time before its first line. A fork of a clean process that has
imported the libraries, and nothing of this project, does the same in a tenth of a second. It has no thread that could
be lost in the fork, for it has computed nothing.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import runpy
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

# What the tests' child processes import, project aside; a module that is not there is passed over.
LIBRARIES = [
    "torch.distributed.run",
    "torch.distributed.elastic.multiprocessing.api",
    "monai.bundle",
    "monai.engines",
    "monai.handlers",
    "monai.apps.detection.networks.retinanet_detector",
    "monai.networks.nets",
    "transformers",
    "transformers.models.auto.modeling_auto",
    "transformers.models.bert.modeling_bert",
    "mlflow",
    "mlflow.store.tracking.sqlalchemy_store",
    "sklearn.linear_model",
    "matplotlib.pyplot",
    "pyarrow.parquet",
    "pydicom",
    "cv2",
    "fire",
    "rich.progress",
    "ignite.contrib.handlers",
]
METHOD = "spawn" if sys.platform == "win32" else "forkserver"


def preload_libraries() -> None:
    """One fork server a test process, with the libraries, whoever starts it first: multiprocessing keeps the modules of
    the first only, and those of this project have no place in the process of a pack.
    """
    if METHOD == "forkserver":
        from multiprocessing import forkserver

        forkserver.set_forkserver_preload(LIBRARIES)
        forkserver.set_forkserver_preload = lambda modules: None  # type: ignore[assignment]


def on_two_ranks(function: Callable[[int, str], None], folder: Path) -> None:
    """`function(rank, folder)` on each of two gloo ranks. They meet at a file: ignite's port is the same for every test
    process, and the ranks of two tests that run at once would meet each other.
    """
    import ignite.distributed as idist

    meeting = f"file://{folder}/ranks"
    with idist.Parallel(backend="gloo", init_method=meeting, nproc_per_node=2, start_method=METHOD) as parallel:
        parallel.run(function, str(folder))


class Command:
    """`python ARGUMENTS` in a folder, with the interface of `subprocess.Popen` as far as tests use it.

    Args:
        arguments: `-m MODULE …`, `-c CODE …` or a script's path and its arguments.
        log: file for what it writes.
        cwd: its folder.
        environment: instead of this process's.
    """

    def __init__(
        self, arguments: Sequence[str], log: Path, cwd: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        context: Any = multiprocessing.get_context(METHOD)
        self.log = log
        environment = dict(os.environ if environment is None else environment)
        self.process = context.Process(target=_main, args=([*arguments], str(log), str(cwd), environment))
        self.process.start()

    @property
    def returncode(self) -> int | None:
        """Its exit status, negative where a signal ended it; None while it runs."""
        return self.process.exitcode

    def communicate(self) -> tuple[str, None]:
        """Waits for its end; what it wrote, to either stream."""
        self.process.join()
        return (self.log.read_text() if self.log.exists() else ""), None


def _main(arguments: list[str], log: str, folder: str, environment: dict[str, str]) -> None:
    """What the interpreter does with its command line."""
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    os.environ.clear()
    os.environ.update(environment)
    threads = environment.get("OMP_NUM_THREADS", "")
    if threads.isdigit():  # the server has read the environment before
        import torch

        torch.set_num_threads(int(threads))
    own = str(Path(__file__).resolve().parents[1])
    sys.path[:] = ["", *(path for path in sys.path if path not in ("", own))]
    os.chdir(folder)
    try:
        match arguments:
            case ["-m", module, *_]:
                sys.argv = [module, *arguments[2:]]
                runpy.run_module(module, run_name="__main__", alter_sys=True)
            case ["-c", code, *_]:
                sys.argv = ["-c", *arguments[2:]]
                exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})
            case [script, *_]:
                sys.argv = [*arguments]
                runpy.run_path(script, run_name="__main__")
        status = 0
    except SystemExit as exit_:
        status = exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None)
        if isinstance(exit_.code, str):
            print(exit_.code, file=sys.stderr)
    except BaseException:
        status = 1
        try:
            sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
        except BaseException:
            traceback.print_exc()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    raise SystemExit(status)
