################################################################################
#
# libsrt
#
################################################################################

LIBSRT_VERSION = 1.5.4
LIBSRT_SITE = $(call github,Haivision,srt,v$(LIBSRT_VERSION))
LIBSRT_LICENSE = MPL-2.0
LIBSRT_LICENSE_FILES = LICENSE
LIBSRT_CPE_ID_VENDOR = haivision
LIBSRT_CPE_ID_PRODUCT = srt
LIBSRT_INSTALL_STAGING = YES
LIBSRT_DEPENDENCIES = host-pkgconf openssl
# It asks for CMake 2.8, which CMake 4 no longer knows.
LIBSRT_CONF_OPTS = \
	-DCMAKE_POLICY_VERSION_MINIMUM=3.5 \
	-DENABLE_APPS=OFF \
	-DENABLE_CXX11=ON \
	-DENABLE_ENCRYPTION=ON \
	-DENABLE_STATIC=OFF \
	-DUSE_ENCLIB=openssl-evp

$(eval $(cmake-package))
