"""What the image makes of the machine it runs on: a TPM, a Wi-Fi card, and *Install on this computer* from the page."""

import subprocess
import time
from pathlib import Path

from disk import Disk
from job import claim, sign_in, wait_for

# On the second disk: what only this test needs.
HWSIM = "mac80211_hwsim.ko"


class Tpm:
    """An emulated TPM 2 that keeps what it knows in a folder."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def plug(self):
        """Switches it on, as its machine is; QEMU's arguments for it. It ends with QEMU."""
        socket = self.folder / "socket"
        socket.unlink(missing_ok=True)
        self.process = subprocess.Popen(["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={self.folder}", "--ctrl",
                                         f"type=unixio,path={socket}", "--terminate"], stderr=subprocess.DEVNULL)
        end = time.monotonic() + 20
        while not socket.exists() and time.monotonic() < end:
            time.sleep(0.1)
        return ["-chardev", f"socket,id=tpm,path={socket}", "-tpmdev", "emulator,id=tpm0,chardev=tpm", "-device", "tpm-crb,tpmdev=tpm0"]

    def unplug(self):
        self.process.kill()
        self.process.wait()


def tpm(bench, name):
    """The machine key is sealed, survives a restart, and a machine with another TPM becomes a clean set-up that says why."""
    disk = bench.fresh(name)

    def start(chip, look):
        arguments = chip.plug() if chip else []
        try:
            with bench.box(disk, extra=arguments) as box:
                box.wait_ready(600)
                look(box)
                box.power_off()
        finally:
            if chip:
                chip.unplug()

    own, other = Tpm(disk.path.parent / "own"), Tpm(disk.path.parent / "other")

    def kept(box, cookie, wanted):
        status, _, system = box.request("GET", "/api/v1/system", headers={"Cookie": cookie})
        assert status == 200 and system["machineKey"] == wanted, system

    def first(box):
        kept(box, claim(box), "tpm")
        box.run("test ! -e /data/brookbox/machine-key && test -s /data/state/brookbox-machine-key")
        score = box.run("systemd-analyze security brookboxd.service --no-pager | tail -n 1")
        assert float(score.split(": ")[1].split()[0]) <= 1.5, score

    def again(box):
        cookie = sign_in(box)
        kept(box, cookie, "tpm")
        # Opens what was sealed before the restart.
        status, _, key = box.request("POST", "/api/v1/inputs/main/key", {}, {"Cookie": cookie})
        assert status == 200 and key["key"], key

    def foreign(box):
        _, _, setup = box.request("GET", "/api/v1/setup")
        assert not setup["claimed"] and [notice["code"] for notice in setup["notices"]] == ["key-lost"], setup
        box.run("test -s /data/locked/brookbox.db")
        kept(box, claim(box), "tpm")

    def without(box):
        _, _, setup = box.request("GET", "/api/v1/setup")
        assert not setup["claimed"] and setup["notices"][0]["code"] == "key-lost", setup
        kept(box, claim(box), "file")

    start(own, first)
    start(own, again)
    start(other, foreign)
    start(None, without)
    return "sealed, opened after a restart; another TPM and none: a clean set-up that says why"


def install_from_page(bench, name):
    """From a USB stick onto the machine's NVMe disk by the API, with progress as a job that is done after the next start."""
    stick = bench.fresh(name)
    inside = stick.path.parent / "nvme.img"
    with inside.open("wb") as file:
        file.truncate(6 << 30)
    # Somebody's disk: what is on it is told.
    subprocess.run(["sfdisk", "-q", inside], input="label: gpt\nstart=2048,size=65536\n", text=True, check=True)
    subprocess.run(["mkfs.vfat", "-n", "HOLIDAYS", "--offset=2048", inside, "32768"], check=True, capture_output=True)
    nvme = ["-drive", f"if=none,id=inside,file={inside},format=raw,discard=unmap", "-device", "nvme,serial=INSIDE-1,drive=inside"]
    seen = []
    with bench.box(stick, drive="usb", extra=nvme) as box:
        box.wait_ready(600)
        cookie = {"Cookie": claim(box)}
        wait_for("the first start to be good", lambda: "is good" in box.run("journalctl -b -u brookbox-health -o cat"), 400)
        _, _, offer = box.request("GET", "/api/v1/system/install", headers=cookie)
        assert offer["reason"] is None, offer
        (disk,) = offer["disks"]
        assert (disk["disk"], disk["serial"], disk["used"], disk["holds"]) == ("nvme0n1", "INSIDE-1", True, ["vfat HOLIDAYS"]), disk
        status, _, job = box.request("POST", "/api/v1/system/install", {"disk": "nvme0n1", "serial": "INSIDE-1"}, cookie)
        assert status == 201, job
        while box.running():
            try:
                _, _, now = box.request("GET", f"/api/v1/jobs/{job['id']}", headers=cookie, timeout=10)
            except OSError:
                break  # it is at rest for the last step
            assert now["state"] == "running", now
            seen.append((now["step"], now["percent"]))
            time.sleep(1)
        box.wait_off(300)
    assert {step for step, _ in seen} >= {2, 3}, seen
    assert len(set(seen)) > 4, seen
    with bench.box(Disk(inside), drive="nvme", work=stick.path.parent / "installed") as box:
        box.wait_ready(600)
        cookie = {"Cookie": sign_in(box)}
        _, _, done = box.request("GET", f"/api/v1/jobs/{job['id']}", headers=cookie)
        assert (done["state"], done["fault"]) == ("done", None), done
        _, _, events = box.request("GET", "/api/v1/events", headers=cookie)
        codes = [event["code"] for event in events]
        assert "installed" in codes and "install_begun" in codes, codes
        _, _, offer = box.request("GET", "/api/v1/system/install", headers=cookie)
        assert (offer["reason"], offer["disks"]) == ("notFromStick", []), offer
        box.power_off()
    return f"{len(set(seen))} states of the job seen; done and told on the new disk"


