# shellcheck shell=bash disable=SC2034
# Any x86-64 machine with UEFI: N100, N95 and the like. Read by image/build.sh.
ARCH=amd64
LOADER=grub
COMPATIBLE=brookbox-pc
DESCRIPTION="any PC with a 64-bit Intel or AMD processor and UEFI (N100, N95, …)"
SUITE=trixie
KERNEL_PACKAGE=linux-image-amd64
# The boot chain as Debian signs it: shim, GRUB, kernel.
BOOT_PACKAGES=(shim-signed grub-efi-amd64-signed)
EFI_NAME=x64
# Networks and graphics; of each only what the kept kernel modules name.
FIRMWARE=(firmware-iwlwifi firmware-realtek firmware-atheros firmware-mediatek firmware-brcm80211 firmware-misc-nonfree
  firmware-intel-graphics firmware-intel-misc firmware-amd-graphics wireless-regdb)
PACKAGES=()
CONSOLE="console=ttyS0,115200 console=tty0"
# MiB. A root may grow to twice what it is now before a box has to be flashed again.
ESP_MB=40 FAT_MB=32 BOOT_MB=64 ROOT_MB=384 CONFIG_MB=32 DATA_MB=64
# In the initial file system: what any of these machines keeps its disk on, and the disk's own.
DISK_MODULES=(nvme ahci sd_mod usb-storage uas xhci-pci ehci-pci virtio_blk virtio_pci virtio_scsi mmc_block sdhci-pci
  sdhci-acpi vmd)
