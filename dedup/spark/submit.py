"""The command line as a job: `spark-submit … submit.py scan --engine spark …`."""

import sys
from pathlib import Path

# Spark puts the script's folder first; what is beside it are modules of a package, and none by themselves.
sys.path[:] = [folder for folder in sys.path if Path(folder).resolve() != Path(__file__).resolve().parent]

if __name__ == "__main__":
    from dedup.cli import main

    main(prog_name="dedup")
