"""What the image joins up: the partition that other computers see, USB sticks, HTTPS, SSH, the attached screen, and
*Install on this computer*."""

import hashlib
import re
import socket
import ssl
import subprocess
import time

from box import PATIENCE, overlay
from disk import Disk
from job import PASSWORD, RUN_IN_IT, claim, sign_in, stream, wait_for

RESET = "brookbox-reset-password"


def fat_stick(path, files):
    """A USB stick as it comes from the shop, without a partition table, with these files."""
    with path.open("wb") as stick:
        stick.truncate(64 << 20)
    subprocess.run(["mkfs.vfat", "-n", "STICK", path], check=True, capture_output=True)
    for name in files:
        empty = path.with_suffix(".empty")
        empty.write_bytes(b"")
        subprocess.run(["mcopy", "-i", path, empty, f"::{name}"], check=True)
    return path


def has_file(stick, name):
    return name in subprocess.run(["mdir", "-b", "-i", stick], check=True, capture_output=True, text=True).stdout


def first_boot(bench, name):
    """Everything that brookbox.toml can say is done, nothing of it is left; then a lost password by a USB stick."""
    disk = bench.fresh(name)
    folder = disk.path.parent
    key = folder / "ssh-key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    public = key.with_suffix(".pub").read_text().strip()
    hash_ = subprocess.run([bench.daemon, "hash-password"], input=PASSWORD + "\n", text=True, check=True,
                           capture_output=True).stdout.strip()
    disk.put("BROOKBOX", "brookbox.toml", f"""name = "river-street"\nlanguage = "de"\ntimezone = "Europe/Berlin"\ncountry = "DE"
[owner]\nusername = "mara"\npassword_hash = "{hash_}"
[wifi]\nssid = "Home"\npassword = "wifi-canary"
[ssh]\nauthorized_keys = ["{public}"]\n""".encode())
    with bench.box(disk) as box:
        box.wait_ready(400)
        sign_in(box)
        wait_for("the settings", lambda: "wifi" in box.run("ls /config/network"), 30)
        wait_for("the time zone", lambda: box.run("date -d @1700000000 +%Z") == "CET", 30)
        assert box.run("stat -c '%U %a' /config/network/brookbox-wifi.nmconnection") == "root 600"
        assert "regdom=DE" in box.run("cat /run/modprobe.d/*")
        assert "failed to load regulatory" not in box.run("journalctl -b -k -o cat --no-pager"), "no rules of any country are there"
        wait_for("a sign-in by SSH", lambda: sign_in_by_ssh(box, key), 90)
        left = box.run("ls /data/brookbox/system")
        assert not left, f"left for the system: {left}"
        fingerprint = https_fingerprint(box)
        wait_for("the first start to be good", lambda: "is good" in box.run("journalctl -u brookbox-health -o cat"), 300)
        # From now on a daemon that somebody took over opens no door.
        box.run(f"runuser -u brookbox -- sh -c 'echo \"{public}\" >/data/brookbox/system/authorized_keys'")
        wait_for("the late key to be left out", lambda: "first start only" in box.run("journalctl -b -u brookbox-settings -o cat"), 30)
        box.power_off()
    left = disk.get("BROOKBOX", "brookbox.toml").decode()
    assert "Brookbox has read this file" in left, left
    raw = disk.read("BROOKBOX", 0, disk.parts["BROOKBOX"][1])
    assert b"wifi-canary" not in raw and hash_.encode() not in raw, "secrets are still on the partition"

    stick = fat_stick(folder / "stick.img", [RESET])
    with bench.box(disk, extra=usb_drive(stick)) as box:
        box.wait_ready(400)
        assert https_fingerprint(box) == fingerprint, "the certificate's key stays"
        wait_for("a sign-in by SSH after a restart", lambda: sign_in_by_ssh(box, key), 60)
        reset = wait_for("the reset to be offered", lambda: box.request("GET", "/api/v1/setup")[2].get("passwordResetLeftS"), 30)
        box.power_off()
    assert not has_file(stick, RESET), "the file is still on the stick"
    return f"done, and nothing left on the partition; new password allowed for {reset} s by a USB stick"


def sign_in_by_ssh(box, key):
    """Whether somebody with that key is let in as root, and the box says so."""
    said = subprocess.run(["ssh", "-i", key, "-p", str(box.ports["ssh"]), "-o", "StrictHostKeyChecking=no", "-o", "IdentitiesOnly=yes",
                           "-o", f"UserKnownHostsFile={key.with_name('known')}", "-o", "BatchMode=yes", "root@127.0.0.1",
                           "id -un; cat /run/brookbox/notices/ssh-on"], capture_output=True, text=True, timeout=120 * PATIENCE)
    return said.stdout.startswith("root\nSSH is on")


