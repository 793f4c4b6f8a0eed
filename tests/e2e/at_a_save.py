"""`python at_a_save.py N before|after SIGNAL own|parent -m monai.bundle …`: MONAI's command, in whose Nth save of the
checkpoint a signal comes, before the new file has its name or when it has. The process counts by itself: one that looks
on may be too late on a busy machine.
"""

import os
import runpy
import signal
import sys
import time
from pathlib import Path

left, moment, number, target = int(sys.argv[1]), sys.argv[2], getattr(signal, sys.argv[3]), sys.argv[4]
replace = Path.replace


def send() -> None:
    """To this process; or to what has started it, which passes it on."""
    if target == "own":
        os.kill(os.getpid(), number)
        return
    handler, came = signal.getsignal(number), []

    def note(*arguments: object) -> None:
        came.append(True)
        handler(*arguments)  # type: ignore[operator, misc, arg-type]

    signal.signal(number, note)
    os.kill(os.getppid(), number)
    while not came:
        time.sleep(0.001)


def counted(self: Path, name: str | Path) -> Path:
    """`Path.replace`."""
    global left
    saves = Path(name).name == "checkpoint.pt"
    left -= saves
    if saves and left == 0 and moment == "before":
        send()
    found = replace(self, name)
    if saves and left == 0 and moment == "after":
        send()
    return found


if __name__ == "__main__":
    Path.replace = counted  # type: ignore[method-assign, assignment]
    del sys.argv[1:7]
    sys.path.insert(0, "")
    runpy.run_module("monai.bundle", run_name="__main__", alter_sys=True)
