"""The parts of the soak test, `make soak`.

stopping.py      kills, signals and stops of runs on one and two processes
wear.py          memory, open files and disk space of a long run; a full disk
mistyping.py     mistyped command lines
runs.py          the small run that the parts interrupt
reliability.py   the results: docs/reliability.json and docs/reliability.md
"""
