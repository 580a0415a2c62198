"""What the image can do when nothing is wrong."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from box import PATIENCE, Box, BoxError, end_with_parent
from harm import OnAir
from job import claim, sign_in, stream, wait_for

# How long is looked at what is written, each idle and live; what is told is for an hour.
MINUTES = float(os.environ.get("MINUTES", "10"))


def main_job(bench, name):
    """From a flashed disk: start, claim, stream, switch off; and the figures of that start."""
    disk = bench.fresh(name)
    with bench.box(disk) as box:
        # In `make test` it has little of the machine.
        ready = box.wait_ready(600)
        cookie = claim(box)
        streamed = stream(box, disk.path.parent, cookie)
        phases = box.run("systemd-analyze time | head -n 1")
        bench.figures |= {"ready after power-on, s": round(ready, 1), "of that firmware and GRUB, s": round(box.loaded_after or 0, 1),
                          "phases": phases}
        failed = box.run("systemctl --failed --no-legend --plain")
        assert not failed, f"failed units: {failed}"
        wait_for("the first start to be good", lambda: "is good" in box.run("journalctl -u brookbox-health -o cat"), 600)
        box.power_off()
    state = disk.read_state()
    assert state["A_OK"] == "1" and state["A_TRY"] == "0", state
    return f"ready after {ready:.0f} s; {streamed}"


def emulate(bench, name):
    """`make emulate` as somebody sees it: what it prints is enough to set the box up and to stream, and Ctrl-C ends it."""
    folder = bench.folder(name)
    said = folder / "said"
    with said.open("wb") as out:
        process = subprocess.Popen([sys.executable, "-B", Path(__file__).parent.parent / "emulate.py", bench.image, folder],
                                   stdout=out, stderr=subprocess.STDOUT, start_new_session=True, preexec_fn=end_with_parent)
    try:
        wait_for("what it prints", lambda: "Ctrl-C switches it off" in said.read_text() or process.poll() is not None, 600)
        text = said.read_text()
        found = {what: re.search(pattern, text, re.MULTILINE) for what, pattern in {
            "page": r"page +http://localhost:(\d+)$", "rtmp": r"rtmp://127\.0\.0\.1:(\d+)/live$", "key": r"stream key +(\S{16,})$",
        }.items()}
        assert all(found.values()), text
        assert "Nobody owns this box yet" in text, text
        # Only an address of it; the machine is the other program's.
        box = Box(folder / "disk.qcow2", folder / "seen")
        box.ports = {"http": int(found["page"][1]), "rtmp": int(found["rtmp"][1])}
        streamed = stream(box, folder, claim(box), seconds=5, key=found["key"][1])
        process.send_signal(signal.SIGINT)
        start = time.monotonic()
        code = process.wait(300 * PATIENCE)
        took = time.monotonic() - start
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    if code != 0 or "pressing the power button" not in said.read_text():
        raise BoxError(f"it ended with {code}: {said.read_text()}")
    return f"page, server and key as printed: {streamed}; off {took:.0f} s after Ctrl-C"


def stays(bench, name):
    """Account, machine id, journal and the disk's room are there after a second start."""
    disk = bench.seasoned(name)
    first = {}
    for start in (1, 2):
        with bench.box(disk) as box:
            box.wait_ready(300)
            sign_in(box)
            now = {"machine id": box.run("cat /etc/machine-id"), "kept id": box.run("cat /data/machine-id")}
            # The one in which the disk was set up, and those of this case.
            boots = len(box.run("journalctl --list-boots --no-pager -q -o json | tr '}' '\\n' | grep boot_id").splitlines())
            assert boots == start + 1, f"the journal knows {boots} starts, at the {start + 1}th"
            size = int(box.run("df -B1 --output=size /data | tail -n 1"))
            assert size > 700 << 20, f"/data has {size} bytes of a 2 GiB disk"
            assert now["machine id"] == now["kept id"], now
            first = first or now
            assert now == first, (first, now)
            box.power_off()
    return f"machine id {now['machine id'][:8]}…, /data has {size >> 20} MiB"


