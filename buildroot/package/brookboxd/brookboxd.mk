################################################################################
#
# brookboxd
#
################################################################################

# The folder is what source.sh makes of a commit; its file VERSION names it.
BROOKBOXD_SITE = $(BR2_EXTERNAL_BROOKBOX_PATH)/../build/buildroot/source
BROOKBOXD_SITE_METHOD = local
BROOKBOXD_VERSION = $(shell cat $(BROOKBOXD_SITE)/VERSION 2>/dev/null || echo unknown)
BROOKBOXD_LICENSE = Apache-2.0 or MIT
BROOKBOXD_LICENSE_FILES = LICENSE-APACHE LICENSE-MIT
BROOKBOXD_CARGO_BUILD_OPTS = --package brookboxd
BROOKBOXD_DEPENDENCIES = systemd

# Buildroot vendors the crates of what it downloads, and not of a local folder.
define BROOKBOXD_CHECK_SOURCE
	test -d $(@D)/VENDOR -a -f $(@D)/web/dist/index.html || { \
		echo "brookboxd: run buildroot/source.sh first" >&2; \
		exit 1; \
	}
endef
BROOKBOXD_PRE_CONFIGURE_HOOKS += BROOKBOXD_CHECK_SOURCE

# Daemon, page, unit and user, as on a plain Debian; the appliance's own files
# are added by post-build.sh.
define BROOKBOXD_INSTALL_TARGET_CMDS
	DESTDIR=$(TARGET_DIR) PREFIX=/usr \
		DAEMON=$(@D)/target/$(RUSTC_TARGET_NAME)/$(if $(BR2_ENABLE_DEBUG),debug,release)/brookboxd \
		PAGE=$(@D)/web/dist \
		$(@D)/systemd/install.sh install
endef

$(eval $(cargo-package))
