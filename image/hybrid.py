#!/usr/bin/env python3
"""Writes the first three partitions of a GPT disk image into its old partition table (MBR) too, before the entry that protects
the rest: for firmware that reads only that. Tools that know the GPT leave such a table as it is."""

import struct
import sys

SECTOR = 512
FAT32_LBA, PROTECTIVE = 0x0C, 0xEE
# Start and end in cylinders, heads and sectors: beyond what they can say.
FAR = b"\xfe\xff\xff"


def entry(kind, start, length, active=False):
    return struct.pack("<B3sB3sII", 0x80 if active else 0, FAR, kind, FAR, start, length)


with open(sys.argv[1], "r+b") as disk:
    disk.seek(SECTOR)
    header = disk.read(SECTOR)
    if header[:8] != b"EFI PART":
        sys.exit(f"{sys.argv[1]}: there is no GPT")
    table, count, size = struct.unpack_from("<QII", header, 72)
    disk.seek(table * SECTOR)
    spans = []
    for _ in range(3):
        first, last = struct.unpack_from("<QQ", disk.read(size), 32)
        spans.append((first, last - first + 1))
    # The GPT itself, to where the first partition starts.
    entries = [entry(FAT32_LBA, start, length, active=at == 0) for at, (start, length) in enumerate(spans)]
    entries.append(entry(PROTECTIVE, 1, spans[0][0] - 1))
    disk.seek(446)
    disk.write(b"".join(entries) + b"\x55\xaa")
