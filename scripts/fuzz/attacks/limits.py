"""Limits of the process and of the disk."""

import subprocess

from .scenarios import scenario
from .trials import WRITERS, trial


def limits(bench):
    """Limits of the process and of the disk."""
    jobs = WRITERS + [("lyco-train", None), ("lyco-inspect", None)]
    train = scenario("training over another").arguments
    for tool, words in jobs:
        arguments = ([*words, "o.safetensors"] if words else train if tool == "lyco-train"
                     else ["base.safetensors", "--check"])
        for wrapper in ["ulimit -f 0;", "ulimit -f 1;", "ulimit -n 16;", "ulimit -n 8;", "ulimit -n 4;",
                        "ulimit -v 600000;", "ulimit -v 900000;", "ulimit -v 1100000;", "ulimit -v 2000000;",
                        "ulimit -s 256;", "ulimit -u 3;", "ulimit -c 0;", "ulimit -l 0;", "ulimit -t 1;",
                        "trap '' PIPE;", "trap '' XFSZ;", "trap '' INT TERM HUP;"]:
            # A limit of processor time is meant to kill.
            allowed = (0, 1, 64) if "-t" not in wrapper else (0, 1, 64, -9, -24, 137, 152)
            yield trial(bench, f"{tool}, {wrapper}", tool, arguments, wrapper=wrapper + " exec", allowed=allowed)

        def small(folder):
            (folder / "small").mkdir()
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "none", str(folder / "small")], check=False)
        if words:
            yield trial(bench, f"{tool}, a disk of 4 KB", tool, [*words, "small/o.safetensors"], small)
        elif tool == "lyco-train":
            yield trial(bench, f"{tool}, a disk of 4 KB", tool, [*train, "--output_dir", "small/o"], small)
