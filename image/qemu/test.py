#!/usr/bin/env python3
"""make test-image: the built PC image in QEMU. Cases are declared below; each says what it found in one line."""

import argparse
import json
import os
import re
import shutil
import sys
import time
import traceback
from pathlib import Path

import board
import faults
import features
import harm
import wiring
from box import CPUS, Box, BoxError
from disk import Disk
from job import claim, stream, wait_for

CASES = [*features.CASES, *wiring.CASES, *board.CASES, *harm.CASES, *faults.CASES]


class Bench:
    """What a case works with: the image, a disk that has started once, and a folder."""

    def __init__(self, image, work):
        self.image, self.work = image, work
        # As it is in the image; it runs here too.
        self.daemon = image.parent / "brookboxd"
        self.figures = {"machine": f"QEMU, {os.environ.get('ACCEL', 'tcg')}, {CPUS} CPUs"}

    def fresh(self, name, size=2 << 30):
        """A disk as it is after flashing."""
        return Disk.copy(self.image, self.folder(name) / "disk.img", size)

    def seasoned(self, name):
        """A disk that was set up, has both slots filled, and was switched off properly. Made once a run."""
        made = self.work / "seasoned.img"
        if not made.exists():
            disk = self.fresh("seasoning")
            with Box(disk.path, self.folder("seasoning")) as box:
                box.wait_ready(300)
                claim(box)
                both_slots(box)
                box.power_off()
            disk.path.rename(made)
        return Disk.copy(made, self.folder(name) / "disk.img")

    def folder(self, name):
        # QEMU takes commas in a path for the end of it.
        folder = self.work / re.sub(r"[^A-Za-z0-9]+", "-", name)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def box(self, disk, work=None, **options):
        return Box(disk.path, work or disk.path.parent, **options)


def both_slots(box):
    wait_for("the second slot", lambda: "is good" in box.run("journalctl -b -u brookbox-health --no-pager -o cat"), 300)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("image", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--quick", action="store_true", help="only what `make test` runs: one start and the main job")
    parser.add_argument("--report", type=Path, help="figures and results as JSON")
    parser.add_argument("words", nargs="*", help="cases whose names have one of these words")
    args = parser.parse_intermixed_args()
    shutil.rmtree(args.work, ignore_errors=True)
    args.work.mkdir(parents=True)
    bench = Bench(args.image, args.work)
    cases = [case for case in CASES if any(word in case[0] for word in args.words)] if args.words else CASES
    cases = cases[:1] if args.quick else cases
    failed = []
    results = []
    for name, case in cases:
        start = time.monotonic()
        try:
            said = case(bench, name)
            mark = "ok"
        except (BoxError, AssertionError, OSError, ValueError, KeyError) as error:
            failed.append(name)
            said, mark = str(error) or traceback.format_exc(limit=2), "FAILED"
            if not isinstance(error, BoxError):
                said += "\n" + traceback.format_exc()
        seconds = time.monotonic() - start
        results.append({"case": name, "result": mark, "seconds": round(seconds, 1), "found": said})
        print(f"{mark:6} {seconds:7.1f} s  {name:44} {said}", flush=True)
        if mark == "ok":
            shutil.rmtree(bench.folder(name), ignore_errors=True)
    if args.report:
        args.report.write_text(json.dumps({"figures": bench.figures, "results": results}, indent=1) + "\n")
    for figure, value in bench.figures.items():
        print(f"  {figure}: {', '.join(value) if isinstance(value, list) else value}")
    if failed:
        print("failed: " + ", ".join(failed))
    print(f"{len(cases) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
