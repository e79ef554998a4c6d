#!/usr/bin/env python3
"""Picks test programs out of what `cargo build --message-format json` printed.

Standard input: cargo's messages. Standard output, a line each: folder of the package, title, program; by tabs.
Arguments: KIND, `units` (libraries and programs with their own tests), `tests` (those of tests/ folders) or `promises`
(those of e2e/tests), and NAMES, separated by commas: these, or with `-` before the first, all but these.
"""

import json
import os
import sys


def kind_of(target):
    if "test" not in target["kind"]:
        return "units"
    return "promises" if "/e2e/tests/" in target["src_path"] else "tests"


def main(kind, names):
    chosen = set(names.removeprefix("-").split(","))
    for line in sys.stdin:
        message = json.loads(line)
        if message["reason"] != "compiler-artifact" or not message["profile"]["test"] or not message["executable"]:
            continue
        target = message["target"]
        folder = os.path.dirname(message["manifest_path"])
        if kind_of(target) == kind and (target["name"] in chosen) != names.startswith("-"):
            print(folder, os.path.relpath(target["src_path"]), message["executable"], sep="\t")


if __name__ == "__main__":
    main(*sys.argv[1:])
