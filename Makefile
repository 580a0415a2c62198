# What a person types. Each target is a thin call; the work is in scripts/.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help run test test-web screenshots bench bench-quick test-obs-enhanced acceptance image image-repro emulate \
  test-image test-arm64 install uninstall clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-20s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## installs what is missing, builds, starts Brookbox and prints where to stream to
	@scripts/run.sh

test: ## every test, with the time of each step
	@scripts/test.sh

test-web: ## the page in five languages, both themes, every size, and in Firefox; a long run
	@scripts/test-web.sh

screenshots: ## every screen in both themes and two sizes into build/screenshots (or SHOTS=folder)
	@scripts/screenshots.sh

acceptance: ## only the acceptance suite; CASES=word picks cases by name
	@scripts/acceptance.sh $(CASES)

bench: ## Brookbox beside nginx-rtmp, FFmpeg and a plain byte copier; a long run, on an idle machine
	@scripts/bench.sh full

bench-quick: ## the same for ten destinations, once; two minutes
	@scripts/bench.sh quick

test-obs-enhanced: ## OBS Studio's own Enhanced RTMP (AV1), from a newer Debian in a chroot; needs root
	@scripts/obs-enhanced.sh

image: ## a flashable image and an update bundle; BOARD=pc, raspberrypi or jetson
	@image/build.sh

image-repro: ## builds the image twice and compares, byte by byte
	@image/repro.sh

emulate: ## boots the PC image in QEMU and prints where its page is; Ctrl-C ends it
	@image/emulate.sh

test-image: ## every test of the built PC image in QEMU; CASES=word picks cases by name
	@image/test.sh $(CASES)

test-arm64: ## the same for the images of the Raspberry Pi and of 64-bit Arm with UEFI, as far as QEMU goes
	@image/test-arm64.sh $(CASES)

install: ## puts brookboxd and its systemd unit on this Debian, or below DESTDIR; needs a build and root
	@systemd/install.sh install

uninstall: ## takes them away again; data stay
	@systemd/install.sh uninstall

clean: ## removes everything that was built
	rm -rf target build web/node_modules web/dist hw-tests/peers/node_modules appliance/fuzz/target
