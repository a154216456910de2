"""Hours of bad luck in minutes: kills, signals, full disks, long runs; `make soak`.

    python tests/soak.py [--parts NAME ...] [--kills 100] [--signals 20] [--cases 400]

Runs what the suite is too short for, and writes docs/reliability.md from what it measured. The exit
code is 1 where anything did not hold. The parts are in soaking/.
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
from soaking.mistyping import fuzzing
from soaking.reliability import Part, keep, known_parts, write_page
from soaking.stopping import kills, one_process, signals, two_processes
from soaking.wear import full_disk, long_run


def main() -> int:
    """Run the parts, print each as it ends, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument(
        "--signals", type=int, default=20, help="of each kind, on one and two ranks"
    )
    parser.add_argument("--cases", type=int, default=400, help="mistyped command lines")
    parser.add_argument("--parts", nargs="*", help="only these; the page keeps the others")
    options = parser.parse_args()
    todo: dict[str, Callable[[Path], Part]] = {
        "kills": lambda folder: kills(options.kills, folder),
        "signals": lambda folder: signals(options.signals, folder),
        "fuzzing": lambda folder: fuzzing(options.cases, folder),
        "long_run": long_run,
        "full_disk": full_disk,
        "one_process": one_process,
        "two_processes": two_processes,
    }
    known = known_parts()
    for word in options.parts or todo:
        with tempfile.TemporaryDirectory() as folder:
            known[word] = todo[word](Path(folder))
            os.chdir(CHECKOUT)
        print(json.dumps(asdict(known[word]), indent=2), flush=True)
        keep(known)
    parts = [known[word] for word in todo if word in known]
    write_page(parts)
    return int(any(part.failures for part in parts))


if __name__ == "__main__":
    sys.exit(main())
