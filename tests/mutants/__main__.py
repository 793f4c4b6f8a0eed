"""`python -m tests.mutants [--count 10000]`: what damaged files cost and what they become, as a table."""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from tests.mutants import measure


def main() -> None:
    """Print the figures; exit status 1 when a worker died, a row was lost, or a reason held a patient's data."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--count", type=int, default=1100, help="mutants (default: 1100)")
    parser.add_argument("--workers", type=int, default=2, help="processes (default: 2)")
    args = parser.parse_args()
    warnings.filterwarnings("ignore")
    with TemporaryDirectory() as name:
        tally = measure.through_workers(args.count, Path(name), args.workers)
        for line in measure.table(measure.judged(args.count, Path(name))):
            print(line)
    print(f"rows {tally.rows} of {args.count}, deaths {len(tally.deaths)}, leaks {len(tally.leaks)}")
    median, slow = np.percentile(tally.seconds, [50, 99])
    print(f"seconds: median {median:.3f}, p99 {slow:.3f}")
    print(f"memory of a worker at its peak: {tally.memory:.0f} MiB")
    print("reasons:", ", ".join(f"{reason} {n}" for reason, n in tally.reasons.most_common()))
    for what in (*tally.deaths, *tally.leaks):
        print("  ", what)
    raise SystemExit(bool(tally.deaths or tally.leaks or tally.rows != args.count))


if __name__ == "__main__":
    main()