def usb_drive(path):
    return ["-device", "qemu-xhci,id=more", "-drive", f"if=none,id=stick,file={path},format=raw",
            "-device", "usb-storage,bus=more.0,drive=stick,removable=on"]


def https_fingerprint(box):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", box.ports["https"]), 30) as tcp:
        with context.wrap_socket(tcp, server_hostname="localhost") as tls:
            tls.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert tls.recv(64).startswith(b"HTTP/1.1 200"), "HTTPS does not answer"
            return hashlib.sha256(tls.getpeercert(binary_form=True)).hexdigest()


def screen_text(box):
    """What stands on the attached screen; letters and signs only, a code's blocks are other numbers there."""
    rows = int(box.run("stty -F /dev/tty1 size | cut -d' ' -f1")), int(box.run("stty -F /dev/tty1 size | cut -d' ' -f2"))
    text = box.run("tr -c ' -~' '#' </dev/vcs1")
    return "\n".join(text[at:at + rows[1]].rstrip() for at in range(0, len(text), rows[1]))


def screen(bench, name):
    """A monitor shows where the page is, a code, the certificate, and who owns the box."""
    disk = bench.fresh(name)
    with bench.box(disk, extra=["-device", "VGA"]) as box:
        box.wait_ready(400)
        text = wait_for("the screen", lambda: (t := screen_text(box)) if "http://" in (t := screen_text(box)) else None, 60)
        assert "http://10.0.2.15" in text and "brookbox.local" in text and "Nobody owns this box yet" in text, text
        shown = re.sub("[^0-9A-F]", "", text.split("SHA-256")[1])
        assert shown[:64] == box.request("GET", "/api/v1/setup")[2]["https"]["fingerprint"].replace(":", ""), text
        claim(box)
        wait_for("the owner on the screen", lambda: "waiting for a stream" in screen_text(box), 30)
        picture = bench.work / "screen.ppm"
        box.qmp("screendump", filename=str(picture))
        box.power_off()
    return f"address, code and certificate are on it; a picture: {picture}"


def install(bench, name):
    """From a USB stick onto the machine's NVMe disk, which then starts without the stick and is the same box."""
    stick = bench.fresh(name)
    inside = stick.path.parent / "nvme.img"
    with inside.open("wb") as file:
        file.truncate(6 << 30)
    nvme = ["-drive", f"if=none,id=inside,file={inside},format=raw,discard=unmap", "-device", "nvme,serial=INSIDE-1,drive=inside"]
    with bench.box(stick, drive="usb", extra=nvme) as box:
        box.wait_ready(600)
        claim(box)
        wait_for("the first start to be good", lambda: "is good" in box.run("journalctl -b -u brookbox-health -o cat"), 400)
        kept = box.run("cat /etc/machine-id"), box.run(f"{RUN_IN_IT} show-key")
        offered = box.run(f"{RUN_IN_IT} install-to")
        assert re.match(r"nvme0n1  .*, 6 GB, empty$", offered), offered
        started = time.monotonic()
        said = box.run(f"{RUN_IN_IT} install-to nvme0n1", timeout=900)
        seconds = time.monotonic() - started
        assert said.endswith("pull the stick, and switch it on again."), said
        told = len(set(said.splitlines()))
        box.wait_off(120)
    disk = Disk(inside)
    work = stick.path.parent / "installed"
    with bench.box(disk, drive="nvme", work=work) as box:
        box.wait_ready(600)
        sign_in(box)
        assert (box.run("cat /etc/machine-id"), box.run(f"{RUN_IN_IT} show-key")) == kept
        assert box.run("cat /run/brookbox/boot-disk") == "nvme0n1"
        size = int(box.run("df -B1 --output=size /data | tail -n 1"))
        assert size > 4 << 30, f"/data has {size} bytes of a 6 GiB disk"
        streamed = stream(box, work, sign_in(box), seconds=5)
        assert not box.run("systemctl --failed --no-legend --plain")
        box.power_off()
    # With the stick back in, each starts its own.
    both = ["-drive", f"if=none,id=other,file={overlay(stick.path, work / 'stick.qcow2')},format=qcow2",
            "-device", "qemu-xhci", "-device", "usb-storage,drive=other"]
    with bench.box(disk, drive="nvme", work=work, extra=both) as box:
        box.wait_ready(600)
        assert box.run("cat /run/brookbox/boot-disk") == "nvme0n1"
        assert "nvme0n1" in box.run("readlink -f /dev/brookbox/data")
        assert "no disk to install on" in box.run(f"{RUN_IN_IT} install-to")
        box.power_off()
    return f"installed in {seconds:.0f} s with {told} steps told; {streamed}"


CASES = [
    ("wiring: brookbox.toml, HTTPS, SSH, USB stick", first_boot),
    ("wiring: screen", screen),
    ("install: USB to NVMe", install),
]