def read_only(bench, name):
    """The root takes no write, is verified, and the firewall admits what it should."""
    disk = bench.seasoned(name)
    with bench.box(disk) as box:
        box.wait_ready(300)
        assert "root" in box.run("findmnt -n -o SOURCE /")
        box.run("! touch /usr/x 2>/dev/null && ! touch /etc/x 2>/dev/null")
        assert "verity" in box.run("dmsetup table root")
        score = box.run("systemd-analyze security brookboxd.service --no-pager | tail -n 1")
        exposure = float(re.search(r"brookboxd.service: ([0-9.]+)", score).group(1))
        assert exposure <= 1.5, score
        rules = box.run("nft list chain inet brookbox input")
        assert "policy drop" in rules
        # At rest: what a start has to do is done, and the helpers of it have gone.
        wait_for("this start to be good", lambda: "is good" in box.run("journalctl -b -u brookbox-health -o cat"), 300)
        time.sleep(60)
        ports = box.run("ss -Hlntu | awk '{ print $1, $5 }' | sort -u")
        # Of the whole machine, so with what the kernel itself takes; without copies of files, which go when room is needed.
        free = box.run("awk '/^(MemFree|Buffers|Cached|SReclaimable):/ { f += $2 } /^Shmem:/ { f -= $2 } END { printf \"%d\", f / 1024 }' "
                       "/proc/meminfo")
        memory = box.memory - int(free)
        daemon = int(box.run("systemctl show -P MemoryCurrent brookboxd")) >> 20
        bench.figures |= {"security score": exposure, "listeners": ports.splitlines(), "memory used at idle, MiB": memory,
                          "of that brookboxd, with the files it uses, MiB": daemon}
        box.power_off()
    return f"security score {exposure}, {memory} MiB used, listeners: {', '.join(ports.splitlines())}"


def drive(kind):
    def case(bench, name):
        disk = bench.fresh(name)
        with bench.box(disk, drive=kind) as box:
            ready = box.wait_ready(400)
            where = box.run("cat /run/brookbox/boot-disk")
            streamed = stream(box, disk.path.parent, claim(box), seconds=5)
            box.power_off()
        return f"ready after {ready:.0f} s from {where}; {streamed}"

    return case


def secure_boot(bench, name):
    """With the keys that machines come with, shim, GRUB, kernel and modules are let in."""
    disk = bench.fresh(name)
    with bench.box(disk, secure=True) as box:
        ready = box.wait_ready(500)
        state = box.run("od -An -t u1 /sys/firmware/efi/efivars/SecureBoot-* | awk '{ print $5 }'")
        assert state == "1", f"Secure Boot is {state}"
        lockdown = box.run("cat /sys/kernel/security/lockdown")
        box.power_off()
    return f"ready after {ready:.0f} s, lockdown {lockdown}"


def written(box):
    """Bytes written to the disk since it was switched on."""
    return 512 * int(box.run("sync; awk '{ print $7 }' /sys/class/block/$(cat /run/brookbox/boot-disk)/stat"))


def writes(bench, name):
    """How much goes to the disk while nothing happens, and while it is on air."""
    disk = bench.seasoned(name)
    with bench.box(disk) as box:
        box.wait_ready(300)
        wait_for("this start to be good", lambda: "is good" in box.run("journalctl -b -u brookbox-health -o cat"), 300)
        # What a start still has to write down.
        time.sleep(60)
        hourly = {}

        def measure(what):
            start, before = time.monotonic(), written(box)
            time.sleep(MINUTES * 60)
            hourly[what] = (written(box) - before) * 3600 / (time.monotonic() - start)

        measure("idle")
        with OnAir(box, disk.path.parent, sign_in(box)) as air:
            air.live(120)
            measure("live")
        box.power_off()
    figures = {f"written per {what} hour, MB": round(rate / 1e6, 2) for what, rate in hourly.items()}
    bench.figures |= figures
    return f"{figures}, each looked at for {MINUTES:g} min"


CASES = [
    ("main job", main_job),
    ("emulate", emulate),
    ("what stays", stays),
    ("read-only root, firewall, score", read_only),
    ("writes to the disk", writes),
    ("disk: nvme", drive("nvme")),
    ("disk: usb", drive("usb")),
    ("disk: sata", drive("sata")),
    ("secure boot", secure_boot),
]
