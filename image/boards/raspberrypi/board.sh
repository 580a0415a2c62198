# shellcheck shell=bash disable=SC2034
# Raspberry Pi 4, 400, CM4 and 5; a Pi 3 with what its firmware lacks (see image/README.md). One image for all of them.
ARCH=arm64
LOADER=tryboot
COMPATIBLE=brookbox-raspberrypi
DESCRIPTION="Raspberry Pi 4, 400, CM4, 5 and 3"
SUITE=trixie
# The Pi 5's I/O chip, behind which are its network and USB, came to Linux after this release's kernel.
KERNEL_SUITE=trixie-backports
KERNEL_PACKAGE=linux-image-arm64
BOOT_PACKAGES=(raspi-firmware)
FIRMWARE=(firmware-brcm80211 firmware-realtek wireless-regdb)
PACKAGES=()
# The last is where the daemon's screen goes and what /dev/console is.
CONSOLE="console=ttyS1,115200 console=ttyAMA10,115200 console=tty0"
# MiB. A slot's boot partition has the firmware beside a compressed kernel.
FAT_MB=32 BOOT_MB=64 ROOT_MB=384 CONFIG_MB=32 DATA_MB=64
DISK_MODULES=(sdhci-iproc sdhci-brcmstb bcm2835 gpio-regulator fixed irq-bcm2712-mip pinctrl-brcmstb-bcm2712 rp1_pci pinctrl-rp1 clk-rp1 gpio-brcmstb
  reset-raspberrypi xhci-pci xhci-plat-hcd dwc3 dwc2 usb-storage uas sd_mod nvme mmc_block vfat nls_cp437 nls_ascii nls_iso8859-1)
# Where the boot state is, and what changes it.
INITRAMFS_PROGRAMS=(/usr/bin/grub-editenv)
# Device trees by the names that the firmware looks for: its own, where Linux calls them otherwise.
DEVICE_TREES=(bcm2837-rpi-3-b=bcm2710-rpi-3-b bcm2837-rpi-3-b-plus=bcm2710-rpi-3-b-plus bcm2711-rpi-4-b bcm2711-rpi-400
  bcm2711-rpi-cm4-io=bcm2711-rpi-cm4 bcm2712-rpi-5-b bcm2712-d-rpi-5-b=bcm2712d0-rpi-5-b)
