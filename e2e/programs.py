#!/usr/bin/env python3
"""Picks test programs out of what `cargo build --message-format json` printed.

Standard input: cargo's messages. Standard output, a line each: folder of the package, title, program; by tabs.
Arguments: KIND, `units` (libraries and programs with their own tests) or `tests` (those of tests/ folders), and NAMES,
packages and targets separated by commas: these, or with `-` before the first, all but these.
"""

import json
import os
import sys

KINDS = {"units": {"lib", "bin", "proc-macro"}, "tests": {"test"}}


def main(kind, names):
    chosen = {name for name in names.removeprefix("-").split(",") if name}
    for line in sys.stdin:
        message = json.loads(line)
        if message["reason"] != "compiler-artifact" or not message["profile"]["test"] or not message["executable"]:
            continue
        target = message["target"]
        folder = os.path.dirname(message["manifest_path"])
        if not KINDS[kind] & set(target["kind"]):
            continue
        named = bool(chosen & {target["name"], package(message["package_id"])})
        if named != names.startswith("-"):
            title = f"{os.path.relpath(target['src_path'])}"
            print(folder, title, message["executable"], sep="\t")


def package(identity):
    """`path+file:///folder#name@version`, or without the name where the folder has it."""
    location, _, version = identity.partition("#")
    name, at, _ = version.partition("@")
    return name if at else location.rsplit("/", 1)[-1]


if __name__ == "__main__":
    main(*sys.argv[1:])
