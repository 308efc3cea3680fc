"""The benchmarks are no part of the package; what is installed still goes before what lies beside them."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2]))
