#!/usr/bin/env python3
"""make emulate: the PC image as a machine in QEMU, until Ctrl-C. It keeps its disk below build/ from one start to the next;
FRESH=1 begins with a new one."""

import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "qemu"))
from box import Box, BoxError, overlay  # noqa: E402
from job import RUN_IN_IT  # noqa: E402


def main():
    # Both end it in order, Ctrl-C even where a shell started it in the background with that signal ignored.
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, signal.default_int_handler)
    image, work = Path(sys.argv[1]), Path(sys.argv[2])
    work.mkdir(parents=True, exist_ok=True)
    disk, made_from = work / "disk.qcow2", work / "made-from"
    key = f"{image} {image.stat().st_mtime_ns}"
    if os.environ.get("FRESH") or not disk.exists() or made_from.read_text() != key:
        disk.unlink(missing_ok=True)
        overlay(image, disk, os.environ.get("DISK", "8G"))
        made_from.write_text(key)
    print(f"==> starting {image.name} in QEMU; this takes about a minute; ACCEL=kvm is faster where it works", flush=True)
    box = Box(disk, work, memory=int(os.environ.get("MEMORY", "1024")))
    try:
        ended = None
        while ended in (None, "guest-reset"):
            if ended:
                print("==> it restarts", flush=True)
            box.start()
            show(box, box.wait_ready(600))
            ended = box.wait_end()
        print("==> it has switched itself off", flush=True)
    except KeyboardInterrupt:
        print("\n==> pressing the power button …", flush=True)
        try:
            if box.running():
                box.power_off()
        except KeyboardInterrupt:
            print("\n==> pulling the plug", flush=True)
    except BoxError as error:
        print(f"make: {error}", file=sys.stderr)
        return 1
    finally:
        box.pull_plug()
    return 0


def show(box, seconds):
    claimed = box.request("GET", "/api/v1/setup")[2]["claimed"]
    print(f"\n  Brookbox runs in the emulated machine, {seconds:.0f} s after power-on.\n")
    print(f"  page           {box.page()}")
    print(f"  with HTTPS     https://localhost:{box.ports['https']}, by its own certificate")
    print(f"  RTMP server    rtmp://127.0.0.1:{box.ports['rtmp']}/live")
    print(f"  stream key     {box.run(f'{RUN_IN_IT} show-key').strip()}")
    if not claimed:
        print("\n  Nobody owns this box yet: open the page to set it up. It reaches this machine as 10.0.2.2: a destination")
        print("  on this machine is rtmp://10.0.2.2:PORT/app, with its own network allowed.")
    print("\n  Ctrl-C switches it off.\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
