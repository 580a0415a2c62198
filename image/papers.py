#!/usr/bin/env python3
"""The bill of materials (CycloneDX 1.6) and the licences of everything in an image: the packages of its root file system, the
daemon's crates, the page's npm packages."""

import argparse
import csv
import hashlib
import json
import os
import re
import uuid
from datetime import datetime, timezone
from pathlib import Path
from urllib.parse import quote


def stanzas(path):
    """The paragraphs of a Debian control file."""
    for block in path.read_text().split("\n\n"):
        fields = dict(re.findall(r"^([A-Za-z-]+): *(.*)$", block, re.M))
        if "Package" in fields:
            yield fields


def buildroot(papers):
    """What Buildroot built for the target, named NAME-VERSION; licences where its own papers were made (legal-info)."""
    licences = {}
    if (papers / "manifest.csv").exists():
        with (papers / "manifest.csv").open(newline="") as file:
            licences = {row["PACKAGE"]: row["LICENSE"] for row in csv.DictReader(file)}
    for line in (papers / "buildroot").read_text().split():
        name, _, version = line.rpartition("-")
        yield {
            "type": "library", "name": name or line, "version": version,
            "purl": f"pkg:generic/{quote(name or line)}@{quote(version)}",
            "licenses": [{"license": {"name": licences.get(name, "see Buildroot's legal-info")}}],
        }


def system(papers):
    """The packages of the root file system, whoever made it."""
    return debian(papers) if (papers / "dpkg-status").exists() else buildroot(papers)


def debian(papers):
    """Installed packages and unpacked ones, which dpkg knows nothing of."""
    seen = {}
    for fields in [*stanzas(papers / "dpkg-status"), *stanzas(papers / "unpacked")]:
        name, version, arch = fields["Package"], fields["Version"], fields["Architecture"]
        source = fields.get("Source", name)
        match = re.fullmatch(r"(\S+)(?: \((.+)\))?", source)
        seen[name] = {
            "type": "library", "name": name, "version": version,
            "purl": f"pkg:deb/debian/{quote(name)}@{quote(version)}?arch={arch}&distro=debian-13",
            "properties": [{"name": "debian:source", "value": f"{match[1]} {match[2] or version}"}],
            "licenses": [{"license": {"name": f"see {name} in the list of licences"}}],
        }
    return [seen[name] for name in sorted(seen)]


def crates(papers):
    """The crates that are linked into the daemon: reached from it by normal dependencies."""
    metadata = json.loads((papers / "cargo.json").read_text())
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    todo = [id for id, package in packages.items() if package["name"] == "brookboxd"]
    reached = set()
    while todo:
        id = todo.pop()
        if id not in reached:
            reached.add(id)
            todo += [dep["pkg"] for dep in nodes[id]["deps"] if any(kind["kind"] is None for kind in dep["dep_kinds"])]
    for package in sorted((packages[id] for id in reached), key=lambda p: (p["name"], p["version"])):
        component = {"type": "library", "name": package["name"], "version": package["version"],
                     "licenses": [{"expression": (package["license"] or "NOASSERTION").replace("/", " OR ")}]}
        if package["source"]:
            component["purl"] = f"pkg:cargo/{package['name']}@{package['version']}"
        yield component


def npm(lock):
    """What the built page was made from."""
    for path, package in sorted(json.loads(lock.read_text())["packages"].items()):
        if path and not package.get("link") and not package.get("optional"):
            name = path.rpartition("node_modules/")[2]
            component = {"type": "library", "name": name, "version": package["version"],
                         "purl": f"pkg:npm/{quote(name, safe='/')}@{package['version']}",
                         "scope": "excluded" if package.get("dev") else "required"}
            if package.get("license"):
                component["licenses"] = [{"expression": package["license"]}]
            yield component


def licences(papers, components):
    """Debian's copyright files, each text once, then the rest by name."""
    texts = {}
    for path in sorted(papers.glob("*/copyright")):
        text = path.read_text(errors="replace")
        texts.setdefault(hashlib.sha256(text.encode()).hexdigest(), (text, []))[1].append(path.parent.name)
    yield "Licences of what is in this image. Texts that many packages refer to are at the end.\n"
    for component in components:
        if component.get("purl", "").startswith("pkg:deb/") or component.get("scope") == "excluded":
            continue
        terms = ", ".join(l.get("expression") or l["license"]["name"] for l in component.get("licenses", [])) or "not stated"
        yield f"{component['name']} {component['version']}: {terms}\n"
    for text, names in texts.values():
        yield f"\n{'=' * 78}\n{', '.join(names)}\n{'=' * 78}\n{text}\n"
    for path in sorted((papers / "common-licenses").iterdir()):
        yield f"\n{'=' * 78}\n/usr/share/common-licenses/{path.name}\n{'=' * 78}\n{path.read_text(errors='replace')}\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("papers", "npm", "bom", "licences"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    for name in ("version", "board"):
        parser.add_argument(f"--{name}", required=True)
    args = parser.parse_args()
    components = [*system(args.papers), *crates(args.papers), *npm(args.npm)]
    name = f"brookbox-{args.board}"
    time = datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), timezone.utc)
    body = json.dumps(components, sort_keys=True)
    bom = {
        "bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, name + args.version + body)}",
        "metadata": {"timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ"),
                     "component": {"type": "operating-system", "name": name, "version": args.version}},
        "components": components,
    }
    args.bom.write_text(json.dumps(bom, indent=1) + "\n")
    args.licences.write_text("".join(licences(args.papers, components)))


main()
