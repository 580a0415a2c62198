"""Harm done to the daemon inside the box while it is on air, and to its network: systemd brings it back, destinations are
live again, and the journal says why."""

import subprocess
import threading
import time
from pathlib import Path

from box import PATIENCE, BoxError, free_port
from job import RUN_IN_IT, claim, clip, wait_for


class Loop:
    """A program that is started again each time it ends, until it is told to stop: a publisher that does not give up, or a
    server that waits for its next publisher."""

    def __init__(self, command, log):
        self.command, self.log, self.ended = command, log.open("wb"), threading.Event()
        self.process = None
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        while not self.ended.is_set():
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
            self.process.wait()
            self.ended.wait(0.3)

    def restart(self):
        if self.process and self.process.poll() is None:
            self.process.kill()

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.restart()
        self.thread.join(10)
        self.log.close()


class OnAir:
    """A box with a publisher that comes back by itself and one destination on this machine."""

    def __init__(self, box, work, cookie, here="10.0.2.2", listen="127.0.0.1"):
        self.box, self.cookie = box, cookie
        port = free_port()
        sent = clip(work / "sent.flv", 20)
        key = box.run(f"{RUN_IN_IT} show-key").strip()
        self.server = Loop(["ffmpeg", "-nostdin", "-v", "error", "-listen", "1", "-f", "flv", "-i",
                            f"rtmp://{listen}:{port}/live/key", "-c", "copy", "-f", "null", "-"], work / "server.log")
        self.publisher = Loop(["ffmpeg", "-nostdin", "-v", "error", "-re", "-stream_loop", "-1", "-i", sent, "-c", "copy",
                               "-f", "flv", f"rtmp://{box.host}:{box.ports['rtmp']}/live/{key}"],
                              work / "publisher.log")
        status, _, body = box.request("POST", "/api/v1/destinations", {
            "name": "here", "platform": "custom", "url": f"rtmp://{here}:{port}/live", "key": "key", "enabled": True,
            "allowLocal": True}, {"Cookie": cookie})
        if status != 201:
            raise BoxError(f"the destination was answered with {status}: {body}")

    def __enter__(self):
        self.server.__enter__()
        self.publisher.__enter__()
        return self

    def __exit__(self, *_):
        self.publisher.__exit__()
        self.server.__exit__()

    def frames(self):
        """Frames sent to the destination while it is live, else `None`."""
        try:
            _, _, status = self.box.request("GET", "/api/v1/status", None, {"Cookie": self.cookie}, timeout=5 * PATIENCE)
            one = next(iter(status["destinations"].values()))
        except (OSError, ValueError, TypeError, KeyError, StopIteration):
            return None
        return one["framesSent"] if one["state"] == "live" else None

    def live(self, timeout):
        """Until it is live and frames go on; seconds that this took."""
        start = time.monotonic()

        def moving():
            first = self.frames()
            time.sleep(0.7)
            return first is not None and (self.frames() or 0) > first

        wait_for("the destination to be live", moving, timeout)
        return time.monotonic() - start


def daemon(bench, name):
    """kill -9, SIGSTOP, memory that runs out in the daemon's own group, and in the whole box."""
    disk = bench.fresh(name)
    found = []
    with bench.box(disk) as box:
        box.wait_ready(400)
        work = disk.path.parent
        with OnAir(box, work, claim(box)) as air:
            air.live(90)
            for what, command, restarts, says in [
                ("kill -9", "kill -9 $(systemctl show -P MainPID brookboxd)", True, "status=9/KILL"),
                ("SIGSTOP", "kill -STOP $(systemctl show -P MainPID brookboxd)", True, "atchdog"),
                ("hog in its group", "sh -c 'echo $$ >/sys/fs/cgroup/system.slice/brookboxd.service/cgroup.procs; exec tail /dev/zero' &",
                 True, "oom"),
                ("hog in the box", "systemd-run --quiet --wait --collect tail /dev/zero", False, None),
            ]:
                since = box.run("date +%s")
                before = box.run("systemctl show -P MainPID brookboxd")
                box.run(command, timeout=180, check=False)
                if restarts:
                    wait_for(f"{what}: another process", lambda: box.run("systemctl show -P MainPID brookboxd") not in (before, "0"), 120)
                took = air.live(180)
                after = box.run("systemctl show -P MainPID brookboxd")
                if not restarts:
                    assert after == before, f"{what}: the daemon was the one that went"
                log = box.run(f"journalctl -o cat --since @{since} -u brookboxd --no-pager | tail -n 60")
                if says:
                    assert says in log, f"{what}: the journal does not say {says!r}: {log}"
                found.append(f"{what}: live after {took:.0f} s")
            assert box.run("systemctl is-active brookboxd") == "active"
        box.power_off()
    return "; ".join(found)


def on_a_lan(case):
    """Runs a case of lan.py in a network name space of its own, with Debian's own Python, which has zeroconf."""

    def run(bench, name):
        folder = bench.folder(name)
        made = subprocess.run(["unshare", "--net", "--mount", "--", "/usr/bin/python3", "-B", Path(__file__).parent / "lan.py", case,
                               bench.image, folder], capture_output=True, text=True, timeout=1500 * PATIENCE)
        if made.returncode != 0:
            raise BoxError(made.stdout[-3000:] + made.stderr[-3000:])
        return made.stdout.strip().splitlines()[-1]

    return run


CASES = [
    ("harm: kill, stop, memory", daemon),
    ("lan: cable pulled, address changed", on_a_lan("cable")),
    ("lan: two boxes, names", on_a_lan("two")),
]
