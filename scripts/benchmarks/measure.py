#!/usr/bin/env python3
"""Runs a command; prints its wall time and its peaks of anonymous and of resident memory on stderr,
as one line of JSON.

usage: measure.py COMMAND [ARGUMENT...]

Anonymous memory (RssAnon of /proc/PID/status, sampled every 10 ms) is what a program takes for
itself. Resident memory (VmRSS), the peak of which time(1) reports, counts the pages of mapped files
too, which the system may take back at any time.
"""

import json
import pathlib
import re
import resource
import subprocess
import sys
import tempfile
import threading
import time


def measure(command, **options):
    """Runs `command`; seconds, those of the processors in the program and in the system, peak anonymous and resident
    bytes, exit status. One at a time."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start, ended = time.perf_counter(), threading.Event()
    peaks = {"RssAnon": 0, "VmRSS": 0}
    process = subprocess.Popen(command, **options)

    def sample():
        status = pathlib.Path(f"/proc/{process.pid}/status")
        while not ended.wait(0.01):
            try:
                text = status.read_text()
            except (FileNotFoundError, ProcessLookupError):
                return
            for key, found in re.findall(r"(RssAnon|VmRSS):\s+(\d+) kB", text):
                peaks[key] = max(peaks[key], 1024 * int(found))

    sampler = threading.Thread(target=sample)
    sampler.start()
    process.wait()
    seconds = time.perf_counter() - start
    ended.set()
    sampler.join()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {"seconds": seconds, "user_seconds": after.ru_utime - before.ru_utime,
            "system_seconds": after.ru_stime - before.ru_stime, "peak_anonymous_bytes": peaks["RssAnon"],
            "peak_resident_bytes": peaks["VmRSS"], "status": process.returncode}


def printed(command):
    """What a command prints, beside what `measure` finds; ends this program where it fails."""
    words = [str(word) for word in command]
    with tempfile.TemporaryFile() as output:
        found = measure(words, stdout=output, stderr=subprocess.DEVNULL)
        output.seek(0)
        text = output.read().decode()
    if found["status"] != 0:
        sys.exit(f"{pathlib.Path(sys.argv[0]).name}: {' '.join(words)} ended with status {found['status']}")
    return text, found


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__.split("\n\n")[1])
    result = measure(sys.argv[1:])
    print(json.dumps(result), file=sys.stderr)
    sys.exit(result["status"])
