#!/usr/bin/env python3
"""Compares the errors that two reports of lyco-extract state, module by module.

usage: compare-extractions.py BEFORE.json AFTER.json [--most 0.005] [--bytes]

Prints the modules whose relative error grew most, and the sums. Ends with status 1 where one grew by more than
the part --most, where modules are missing, or, with --bytes, where a module takes more bytes than before: what
counts for `--algo auto` with an error bound, which may store something else within it.
"""

import argparse
import json
import sys


def modules(path):
    with open(path) as file:
        return {(module["name"], module["part"]): module for module in json.load(file)["modules"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("before")
    parser.add_argument("after")
    parser.add_argument("--most", type=float, default=0.005, help="growth of a relative error that is allowed")
    parser.add_argument("--bytes", action="store_true", help="compare bytes of modules, not their errors")
    options = parser.parse_args()
    before, after = modules(options.before), modules(options.after)
    if before.keys() != after.keys():
        sys.exit(f"compare-extractions.py: {len(before.keys() ^ after.keys())} modules are in one report only, "
                 f"first {min(before.keys() ^ after.keys())}")
    key = "bytes" if options.bytes else "relative_error"

    def growth(name):
        old, new = before[name][key], after[name][key]
        return (new - old) / old if old else float(new > old)

    order = sorted(before, key=growth, reverse=True)
    for name in order[:5]:
        old, new = before[name], after[name]
        print(f"{growth(name):+.5f}  {old[key]:.6g} -> {new[key]:.6g}  {old['algorithm']} -> {new['algorithm']}  "
              f"{old.get('detail', '')} -> {new.get('detail', '')}  {old['shape']}  {name[0]}")
    changes = [growth(name) for name in order]
    other = sum(before[name]["algorithm"] != after[name]["algorithm"] for name in order)
    sizes = [sum(module["bytes"] for module in report.values()) for report in (before, after)]
    print(f"{len(order)} modules: mean {sum(changes) / len(order):+.6f}, least {changes[-1]:+.5f}, most {changes[0]:+.5f}; "
          f"{sum(change > options.most for change in changes)} grew by more than {options.most}; "
          f"{other} by another algorithm; bytes {sizes[0]} -> {sizes[1]}")
    sys.exit(changes[0] > (0 if options.bytes else options.most))


if __name__ == "__main__":
    main()
