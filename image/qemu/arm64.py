#!/usr/bin/env python3
"""make test-arm64: the images for 64-bit Arm in QEMU. The one for UEFI starts whole, from firmware to the main job. Of the
Raspberry Pi's, QEMU has neither the firmware nor the boards with network and disk: `Firmware` reads autoboot.txt in its place
and loads kernel, initial file system and command line out of the partition that it names, onto QEMU's general machine, with
the same properties in the device tree; on its Raspberry Pi 3 they start as far as that goes.
"""

import argparse
import base64
import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import features
from box import ACCELERATORS, CONTROL, PORTS, Box, BoxError
from disk import Disk
from job import claim, sign_in, stream, wait_for

AAVMF = Path("/usr/share/AAVMF")
MACHINE = ["-machine", "virt", "-cpu", "cortex-a57"]
# The second serial port of QEMU's machine is the first of a card.
SHELL = CONTROL.replace("ttyS1", "ttyS0")


class ArmBox(Box):
    """A machine with UEFI."""

    def _command(self):
        own = self.work / "AAVMF_VARS.fd"
        if not own.exists():
            shutil.copy(AAVMF / own.name, own)
        units = [word for name, text in self._units().items()
                 for word in ("-smbios", f"type=11,value=io.systemd.credential.binary:{name}={encoded(text)}")]
        return [*self._machine(MACHINE), "-device", "virtio-net-pci,id=card,netdev=net,romfile=",
                "-drive", f"if=pflash,format=raw,readonly=on,file={AAVMF / 'AAVMF_CODE.fd'}",
                "-drive", f"if=pflash,format=raw,file={own}",
                "-drive", f"if=none,id=disk,file={self.disk},format=raw,cache=writeback,discard=unmap",
                "-device", "virtio-blk-pci,drive=disk,bootindex=0", *units, *self.extra]

    def _machine(self, machine):
        forwards = "".join(f",hostfwd=tcp:127.0.0.1:{self.ports[name]}-:{port}" for name, port in PORTS.items())
        return ["qemu-system-aarch64", "-nodefaults", *machine, "-accel", ACCELERATORS["tcg"], "-smp", str(self.cpus), "-m", str(self.memory),
                "-display", "none", "-action", "reboot=shutdown,watchdog=reset", "-device", "virtio-rng-pci",
                "-chardev", f"file,id=console,path={self.console_path},append=on", "-serial", "chardev:console",
                "-chardev", f"socket,id=control,path={self.control_path},server=on,wait=off",
                "-device", "pci-serial,chardev=control",
                "-qmp", f"unix:{self.qmp_path},server=on,wait=off", "-netdev", f"user,id=net{forwards}"]

    def _units(self):
        units = {"systemd.extra-unit.brookbox-control.service": SHELL,
                 "systemd.unit-dropin.basic.target": "[Unit]\nWants=brookbox-control.service\n"}
        return units | {f"systemd.unit-dropin.{unit}": text for unit, text in self.dropins.items()}


class PiBox(ArmBox):
    """The Raspberry Pi's image on QEMU's general machine: a stick and a network on USB, as they may be on a Pi. `flag` is what
    the restart before asked the firmware for."""

    flag = ""

    def _command(self):
        boot, number = Firmware(self.disk).load(self.work, self.flag)
        machine = self._machine(MACHINE)
        tree = boot / "machine.dtb"
        # The tree of this very machine, without what is on its buses.
        subprocess.run(["qemu-system-aarch64", "-nodefaults", *MACHINE, "-smp", str(self.cpus), "-m", str(self.memory),
                        "-display", "none", "-machine", f"dumpdtb={tree}"], check=True, capture_output=True)
        say_in_tree(tree, number, boot_mode=4)
        credentials = "".join(f" systemd.set_credential_binary={name}:{encoded(text)}" for name, text in self._units().items())
        line = f"{(boot / 'cmdline.txt').read_text().strip()} console=ttyAMA0{credentials}"
        return [*machine, "-dtb", tree, "-kernel", boot / "kernel8.img", "-initrd", boot / "initrd", "-append", line,
                "-device", "qemu-xhci", "-device", "usb-storage,drive=disk", "-device", "usb-net,netdev=net",
                "-drive", f"if=none,id=disk,file={self.disk},format=raw,cache=writeback,discard=unmap", *self.extra]


class Firmware:
    """What the Raspberry Pi's firmware does with autoboot.txt, as it is documented."""

    def __init__(self, disk):
        self.disk = Disk(disk)

    def partition(self, flag):
        text = self.disk.get("BROOKBOX", "autoboot.txt")
        assert len(text) <= 512, "autoboot.txt is longer than 512 bytes"
        section, found = "[all]", {}
        for line in text.decode().splitlines():
            name, _, value = line.partition("=")
            if line.startswith("["):
                section = line
            elif section == "[all]" or section == "[tryboot]" and flag == "tryboot" and found.get("tryboot_a_b") == "1":
                found[name] = value
        return int(found["boot_partition"])

    def load(self, work, flag):
        """The files of the partition that is started, in a folder; and its number."""
        number = self.partition(flag)
        into = work / "boot"
        shutil.rmtree(into, ignore_errors=True)
        into.mkdir()
        for name in ("kernel8.img", "initrd", "cmdline.txt", "config.txt"):
            (into / name).write_bytes(self.disk.get({2: "boot-a", 3: "boot-b"}[number], name))
        return into, number


def say_in_tree(tree, partition, boot_mode):
    """What the firmware leaves in the device tree: which partition it started, and that it is on a card (1) or USB (4)."""
    subprocess.run(["fdtput", "-c", tree, "/chosen/bootloader"], check=True)
    for name, value in {"partition": partition, "boot-mode": boot_mode, "tryboot": 0}.items():
        subprocess.run(["fdtput", "-t", "i", tree, "/chosen/bootloader", name, str(value)], check=True)


