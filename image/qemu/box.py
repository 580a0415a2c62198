"""A Brookbox in QEMU: starts the disk image as a machine, forwards its ports, runs commands in it, pulls its plug.

Software emulation, so that it runs anywhere; an emulated machine is ten to twenty times slower than an N100. ACCEL=kvm uses
the processor's own virtual machines, where they work; not every machine that offers them runs firmware in them. PATIENCE=4
waits four times as long for everything, on a machine that has other things to do; CPUS=1 wastes less of it there.
"""

import base64
import contextlib
import ctypes
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

OVMF = Path("/usr/share/OVMF")
PORTS = {"http": 80, "https": 443, "rtmp": 1935, "ssh": 22}
PATIENCE = float(os.environ.get("PATIENCE", "1"))
CPUS = int(os.environ.get("CPUS", "2"))
ACCELERATORS = {"tcg": "tcg,thread=multi", "kvm": "kvm"}
# A shell for tests on the second serial port. It comes from outside as a credential: the image has none of it.
CONTROL = """[Unit]
DefaultDependencies=no
[Service]
ExecStart=/bin/sh -c 'stty -F /dev/ttyS1 raw -echo; cat /dev/ttyS1 | sh >/dev/ttyS1 2>&1'
Restart=always
"""


class BoxError(Exception):
    """The machine did not do what was waited for; the message has the end of its console."""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def end_with_parent():
    """In the child: it is not left behind, whatever ends the one that started it (prctl(2), PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def overlay(base, target, size="4G"):
    """A disk of `size` whose first part is `base`, which stays as it is."""
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", os.path.abspath(base), "-F", "raw", target, size],
                   check=True)
    return target


def drive_arguments(kind, disk):
    """The disk as one of the kinds that real machines have. The USB one is a stick on a modern controller."""
    form = "raw" if str(disk).endswith((".img", ".raw")) else "qcow2"
    back = ["-drive", f"if=none,id=disk,file={disk},format={form},cache=writeback,discard=unmap"]
    front = {
        "virtio": ["-device", "virtio-blk-pci,drive=disk,bootindex=0"],
        "nvme": ["-device", "nvme,serial=brookbox,drive=disk,bootindex=0"],
        "usb": ["-device", "qemu-xhci", "-device", "usb-storage,drive=disk,bootindex=0"],
        "sata": ["-device", "ide-hd,drive=disk,bootindex=0"],
    }[kind]
    return back + front


class Box:
    """`tap`: the interface that is the other end of its cable, and `host` the address it has there; without them it is
    behind QEMU's own router, and its ports are reached by ports of this machine."""

    def __init__(self, disk, work, drive="virtio", memory=1024, cpus=None, secure=False, dropins=None, control=True, extra=(),
                 tap=None, mac="52:54:00:12:34:56", host="127.0.0.1"):
        self.disk, self.work, self.drive = disk, Path(work), drive
        self.memory, self.secure, self.extra = memory, secure, list(extra)
        self.cpus = cpus or CPUS
        self.dropins = dict(dropins or {})
        if PATIENCE > 1:
            # Else it would take a slow machine for a bad version.
            self.dropins.setdefault("brookbox-health.service", f"[Service]\nEnvironment=BROOKBOX_HEALTH_LIMIT={round(300 * PATIENCE)}\n")
        self.control = control
        self.accel = os.environ.get("ACCEL") or "tcg"
        self.tap, self.mac, self.host = tap, mac, host
        self.ports = {}
        self.process = None
        self.work.mkdir(parents=True, exist_ok=True)
        self.console_path = self.work / "console.log"
        self.starts = 0

    # Life

    def start(self):
        """Switches it on."""
        self.starts += 1
        self.ports = self.ports or (dict(PORTS) if self.tap else {name: free_port() for name in PORTS})
        self.qmp_path, self.control_path = self.work / "qmp", self.work / "control"
        for path in (self.qmp_path, self.control_path):
            path.unlink(missing_ok=True)
        self.console_from = self.console_path.stat().st_size if self.console_path.exists() else 0
        self.started = time.monotonic()
        # Seconds until GRUB had chosen a version, as far as somebody waited for it.
        self.loaded_after = None
        self.process = subprocess.Popen(self._command(), stdin=subprocess.DEVNULL, stdout=(self.work / "qemu.log").open("ab"),
                                        stderr=subprocess.STDOUT, start_new_session=True, preexec_fn=end_with_parent)
        self._lines = None
        return self

    def _command(self):
        code, variables = ("OVMF_CODE_4M.ms.fd", "OVMF_VARS_4M.ms.fd") if self.secure else ("OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd")
        own = self.work / variables
        if not own.exists():
            shutil.copy(OVMF / variables, own)
        forwards = "".join(f",hostfwd=tcp:127.0.0.1:{self.ports[name]}-:{port}" for name, port in PORTS.items())
        cable = f"tap,id=net,ifname={self.tap},script=no,downscript=no" if self.tap else f"user,id=net{forwards}"
        command = ["qemu-system-x86_64", "-nodefaults", "-accel", ACCELERATORS[self.accel], "-cpu", "qemu64", "-smp", str(self.cpus),
                   "-m", str(self.memory), "-display", "none", "-vga", "none", "-device", "virtio-rng-pci",
                   "-action", "reboot=shutdown,watchdog=reset",
                   "-machine", "q35,smm=on" if self.secure else "q35,sata=on,smbus=off",
                   "-drive", f"if=pflash,format=raw,readonly=on,file={OVMF / code}",
                   "-drive", f"if=pflash,format=raw,file={own}",
                   "-chardev", f"file,id=console,path={self.console_path},append=on", "-serial", "chardev:console",
                   "-chardev", f"socket,id=control,path={self.control_path},server=on,wait=off", "-serial", "chardev:control",
                   "-qmp", f"unix:{self.qmp_path},server=on,wait=off",
                   "-netdev", cable, "-device", f"virtio-net-pci,id=card,netdev=net,mac={self.mac},romfile="]
        if self.secure:
            command += ["-global", "driver=cfi.pflash01,property=secure,value=on"]
        command += drive_arguments(self.drive, self.disk)
        units = {}
        if self.control:
            units["systemd.extra-unit.brookbox-control.service"] = CONTROL
            units["systemd.unit-dropin.basic.target"] = "[Unit]\nWants=brookbox-control.service\n"
        for unit, text in self.dropins.items():
            units[f"systemd.unit-dropin.{unit}"] = text
        for name, text in units.items():
            value = base64.b64encode(text.encode()).decode()
            command += ["-smbios", f"type=11,value=io.systemd.credential.binary:{name}={value}"]
        return command + self.extra

    def running(self):
        return self.process is not None and self.process.poll() is None

    def settled_running(self, seconds=15):
        """Whether it is still on a little later: a machine that restarts answers no more before it is off."""
        try:
            self.process.wait(seconds * PATIENCE)
        except subprocess.TimeoutExpired:
            return True
        return False

    def pull_plug(self):
        """The power is gone, at once."""
        if self.running():
            self.process.kill()
            self.process.wait()

    def power_off(self, timeout=240):
        """The button is pressed; waits until it is off."""
        self.qmp("system_powerdown")
        return self.wait_off(timeout)

    def wait_off(self, timeout):
        """Until it is off or restarts itself (which ends QEMU here)."""
        timeout *= PATIENCE
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise self.error(f"still on after {timeout:.0f} s") from None

    def wait_end(self):
        """Until it is off; why (QEMU's `ShutdownCause`): `guest-reset` is a restart, `guest-shutdown` a switching off."""
        why = None
        with self._qmp() as stream:
            self._ask(stream, "qmp_capabilities")
            try:
                for line in stream:
                    message = json.loads(line)
                    if message.get("event") == "SHUTDOWN":
                        why = message["data"]["reason"]
            except ConnectionError:
                pass  # it was killed
        self.process.wait()
        return why

    def qmp(self, command, **arguments):
        with self._qmp(timeout=10 * PATIENCE) as stream:
            for name, values in (("qmp_capabilities", {}), (command, arguments)):
                answer = self._ask(stream, name, values)
            if "error" in answer:
                raise BoxError(f"QMP {command}: {answer['error']['desc']}")
            return answer["return"]

    @contextlib.contextmanager
    def _qmp(self, timeout=None):
        """A connection, of which QEMU serves one at a time: it is closed however its use ends, a Ctrl-C included."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(timeout)
            s.connect(str(self.qmp_path))
            with s.makefile("rw") as stream:
                stream.readline()
                yield stream

    @staticmethod
    def _ask(stream, command, arguments=None):
        """The answer to one command; events that come before it are passed over."""
        stream.write(json.dumps({"execute": command, "arguments": arguments or {}}) + "\n")
        stream.flush()
        for line in stream:
            if "event" not in (answer := json.loads(line)):
                return answer
        raise BoxError(f"QMP {command}: the machine went off")

    def pull_cable(self, pulled=True):
        self.qmp("set_link", name="card", up=not pulled)

    # What it says

    def console(self, all_starts=False):
        data = self.console_path.read_bytes() if self.console_path.exists() else b""
        text = data[0 if all_starts else self.console_from:].decode(errors="replace").replace("\r", "")
        return re.sub(r"\x1b\[[0-9;?=]*[A-Za-z]", "", text)

    def error(self, what):
        return BoxError(f"{what}; the end of the console:\n" + "\n".join(self.console().splitlines()[-15:]))

    def versions_started(self):
        """What GRUB started since the disk was first used, as [("A", "brookbox.last=1" or ""), …]."""
        return re.findall(r"brookbox: version ([AB]) \(order.*?\) ?(brookbox\.last=1)?", self.console(all_starts=True))

    # Reaching it

    def page(self):
        # By this name and not by an address: an address that is not the box's own is refused (DNS rebinding).
        return f"http://{self.host}" if self.tap else f"http://localhost:{self.ports['http']}"

    def request(self, method, path, body=None, headers=None, timeout=90):
        """One HTTP request: status, headers, body (parsed if it is JSON)."""
        connection = http.client.HTTPConnection(self.host, self.ports["http"], timeout=timeout)
        try:
            headers = {"Host": self.page().removeprefix("http://"), "Origin": self.page(), **(headers or {})}
            if body is not None:
                headers["Content-Type"] = "application/json"
                body = json.dumps(body)
            connection.request(method, path, body=body, headers=headers)
            response = connection.getresponse()
            data = response.read()
            if "json" in response.headers.get("Content-Type", ""):
                data = json.loads(data)
            return response.status, response.headers, data
        finally:
            connection.close()

    def wait_ready(self, timeout=240):
        """Until the daemon says that it is ready; seconds since the start."""
        timeout *= PATIENCE
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if not self.running():
                raise self.error("it went off or restarted")
            if self.loaded_after is None and "brookbox: version" in self.console():
                self.loaded_after = time.monotonic() - self.started
            try:
                if self.request("GET", "/readyz", timeout=5)[0] == 200:
                    return time.monotonic() - self.started
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(0.3)
        raise self.error(f"not ready after {timeout:.0f} s")

    def run(self, command, timeout=120, check=True):
        """A command as root in it: what it printed."""
        timeout *= PATIENCE
        if self._lines is None:
            self._open_control(timeout)
        mark = f"@@END{time.monotonic_ns()}"
        self._control.sendall(f"{{ {command}\n}} 2>&1; echo; echo {mark} $?\n".encode())
        end = time.monotonic() + timeout
        seen = ""
        while True:
            match = re.search(rf"\n{mark} (\d+)\n", seen)
            if match:
                break
            seen += self._receive(end, command)
        output = seen[:match.start()].rstrip("\n")
        if check and match.group(1) != "0":
            raise BoxError(f"{command!r} ended with {match.group(1)}: {output}")
        return output

    def _open_control(self, timeout):
        self._control = socket.socket(socket.AF_UNIX)
        self._control.connect(str(self.control_path))
        self._lines = ""
        # Whether it greeted before this connected is not known: ask until it answers.
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            self._control.sendall(b"echo @@HERE\n")
            try:
                if "@@HERE" in self._receive(min(end, time.monotonic() + 2), "the control shell"):
                    time.sleep(0.5)
                    self._control.settimeout(0.2)
                    try:
                        while self._control.recv(65536):
                            pass
                    except OSError:
                        return
            except BoxError:
                if not self.running():
                    raise
        raise self.error("no control shell")

    def _receive(self, end, what):
        left = end - time.monotonic()
        if left <= 0:
            raise self.error(f"{what}: no answer in time")
        self._control.settimeout(min(left, 5))
        try:
            data = self._control.recv(65536)
        except socket.timeout:
            if not self.running():
                raise self.error(f"{what}: it went off") from None
            return ""
        if not data:
            raise self.error(f"{what}: it went off")
        return data.decode(errors="replace").replace("\r", "")

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.pull_plug()
