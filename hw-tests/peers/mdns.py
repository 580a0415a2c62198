"""A real mDNS client (python-zeroconf), as a program of one question.

resolve NAME SECONDS [ADDRESS]   asks for NAME until it has an address (this ADDRESS), prints the time it took and all it has
browse TYPE SECONDS              prints what comes and goes: a JSON object a line
"""

import json
import sys
import time

from zeroconf import DNSOutgoing, DNSQuestion, IPVersion, ServiceBrowser, Zeroconf

A, AAAA, IN, QUERY = 1, 28, 1, 0
BEGUN = time.monotonic()


def resolve(zeroconf, name, seconds, wanted=None):
    while time.monotonic() - BEGUN < float(seconds):
        query = DNSOutgoing(QUERY)
        for kind in (A, AAAA):
            query.add_question(DNSQuestion(name + ".", kind, IN))
        zeroconf.send(query)
        asked = time.monotonic()
        while time.monotonic() - asked < 0.5:
            time.sleep(0.02)
            entries = zeroconf.cache.entries_with_name(name + ".")
            found = sorted({text(entry.address) for entry in entries if entry.type in (A, AAAA)})
            if found and (wanted is None or wanted in found):
                # The other family's answer may be on its way.
                time.sleep(0.2)
                entries = zeroconf.cache.entries_with_name(name + ".")
                found = sorted({text(entry.address) for entry in entries if entry.type in (A, AAAA)})
                print(json.dumps({"seconds": time.monotonic() - BEGUN - 0.2, "addresses": found}))
                return
    sys.exit(f"no address of {name} in {seconds} s")


def text(address):
    import socket

    return socket.inet_ntop(socket.AF_INET if len(address) == 4 else socket.AF_INET6, address)


class Listener:
    def add_service(self, zeroconf, kind, name):
        self.tell(zeroconf, "came", kind, name)

    def update_service(self, zeroconf, kind, name):
        self.tell(zeroconf, "changed", kind, name)

    def remove_service(self, zeroconf, kind, name):
        print(json.dumps({"what": "went", "name": name, "seconds": time.monotonic() - BEGUN}), flush=True)

    def tell(self, zeroconf, what, kind, name):
        info = zeroconf.get_service_info(kind, name, 3000)
        about = {"what": what, "name": name, "seconds": time.monotonic() - BEGUN}
        if info:
            about |= {"host": info.server, "port": info.port, "addresses": sorted(info.parsed_addresses())}
            about["txt"] = {key.decode(): value.decode() for key, value in info.properties.items()}
        print(json.dumps(about), flush=True)


def main():
    zeroconf = Zeroconf(ip_version=IPVersion.All)
    try:
        if sys.argv[1] == "resolve":
            resolve(zeroconf, *sys.argv[2:])
        else:
            ServiceBrowser(zeroconf, sys.argv[2] + ".local.", Listener())
            time.sleep(float(sys.argv[3]))
    finally:
        zeroconf.close()


main()
