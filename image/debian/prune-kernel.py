#!/usr/bin/env python3
"""Takes from unpacked kernel and firmware packages what a relay can use.

Modules: all but the dropped ones, plus the kept names, plus whatever those depend on; stored uncompressed, because the
root file system compresses them together. Firmware: what the remaining modules name, but for dropped patterns; of Intel's Wi-Fi, which numbers its
files by interface version, the newest that a module takes.
"""

import argparse
import fnmatch
import lzma
import os
import re
import shutil
import subprocess
from pathlib import Path


def lines(path):
    return [line.split("#")[0].strip() for line in path.read_text().splitlines() if line.split("#")[0].strip()]


def module_name(path):
    return re.sub(r"\.ko(\.\w+)?$", "", os.path.basename(path)).replace("-", "_")


def choose_modules(tree, drop, keep):
    """The paths, relative to `tree`, of the modules that stay."""
    depends = {}
    for line in (tree / "modules.dep").read_text().splitlines():
        path, _, rest = line.partition(":")
        depends[path] = rest.split()
    # A folder, or one module in it; what is kept is also told by its name alone.
    below = lambda lines: tuple(f"kernel/{name}{end}" for name in lines for end in ("/", ".ko"))
    dropped, kept = below(drop), below(name for name in keep if "/" in name)
    names = {name.replace("-", "_") for name in keep}
    wanted = [path for path in depends
              if not path.startswith(dropped) or path.startswith(kept) or module_name(path) in names]
    chosen = set()
    while wanted:
        path = wanted.pop()
        if path not in chosen:
            chosen.add(path)
            wanted.extend(depends[path])
    return chosen


def copy_modules(tree, chosen, into):
    for path in sorted(chosen):
        target = into / re.sub(r"\.xz$", "", path)
        target.parent.mkdir(parents=True, exist_ok=True)
        data = (tree / path).read_bytes()
        target.write_bytes(lzma.decompress(data) if path.endswith(".xz") else data)
        target.chmod(0o644)
    for name in ("modules.builtin", "modules.builtin.modinfo", "modules.order"):
        shutil.copy(tree / name, into / name)


def firmware_named(modules):
    """Every firmware name, or pattern, that the modules carry (.modinfo section), read without a process for each."""
    names = set()
    for path in modules:
        for match in re.finditer(rb"\0firmware=([^\0]+)\0", path.read_bytes().replace(b"\0", b"\0\0")):
            names.add(match.group(1).decode())
    return names


def choose_firmware(tree, names, drop, keep):
    """The files and links, relative to `tree`, that the names lead to."""
    there = {str(p.relative_to(tree)) for p in tree.rglob("*") if p.is_file() or p.is_symlink()}
    match = lambda path, patterns: any(fnmatch.fnmatch(path, pattern) for pattern in patterns)
    there = {p for p in there if not match(p, drop) or match(p, keep)}
    chosen = set()
    for name in names:
        hits = fnmatch.filter(there, name) if any(c in name for c in "*?[") else [name] if name in there else []
        if not hits and (versioned := re.fullmatch(r"(.*iwlwifi-.*-)(\d+)\.ucode", name)):
            prefix, newest = versioned.group(1), int(versioned.group(2))
            older = [(int(m.group(1)), p) for p in there
                     if (m := re.fullmatch(re.escape(prefix) + r"(\d+)\.ucode", p)) and int(m.group(1)) <= newest]
            hits = [max(older)[1]] if older else []
        chosen.update(hits)
    # Intel's calibration files go with the firmware of the same device; Broadcom's board files with its chips.
    for path in list(chosen):
        if match := re.fullmatch(r"(.*iwlwifi-.*)-\d+\.ucode", path):
            chosen.update(p for p in there if p == match.group(1) + ".pnvm")
    chosen.update(p for p in there if p.startswith("regulatory.db") and p.endswith("-debian"))
    for path in list(chosen):
        while (tree / path).is_symlink():
            path = os.path.normpath(os.path.join(os.path.dirname(path), os.readlink(tree / path)))
            if path not in there:
                break
            chosen.add(path)
    return chosen


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("unpacked", "into"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    for name in ("drop-modules", "keep-modules", "drop-firmware", "keep-firmware"):
        parser.add_argument(f"--{name}", type=Path, action="append", default=[], metavar="LIST")
    args = parser.parse_args()
    listed = lambda paths: [line for path in paths for line in lines(path)]
    usr = args.unpacked / "usr/lib"
    version = next((usr / "modules").iterdir()).name
    modules = args.into / "usr/lib/modules" / version
    modules.mkdir(parents=True)

    # Unpacked kernels come without an index of dependencies.
    (args.unpacked / "lib").exists() or (args.unpacked / "lib").symlink_to("usr/lib")
    subprocess.run(["depmod", "-b", args.unpacked, version], check=True)
    chosen = choose_modules(usr / "modules" / version, listed(args.drop_modules), listed(args.keep_modules))
    copy_modules(usr / "modules" / version, chosen, modules)
    (args.into / "lib").symlink_to("usr/lib")
    subprocess.run(["depmod", "-b", args.into, version], check=True)
    (args.into / "lib").unlink()

    firmware = usr / "firmware"
    names = firmware_named(modules.rglob("*.ko"))
    count = 0
    for path in sorted(choose_firmware(firmware, names, listed(args.drop_firmware), listed(args.keep_firmware))):
        target = args.into / "usr/lib/firmware" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if (firmware / path).is_symlink():
            target.symlink_to(os.readlink(firmware / path))
        else:
            shutil.copyfile(firmware / path, target)
            count += 1
    # The package's scripts, which do not run here, choose the list of radio rules that Debian's kernel accepts the signature of.
    for name in ("regulatory.db", "regulatory.db.p7s"):
        link = args.into / "usr/lib/firmware" / name
        if link.with_name(f"{name}-debian").exists():
            link.symlink_to(f"{name}-debian")
    # Newer packages keep the kernel beside its modules.
    places = [args.unpacked / "boot" / f"vmlinuz-{version}", usr / "modules" / version / "vmlinuz"]
    shutil.copy(next(place for place in places if place.exists()), args.into / "vmlinuz")
    (args.into / "version").write_text(version + "\n")
    size = lambda top: sum(p.lstat().st_size for p in top.rglob("*") if p.is_file() and not p.is_symlink()) / 1e6
    (args.into / "summary").write_text(
        f"Linux {version}, {len(chosen)} modules ({size(modules):.0f} MB), "
        f"{count} firmware files ({size(args.into / 'usr/lib/firmware'):.0f} MB)\n")


main()