def hotspot(bench, name):
    """No network and a Wi-Fi card: a Wi-Fi of the box's own that a client joins and claims the box by; gone with the cable."""
    disk = bench.fresh(name)
    tools = Path(disk.path.parent) / "tools.img"
    modules = list((bench.image.parent / "unpacked/usr/lib/modules").glob(f"*/kernel/drivers/net/wireless/virtual/{HWSIM}.xz"))
    folder = disk.path.parent / "tools"
    folder.mkdir()
    (folder / HWSIM).write_bytes(subprocess.run(["xz", "-dc", modules[0]], check=True, capture_output=True).stdout)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", folder, tools, "8M"], check=True)
    second = ["-drive", f"if=none,id=tools,file={tools},format=raw,readonly=on", "-device", "virtio-blk-pci,drive=tools,serial=tools"]
    with bench.box(disk, extra=second) as box:
        box.wait_ready(600)
        box.run("mkdir -p /run/tools && mount -o ro /dev/disk/by-id/virtio-tools /run/tools")
        box.run(f"modprobe mac80211 && insmod /run/tools/{HWSIM} radios=2")
        # The other radio is a telephone: NetworkManager leaves it alone.
        box.run("ip netns add phone && nmcli device set wlan1 managed no && "
                "iw phy $(cat /sys/class/net/wlan1/phy80211/name) set netns name phone && ip netns exec phone ip link set wlan1 up")
        box.run("test ! -e /run/brookbox/hotspot")
        box.pull_cable()
        wait_for("the hotspot", lambda: "hotspot is on" in box.run("journalctl -b -u brookbox-hotspot -o cat"), 300)
        assert box.run("stat -c '%a %G' /run/brookbox/hotspot") == "640 brookbox"
        ssid, password = box.run("cat /run/brookbox/hotspot").splitlines()
        box.run("printf 'ctrl_interface=/run/phone\\nnetwork={\\n ssid=\"%s\"\\n psk=\"%s\"\\n}\\n' "
                f"'{ssid}' '{password}' >/run/phone.conf && ip netns exec phone wpa_supplicant -B -i wlan1 -c /run/phone.conf")
        wait_for("the telephone to join", lambda: "COMPLETED" in box.run("wpa_cli -p /run/phone -i wlan1 status", check=False), 120)
        lease = box.run("ip netns exec phone busybox udhcpc -n -q -i wlan1 -s /bin/true")
        assert "10.42.0." in lease, lease
        box.run("ip netns exec phone ip address add 10.42.0.20/24 dev wlan1")
        setup = box.run("ip netns exec phone busybox wget -q -O - http://10.42.0.1/api/v1/setup", timeout=60)
        assert '"claimed":false' in setup, setup
        # It leads to the box and nowhere else, and to documented ports only.
        box.run("! ip netns exec phone busybox nc -w 3 10.42.0.1 53 </dev/null")
        assert box.run("ip netns exec phone ip route | grep -c default", check=False) == "0"
        assert box.run("cat /proc/sys/net/ipv4/conf/all/forwarding") == "0"
        box.pull_cable(False)
        wait_for("its end", lambda: "hotspot is off" in box.run("journalctl -b -u brookbox-hotspot -o cat"), 120)
        box.run("test ! -e /run/brookbox/hotspot")
        box.power_off()
    return f"joined {ssid!r}, an address given, the page reached; off when the cable was back"


CASES = [
    ("TPM: sealed, restarted, another one, none", tpm),
    ("install from the page", install_from_page),
    ("set-up hotspot", hotspot),
]
