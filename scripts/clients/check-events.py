#!/usr/bin/env python3
"""Reads TensorBoard event files with the tensorboard package and prints what it finds as JSON: for every tag
the steps and numbers.

usage: check-events.py FOLDER
"""

import json
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


def main():
    accumulator = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0})
    accumulator.Reload()
    print(json.dumps({
        tag: [[event.step, event.value] for event in accumulator.Scalars(tag)]
        for tag in sorted(accumulator.Tags()["scalars"])
    }))


if __name__ == "__main__":
    main()