def encoded(text):
    return base64.b64encode(text.encode()).decode()


class Bench:
    """What a case works with."""

    def __init__(self, build, work):
        self.build, self.work, self.figures, self.kind = build, work, {}, ArmBox

    def image(self, board):
        image = self.build / board / "disk.img"
        assert image.exists(), f"{image} is not there; run: make image BOARD={board}"
        return image

    def fresh(self, name, board="jetson"):
        # QEMU takes commas in a path for the end of it.
        folder = self.work / re.sub(r"[^A-Za-z0-9]+", "-", name)
        folder.mkdir(parents=True)
        return Disk.copy(self.image(board), folder / "disk.img", 2 << 30)

    def box(self, disk, **options):
        return self.kind(disk.path, disk.path.parent, **options)


def uefi(bench, name):
    """From firmware and GRUB to the main job."""
    bench.kind = ArmBox
    return features.main_job(bench, name)


def raspberry_pi(bench, name):
    """From autoboot.txt to the main job; then a version whose tries are used makes way for the copy that was made of it."""
    bench.kind = PiBox
    disk = bench.fresh(name, "raspberrypi")
    with bench.box(disk) as box:
        ready = box.wait_ready(600)
        streamed = stream(box, disk.path.parent, claim(box))
        failed = box.run("systemctl --failed --no-legend --plain")
        assert not failed, f"failed units: {failed}"
        wait_for("both slots", lambda: "is good" in box.run("journalctl -b -u brookbox-health -o cat"), 900)
        assert box.run("cat /run/brookbox/slot") == "A"
        box.power_off()
    state = disk.read_state()
    assert state["A_OK"] == "1" and state["A_TRY"] == "0" and state["B_OK"] == "1", state
    state |= {"A_TRY": "3"}
    text = "# GRUB Environment Block\n" + "".join(f"{key}={value}\n" for key, value in state.items())
    disk.put("BROOKBOX", "brookbox/grubenv", text.ljust(1024, "#").encode())
    with bench.box(disk) as box:
        box.wait_off(300)
    assert Firmware(disk.path).partition("") == 3, "the version without tries left is still the one that is started"
    with bench.box(disk) as box:
        box.wait_ready(600)
        sign_in(box)
        assert box.run("cat /run/brookbox/slot") == "B"
        box.power_off()
    bench.figures["raspberrypi: ready after loading, s"] = round(ready, 1)
    return f"ready after {ready:.0f} s; {streamed}; three failed tries go to the other version"


def raspberry_pi_3(bench, name):
    """On QEMU's own Raspberry Pi 3, with its device tree and its card: as far as the initial file system's work."""
    disk = bench.fresh(name, "raspberrypi")
    boot, number = Firmware(disk.path).load(disk.path.parent, "")
    tree = boot / "bcm2837-rpi-3-b.dtb"
    tree.write_bytes(disk.get("boot-a", tree.name))
    say_in_tree(tree, number, boot_mode=1)
    kernel = boot / "Image"
    with kernel.open("wb") as out:
        subprocess.run(["gzip", "-dc", boot / "kernel8.img"], stdout=out, check=True)
    line = (boot / "cmdline.txt").read_text().strip()
    console = disk.path.parent / "console.log"
    console.touch()
    process = subprocess.Popen(
        ["qemu-system-aarch64", "-nodefaults", "-machine", "raspi3b", "-display", "none", "-kernel", kernel, "-dtb", tree,
         "-initrd", boot / "initrd", "-append", line.replace("quiet", ""), "-drive", f"if=sd,file={disk.path},format=raw",
         # The console is the second port; the first one leads to the board's Bluetooth.
         "-serial", "null", "-serial", f"file:{console}", "-no-reboot"])
    marks = ["Machine model: Raspberry Pi 3 Model B", "Run /init as init process", "brookbox: version A on /dev/mmcblk",
             "systemd[1]: "]
    try:
        seen = lambda: [mark for mark in marks if mark in console.read_text(errors="replace")]
        end = time.monotonic() + 300
        while len(seen()) < len(marks) and time.monotonic() < end and process.poll() is None:
            time.sleep(1)
        reached = seen()
    finally:
        process.kill()
        process.wait()
    assert marks[1] in reached, f"reached only {reached}; see {console}"
    return f"reached: {'; '.join(reached)}"


CASES = [("main job, UEFI", uefi), ("main job, Raspberry Pi's image", raspberry_pi), ("Raspberry Pi 3", raspberry_pi_3)]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build", type=Path, help="the folder below which boards have their disk.img")
    parser.add_argument("work", type=Path)
    parser.add_argument("--report", type=Path, help="figures and results as JSON")
    parser.add_argument("words", nargs="*", help="cases whose names have one of these words")
    args = parser.parse_intermixed_args()
    shutil.rmtree(args.work, ignore_errors=True)
    args.work.mkdir(parents=True)
    bench = Bench(args.build, args.work)
    results = []
    for name, case in CASES:
        if args.words and not any(word in name for word in args.words):
            continue
        start = time.monotonic()
        try:
            said, passed = case(bench, name), True
        except (BoxError, AssertionError, OSError, ValueError, KeyError, subprocess.SubprocessError) as error:
            said, passed = str(error) or repr(error), False
        results.append({"name": name, "passed": passed, "said": said, "seconds": round(time.monotonic() - start, 1)})
        print(f"{'ok' if passed else 'FAILED':7} {name} ({results[-1]['seconds']} s): {said}", flush=True)
    if args.report:
        args.report.write_text(json.dumps({"figures": bench.figures, "cases": results}, indent=1) + "\n")
    failed = sum(not result["passed"] for result in results)
    print(f"{len(results) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
