"""What a bad disk, a bad update or a bad night leaves behind. Each case ends in a running box, or in a clean set-up that says
what was lost; never in a machine that hangs."""

from box import BoxError
from disk import MIB
from job import sign_in, wait_for


def until_good(bench, disk, starts, timeout=300, **options):
    """Starts the machine again each time it restarts itself, as real ones do; the running box, once its version is marked
    good, and the number of starts."""
    box = bench.box(disk, **options)
    for count in range(1, starts + 1):
        box.start()
        try:
            box.wait_ready(timeout)
            wait_for("this version to be good", lambda: "is good" in box.run("journalctl -b -u brookbox-health -o cat"), 300)
            return box, count
        except (BoxError, OSError):
            if box.settled_running():
                box.pull_plug()
                raise
    raise box.error(f"not in order after {starts} starts")


def slot_of(box):
    return box.run("sed -n 's/.*rauc\\.slot=\\([AB]\\).*/\\1/p' /proc/cmdline")


def ends_in(slot, harm, starts=1, notices=(), claimed=True, **options):
    """A case: `harm` is done to a disk that was in order; it has to come up with `slot`, known as before, and be marked
    good."""

    def case(bench, name):
        disk = bench.seasoned(name)
        harm(disk)
        box, count = until_good(bench, disk, starts, **options)
        try:
            assert slot_of(box) == slot, f"version {slot_of(box)} runs: {box.versions_started()}"
            if claimed:
                sign_in(box)
            else:
                assert box.request("GET", "/api/v1/setup")[2]["claimed"] is False
            said = box.run("cat /run/brookbox/notices/* 2>/dev/null || true")
            for notice in notices:
                assert notice in said, f"no notice {notice!r} in {said!r}"
            if not notices:
                assert not said, said
            box.power_off()
        finally:
            box.pull_plug()
        state = disk.read_state()
        assert state[f"{slot}_OK"] == "1" and state[f"{slot}_TRY"] == "0", state
        started = "".join(slot + ("!" if last else "") for slot, last in box.versions_started())
        return f"version {slot} after {count} start{'s' * (count > 1)} ({started})" + (f"; {said.splitlines()[0]}" if said else "")

    return case


def bad_block(disk):
    # The middle of the root: some file's contents.
    disk.garbage("root-a", 60 << 20, 8192)


def trial(disk, **more):
    disk.state(ORDER="B A", B_OK=1, B_TRY=0, **more)


def panics(disk):
    trial(disk)
    config = disk.get("boot-b", "slot.cfg").decode()
    disk.put("boot-b", "slot.cfg", config.replace(" ro quiet", " ro quiet rdinit=/nothing").encode())


def kernel_garbage(disk):
    trial(disk)
    size = len(disk.get("boot-b", "vmlinuz"))
    disk.put("boot-b", "vmlinuz", bytes(size))


NEVER_READY = {
    # As if only this version's daemon were broken.
    "brookboxd.service": "[Service]\nExecStart=\nExecStart=/bin/sh -c 'grep -q slot=B /proc/cmdline && exec sleep infinity; "
                         "exec /usr/bin/brookboxd'\n",
    "brookbox-health.service": "[Service]\nEnvironment=BROOKBOX_HEALTH_LIMIT=60\n",
}


def destroyed(part):
    """Noise where a file system keeps its order: the start, and every place that may have a copy of it."""

    def harm(disk):
        size = disk.parts[part][1]
        disk.garbage(part, 0, min(32 << 20, size))
        for at in range(128 << 20, size - MIB, 128 << 20):
            disk.garbage(part, at, MIB)

    return harm


def state_garbage(disk, *names):
    for name in names:
        disk.put("esp", f"brookbox/{name}", bytes(range(256)) * 4)


def state_missing(disk):
    for name in ("grubenv", "grubenv.2"):
        disk.delete("esp", f"brookbox/{name}")


def data_full(bench, name):
    """The last byte of /data is taken; the box starts, knows its owner, and takes settings again once there is room."""
    disk = bench.seasoned(name)
    box, _ = until_good(bench, disk, 1)
    try:
        box.run("fallocate -l $(df -B1 --output=avail /data | tail -n 1) /data/fill; cat /dev/zero >/data/fill2; sync; df /data", check=False)
        box.pull_plug()
        box, _ = until_good(bench, disk, 1)
        sign_in(box)
        free = box.run("df -B1 --output=avail /data | tail -n 1")
        box.run("rm /data/fill /data/fill2")
        sign_in(box)
        box.power_off()
    finally:
        box.pull_plug()
    return f"ready with {free} bytes free"


CASES = [
    ("boot: a new version on trial", ends_in("B", trial)),
    ("boot: bad block in the root", ends_in("B", bad_block, starts=6)),
    ("boot: boot partition wiped", ends_in("B", lambda disk: disk.wipe("boot-a"))),
    ("boot: kernel file is garbage", ends_in("A", kernel_garbage, starts=5)),
    ("boot: kernel panics", ends_in("A", panics, starts=5)),
    ("boot: daemon never ready", ends_in("A", lambda disk: trial(disk), starts=5, timeout=200, dropins=NEVER_READY)),
    ("boot: state is garbage", ends_in("A", lambda disk: state_garbage(disk, "grubenv", "grubenv.2"))),
    ("boot: state is garbage in one copy", ends_in("A", lambda disk: state_garbage(disk, "grubenv"))),
    ("boot: state is missing", ends_in("A", state_missing)),
    ("boot: all tries used", ends_in("A", lambda disk: disk.state(A_OK=1, A_TRY=3, B_OK=1, B_TRY=3))),
    ("boot: all versions given up", ends_in("A", lambda disk: disk.state(A_OK=0, A_TRY=0, B_OK=0, B_TRY=0))),
    ("data: file system destroyed", ends_in("A", destroyed("data"), claimed=False, notices=["made anew"])),
    ("data: superblock lost", ends_in("A", lambda disk: disk.wipe("data", 4096), notices=["has been repaired"])),
    ("data: full", data_full),
    ("config: file system destroyed", ends_in("A", destroyed("config"), notices=["the copy of the last good start"])),
    ("config: file is garbage", ends_in("A", lambda disk: disk.debugfs(
        "config", "cd brookbox", "rm brookboxd.toml", "symlink brookboxd.toml /etc/hostname"), notices=["set aside"])),
]
