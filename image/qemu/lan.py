#!/usr/bin/env python3
"""Boxes on one network: a bridge in a network name space of this program's own, a DHCP server on it, and mDNS clients that
are not ours. Started by harm.py; prints what it found in its last line."""

import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

from zeroconf import IPVersion, ServiceBrowser, Zeroconf

from box import Box, BoxError
from disk import Disk
from harm import OnAir
from job import claim, wait_for

ROUTER = "10.77.0.1"
MACS = ["52:54:00:77:00:01", "52:54:00:77:00:02"]


def ip(*words):
    subprocess.run(["ip", *words], check=True)


class Lan:
    """A bridge with a cable for each box, and the addresses that its DHCP server gives them."""

    def __init__(self, work):
        self.work, self.server = work, None
        ip("link", "set", "lo", "up")
        ip("link", "add", "lan", "type", "bridge")
        ip("addr", "add", f"{ROUTER}/24", "dev", "lan")
        ip("link", "set", "lan", "up")
        for at in range(len(MACS)):
            ip("tuntap", "add", f"cable{at}", "mode", "tap")
            ip("link", "set", f"cable{at}", "master", "lan", "up")

    def dhcp(self, *addresses):
        """The server, giving each box its address; a server that knows of no other lease."""
        if self.server:
            self.server.terminate()
            self.server.wait()
        hosts = [f"--dhcp-host={mac},{address}" for mac, address in zip(MACS, addresses)]
        self.server = subprocess.Popen(
            ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--interface=lan", "--bind-interfaces",
             "--dhcp-authoritative", "--leasefile-ro", "--user=root", "--pid-file=", f"--dhcp-range=10.77.0.0,static,255.255.255.0,2m",
             f"--dhcp-option=option:router,{ROUTER}", *hosts],
            stdout=(self.work / "dnsmasq.log").open("ab"), stderr=subprocess.STDOUT)

    def box(self, at, image, address):
        folder = self.work / f"box{at}"
        folder.mkdir()
        disk = Disk.copy(image, folder / "disk.img", 2 << 30)
        return Box(disk.path, folder, tap=f"cable{at}", mac=MACS[at], host=address)

    def end(self):
        if self.server:
            self.server.terminate()
            self.server.wait()


class Finder:
    """python-zeroconf, as a client that has just been started: what it finds, without a memory of before."""

    def __init__(self):
        self.zeroconf = Zeroconf(interfaces=[ROUTER], ip_version=IPVersion.V4Only)
        self.found = {}
        self.browser = ServiceBrowser(self.zeroconf, "_brookbox._tcp.local.", handlers=[self._heard])

    def _heard(self, zeroconf, service_type, name, state_change):
        self.found[name] = state_change.name

    def hosts(self):
        """Hosts and their addresses now, asked for again each time."""
        hosts = {}
        for name in list(self.found):
            info = self.zeroconf.get_service_info("_brookbox._tcp.local.", name, 400)
            if info:
                hosts[info.server.rstrip(".")] = info.parsed_addresses(IPVersion.V4Only)
        return hosts

    def end(self):
        self.zeroconf.close()


def resolve(host):
    """Addresses of a name, by a client without any memory: one question to the group (RFC 6762, section 5.1)."""
    name = b"".join(bytes([len(part)]) + part.encode() for part in host.split(".")) + b"\0"
    question = bytes(4) + b"\0\1" + bytes(6) + name + b"\0\1\0\1"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        s.bind(("", 5353))
        s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(ROUTER))
        s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton("224.0.0.251") + socket.inet_aton(ROUTER))
        s.settimeout(0.3)
        s.sendto(question, ("224.0.0.251", 5353))
        end, found = time.monotonic() + 0.3, set()
        while time.monotonic() < end:
            try:
                answer, _ = s.recvfrom(4096)
            except socket.timeout:
                break
            # Its A record: the name, type and class, a time to live that is none for a goodbye, a length of 4, and the address.
            for class_ in (b"\0\1", b"\x80\1"):
                at = answer.find(name + b"\0\1" + class_) + len(name)
                if at >= len(name) and answer[at + 4:at + 8] != bytes(4) and answer[at + 8:at + 10] == b"\0\4":
                    found.add(socket.inet_ntoa(answer[at + 10:at + 14]))
            if found:
                break
        return found


def by_name(host, address):
    return address in resolve(host)


def cable(lan, image):
    """The cable is out for 20 s and the router has given the address to somebody else meanwhile."""
    old, new = "10.77.0.21", "10.77.0.22"
    lan.dhcp(old)
    with lan.box(0, image, old) as box:
        box.wait_ready(600)
        named = time.monotonic()
        wait_fast("the name", lambda: by_name("brookbox.local", old), 10)
        named = time.monotonic() - named
        found = Finder()
        wait_for("python-zeroconf to find it", lambda: found.hosts().get("brookbox.local") == [old], 15)
        found.end()
        with OnAir(box, box.work, claim(box), here=ROUTER, listen=ROUTER) as air:
            air.live(120)
            name = box.request("GET", "/api/v1/setup")[2]["boxName"]
            box.pull_cable()
            lan.dhcp(new)
            time.sleep(20)
            box.pull_cable(False)
            start = time.monotonic()
            wait_fast("the name with the new address", lambda: by_name(f"{name}.local", new), 60)
            there = time.monotonic() - start
            box.host = new
            wait_fast("the page at the new address", lambda: answers(box), 60)
            page = time.monotonic() - start
            air.publisher.command[-1] = air.publisher.command[-1].replace(old, new)
            air.publisher.restart()
            # It takes one connection at a time and does not see that this one's peer has gone; a real server takes the next.
            air.server.restart()
            air.live(180)
            live = time.monotonic() - start
        box.power_off()
    found = (f"name {named:.2f} s after ready; with the cable back and another address: name after {there:.1f} s, "
             f"page after {page:.1f} s, live after {live:.1f} s")
    assert named < 1 and page < 5, found
    return found


def answers(box):
    try:
        return box.request("GET", "/healthz", timeout=2)[0] == 200
    except OSError:
        return False


def wait_fast(what, condition, timeout):
    end = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > end:
            raise BoxError(f"{what}: not within {timeout} s")
        time.sleep(0.1)


def two(lan, image):
    """Two new boxes of the same name: the second one takes another, and both are reached."""
    one, other = "10.77.0.31", "10.77.0.32"
    lan.dhcp(one, other)
    with lan.box(0, image, one) as first:
        first.wait_ready(600)
        with lan.box(1, image, other) as second:
            second.wait_ready(900)
            found = Finder()
            hosts = wait_for("both names", lambda: (h := found.hosts()) if len(found.hosts()) == 2 else None, 30)
            found.end()
            assert hosts == {"brookbox.local": [one], "brookbox-2.local": [other]}, hosts
            for host, address in (("brookbox.local", one), ("brookbox-2.local", other)):
                assert resolve(host) == {address}, (host, resolve(host))
            second.power_off()
            # Its goodbye takes the name away at once, and not the other's.
            assert not resolve("brookbox-2.local") and resolve("brookbox.local") == {one}
        first.power_off()
    return "brookbox.local and brookbox-2.local, each at its own address; a goodbye at switching off"


def main():
    case, image, work = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]) / "lan"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    lan = Lan(work)
    try:
        print({"cable": cable, "two": two}[case](lan, image))
    except (BoxError, AssertionError, OSError) as error:
        sys.exit(f"{type(error).__name__}: {error}")
    finally:
        lan.end()


main()
