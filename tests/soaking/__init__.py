"""The parts of `make soak`, by what runs out of luck, and the page that they end on.

stopping.py      a run is killed, signalled, or stopped on two processes
wear.py          a long run's memory, files and disk; a disk that is full
mistyping.py     command lines that a person could have mistyped
runs.py          the small run that is made to suffer
reliability.py   what a part found, docs/reliability.json and docs/reliability.md
"""
