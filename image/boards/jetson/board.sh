# shellcheck shell=bash disable=SC2034
# 64-bit Arm machines with UEFI: Jetson Orin, and others whose disk and network Debian's kernel knows.
# Debian builds its kernel without the Orin's PCI Express (PCIE_TEGRA194_HOST): with a device tree it sees neither NVMe nor the
# network socket there. ROOTFS=buildroot has it; with Debian's, choose ACPI in the Orin's UEFI menu.
ARCH=arm64
LOADER=grub
COMPATIBLE=brookbox-jetson
DESCRIPTION="Jetson Orin and other 64-bit Arm machines with UEFI"
SUITE=trixie
KERNEL_PACKAGE=linux-image-arm64
BOOT_PACKAGES=(shim-signed grub-efi-arm64-signed)
EFI_NAME=aa64
FIRMWARE=(firmware-realtek firmware-misc-nonfree wireless-regdb)
PACKAGES=()
CONSOLE="console=ttyTCU0,115200 console=ttyAMA0,115200 console=tty0"
# MiB. The kernel is not compressed: GRUB asks the firmware to check the signature of what it starts.
ESP_MB=40 FAT_MB=32 BOOT_MB=96 ROOT_MB=384 CONFIG_MB=32 DATA_MB=64
DISK_MODULES=(nvme ahci ahci_platform sd_mod usb-storage uas xhci-pci xhci-tegra phy-tegra-xusb virtio_blk virtio_pci virtio_mmio
  virtio_scsi mmc_block sdhci-pci sdhci-acpi sdhci-tegra)
