#!/usr/bin/env python3
"""The entry of an image for Raspberry Pi Imager's list (os_list), which other flashing programs read as well."""

import argparse
import datetime
import hashlib
import json
import os
from pathlib import Path


def digest(path):
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("image", type=Path)
parser.add_argument("packed", type=Path)
for name in ("name", "description", "board"):
    parser.add_argument(f"--{name}", required=True)
args = parser.parse_args()
released = datetime.datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), datetime.timezone.utc)
entry = {
    "name": args.name,
    "description": f"Live-stream relay, for {args.description}",
    "release_date": released.strftime("%Y-%m-%d"),
    "url": args.packed.name,
    "image_download_size": args.packed.stat().st_size,
    "image_download_sha256": digest(args.packed),
    "extract_size": args.image.stat().st_size,
    "extract_sha256": digest(args.image),
    "init_format": "none",
}
# Imager hides an entry with devices from all others; a PC is none of its devices.
if args.board == "raspberrypi":
    entry["devices"] = ["pi5-64bit", "pi4-64bit", "pi3-64bit"]
print(json.dumps({"os_list": [entry]}, indent=2))
