"""`python -m bundle VERB`: what a person runs around a workflow."""

from __future__ import annotations

import argparse
import importlib
import logging
import sys

from scripts.errors import CxrError, explain_os_error
from scripts.root import PACKAGE

# Each verb's module has `add_arguments(parser)` and `main(args) -> exit status`; it is imported only when it is called.
VERBS = {
    "demo": (".demo", "make the demo data: radiograph-like phantoms with reports, as DICOM files"),
    "prepare": (".prepare", "read a data set once: study table, image store, text store, audit"),
    "sweep": (".sweep", "train and score tasks over label fractions, initialisations and seeds"),
    "compare": (".compare", "pre-train methods with one budget, evaluate them, and sweep over the tasks"),
    "pack": (".pack", "write a trained network as a bundle of its own"),
}


def main(arguments: list[str] | None = None) -> int:
    """Runs one verb; an error that a person can act on, the file system's included, is one or two lines and exit
    status 1.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    listing = "\n".join(f"  {name:8} {text}" for name, (_, text) in VERBS.items())
    parser = argparse.ArgumentParser(
        prog="python -m bundle",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=f"verbs:\n{listing}\n\npython -m bundle VERB --help tells the rest.",
    )
    parser.add_argument("verb", choices=VERBS, metavar="VERB", help="what to do; see below")
    verb = parser.parse_args(arguments[:1]).verb
    module = importlib.import_module(VERBS[verb][0], __package__)
    verb_parser = argparse.ArgumentParser(prog=f"python -m bundle {verb}", description=VERBS[verb][1])
    module.add_arguments(verb_parser)
    args = verb_parser.parse_args(arguments[1:])
    # Decoders and font finders log their own steps; only what we say is for the person at the console.
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    for name in (__package__, PACKAGE):
        logging.getLogger(name).setLevel(logging.INFO)
    try:
        return int(module.main(args))
    except CxrError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        if not error.errno:
            raise
        print(f"Error: {explain_os_error(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped by hand; the same command goes on from here.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
