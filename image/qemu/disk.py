"""The partitions of a disk image, and harm done to them from outside: what a bad disk or a bad night leaves behind."""

import json
import os
import random
import shutil
import subprocess
import tempfile
from pathlib import Path

MIB = 1 << 20


class Disk:
    def __init__(self, path):
        self.path = Path(path)
        table = json.loads(subprocess.run(["sfdisk", "-J", self.path], check=True, capture_output=True).stdout)
        self.parts = {p["name"]: (p["start"] * 512, p["size"] * 512) for p in table["partitiontable"]["partitions"]}

    @classmethod
    def copy(cls, base, target, size=None):
        subprocess.run(["cp", "--sparse=always", "--reflink=auto", base, target], check=True)
        if size:
            os.truncate(target, size)
        return cls(target)

    def write(self, part, offset, data):
        start, size = self.parts[part]
        assert offset + len(data) <= size
        with self.path.open("r+b") as disk:
            disk.seek(start + offset)
            disk.write(data)

    def read(self, part, offset, length):
        with self.path.open("rb") as disk:
            disk.seek(self.parts[part][0] + offset)
            return disk.read(length)

    def wipe(self, part, length=None):
        start, size = self.parts[part]
        length = length or size
        with self.path.open("r+b") as disk:
            for at in range(0, length, MIB):
                disk.seek(start + at)
                disk.write(bytes(min(MIB, length - at)))

    def garbage(self, part, offset, length, seed=1):
        self.write(part, offset, random.Random(seed).randbytes(length))

    # The FAT partitions, by mtools

    def _fat(self, part):
        return f"{self.path}@@{self.parts[part][0]}"

    def get(self, part, name):
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "file"
            subprocess.run(["mcopy", "-n", "-i", self._fat(part), f"::{name}", target], check=True)
            return target.read_bytes()

    def put(self, part, name, data):
        with tempfile.NamedTemporaryFile() as file:
            file.write(data)
            file.flush()
            subprocess.run(["mcopy", "-o", "-i", self._fat(part), file.name, f"::{name}"], check=True)

    def delete(self, part, name):
        subprocess.run(["mdel", "-i", self._fat(part), f"::{name}"], check=True)

    # The boot state

    def state(self, **values):
        """Sets variables of the boot state, in both copies."""
        for name in ("brookbox/grubenv", "brookbox/grubenv.2"):
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder) / "grubenv"
                file.write_bytes(self.get("esp", name))
                subprocess.run(["grub-editenv", file, "set", *(f"{k}={v}" for k, v in values.items())], check=True)
                self.put("esp", name, file.read_bytes())

    def read_state(self):
        # A Raspberry Pi has no partition of its own for it.
        text = self.get("esp" if "esp" in self.parts else "BROOKBOX", "brookbox/grubenv").decode()
        return dict(line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))

    # Files of an ext4 partition, without mounting it

    def debugfs(self, part, *commands):
        """Runs debugfs commands on a partition; it works on a copy, which is then put back."""
        start, size = self.parts[part]
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / "part"
            with self.path.open("rb") as disk, copy.open("wb") as out:
                disk.seek(start)
                shutil.copyfileobj(_Limited(disk, size), out, MIB)
            subprocess.run(["debugfs", "-w", "-f", "-", copy], input="\n".join(commands), text=True, check=True,
                           capture_output=True)
            with self.path.open("r+b") as disk, copy.open("rb") as source:
                disk.seek(start)
                shutil.copyfileobj(source, disk, MIB)


class _Limited:
    def __init__(self, file, left):
        self.file, self.left = file, left

    def read(self, n):
        data = self.file.read(min(n, self.left))
        self.left -= len(data)
        return data
