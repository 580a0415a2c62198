"""The main job, from outside: claim the box, publish to it, and compare what two servers received with what was sent."""

import subprocess
import time
from pathlib import Path

from box import PATIENCE, BoxError, free_port

PASSWORD = "a password for this test"
RUN_IN_IT = ("BROOKBOX_CONFIG=/config/brookbox/brookboxd.toml BROOKBOX_DATA_DIR=/data/brookbox "
             "runuser -u brookbox -- /usr/bin/brookboxd")


def claim(box):
    """Sets the box up as its first visitor; the cookie of the sign-in."""
    status, headers, body = box.request("POST", "/api/v1/setup", {
        "username": "mara", "password": PASSWORD, "boxName": "river-street", "language": "en"})
    if status != 201:
        raise BoxError(f"the claim was answered with {status}: {body}")
    return headers["Set-Cookie"].split(";")[0]


def sign_in(box):
    """A sign-in as the owner; a box that has too little of a processor to hash a password in time is asked again."""
    end = time.monotonic() + 120 * PATIENCE
    while True:
        status, headers, body = box.request("POST", "/api/v1/login", {"username": "mara", "password": PASSWORD}, timeout=90 * PATIENCE)
        if status in (200, 204):
            return headers["Set-Cookie"].split(";")[0]
        if status != 408 or time.monotonic() > end:
            raise BoxError(f"the sign-in was answered with {status}: {body}")


def clip(target, seconds):
    """A picture and a tone in FLV, whose packets are what is compared."""
    subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", f"testsrc2=s=320x180:r=25:d={seconds}",
                    "-f", "lavfi", "-i", f"sine=d={seconds}", "-c:v", "libx264", "-preset", "veryfast", "-g", "50", "-b:v", "400k",
                    "-pix_fmt", "yuv420p", "-c:a", "aac", "-f", "flv", target], check=True)
    return target


def packets(file):
    """The packets of a file by kind, as (size, hash); read by FFmpeg."""
    text = subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-i", file, "-map", "0:v", "-map", "0:a", "-c", "copy",
                           "-copyinkf", "-f", "framemd5", "-"], check=True, capture_output=True, text=True).stdout
    streams = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            fields = [field.strip() for field in line.split(",")]
            streams.setdefault(fields[0], []).append((fields[4], fields[5]))
    return streams


class Server:
    """A destination on this machine, which the box reaches as 10.0.2.2."""

    def __init__(self, work, name):
        self.port, self.file = free_port(), Path(work) / f"{name}.flv"
        self.log = (Path(work) / f"{name}.log").open("wb")
        self.process = subprocess.Popen(
            ["ffmpeg", "-nostdin", "-v", "warning", "-y", "-listen", "1", "-f", "flv", "-i",
             f"rtmp://127.0.0.1:{self.port}/live/key-{name}", "-map", "0", "-c", "copy", "-f", "flv", self.file],
            stdout=self.log, stderr=self.log)

    def url(self):
        return f"rtmp://10.0.2.2:{self.port}/live"

    def end(self, timeout):
        try:
            self.process.wait(timeout * PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def stream(box, work, cookie, seconds=12, key=None):
    """Publishes once; two servers have to receive every packet. A line with what was compared. Without a key it is asked for
    in the box."""
    work = Path(work)
    sent = clip(work / "sent.flv", seconds)
    key = key or box.run(f"{RUN_IN_IT} show-key").strip()
    servers = [Server(work, name) for name in ("one", "two")]
    ids = []
    try:
        for server, name in zip(servers, ("one", "two")):
            status, _, body = box.request("POST", "/api/v1/destinations", {
                "name": name, "platform": "custom", "url": server.url(), "key": f"key-{name}", "enabled": True,
                "allowLocal": True}, {"Cookie": cookie})
            if status != 201:
                raise BoxError(f"a destination was answered with {status}: {body}")
            ids.append(body["id"])
        subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-re", "-i", sent, "-map", "0", "-c", "copy", "-f", "flv",
                        f"rtmp://127.0.0.1:{box.ports['rtmp']}/live/{key}"], check=True, timeout=(seconds * 6 + 60) * PATIENCE)
        for server in servers:
            server.end(40)
        want = packets(sent)
        for server in servers:
            got = packets(server.file)
            if got != want:
                counts = [{k: len(v) for k, v in streams.items()} for streams in (want, got)]
                raise BoxError(f"{server.file}: sent {counts[0]}, received {counts[1]}: not the same packets")
        return f"{sum(map(len, want.values()))} packets at each of two servers, all the same"
    finally:
        for server in servers:
            if server.process.poll() is None:
                server.process.kill()
                server.process.wait()
            server.log.close()
        for id in ids:
            box.request("DELETE", f"/api/v1/destinations/{id}", None, {"Cookie": cookie})


def wait_for(what, condition, timeout):
    timeout *= PATIENCE
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        if (value := condition()):
            return value
        time.sleep(1)
    raise BoxError(f"{what}: not within {timeout:.0f} s")
