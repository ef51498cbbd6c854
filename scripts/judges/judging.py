"""What judges do before they import anything large: quiet packages, threads that wait without spinning, and the
folder of scripts on Python's path."""

import os
import pathlib
import sys

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("TQDM_DISABLE", "1")
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))


def skip(missing):
    """Ends with 0 where a package is missing."""
    name = pathlib.Path(sys.argv[0]).name
    print(f"{name}: skipped, Python has no {missing.name} (scripts/requirements.txt)")
    sys.exit(0)
