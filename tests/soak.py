"""Soak test: kills, power cuts, signals, full disks, long runs; `make soak`.

    python tests/soak.py [--parts NAME ...] [--kills 100] [--power-cuts 30] [--cases 400]

Runs for about an hour what is too long for the test suite, and writes docs/reliability.md. The exit
code is 1 if a check fails. The parts are in soaking/.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from conftest import CHECKOUT
from soaking.killing import kills
from soaking.mistyping import fuzzing
from soaking.power import power_cuts
from soaking.reliability import Part, store, stored_parts, write_page
from soaking.stopping import one_process, signals, two_processes
from soaking.wear import full_disk, long_run


def main() -> int:
    """Run the parts, print the result of each, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument(
        "--power-cuts", type=int, default=30, help="copies of a file system; needs root and ext4"
    )
    parser.add_argument(
        "--signals", type=int, default=20, help="per kind of signal, on one and on two processes"
    )
    parser.add_argument("--cases", type=int, default=400, help="mistyped command lines")
    parser.add_argument(
        "--parts", nargs="*", help="run only these; the page keeps the stored results of the others"
    )
    options = parser.parse_args()
    todo: dict[str, Callable[[Path], Part]] = {
        "kills": lambda folder: kills(options.kills, folder),
        "power_cuts": lambda folder: power_cuts(options.power_cuts, folder),
        "signals": lambda folder: signals(options.signals, folder),
        "fuzzing": lambda folder: fuzzing(options.cases, folder),
        "long_run": long_run,
        "full_disk": full_disk,
        "one_process": one_process,
        "two_processes": two_processes,
    }
    results = stored_parts()
    for name in options.parts or todo:
        with tempfile.TemporaryDirectory() as folder:
            results[name] = todo[name](Path(folder))
            os.chdir(CHECKOUT)
        print(json.dumps(asdict(results[name]), indent=2), flush=True)
        store(results)
    parts = [results[name] for name in todo if name in results]
    write_page(parts)
    return int(any(part.failures for part in parts))


if __name__ == "__main__":
    sys.exit(main())
