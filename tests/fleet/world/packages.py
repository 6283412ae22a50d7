# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A repository of packages on a host itself, whose newer version may ask for a reboot."""

from __future__ import annotations

REPOSITORY = "/root/packages"
BUILD = f"""
set -e
mkdir -p {REPOSITORY}/tree/DEBIAN
printf 'Package: steady-patch\\nVersion: %s\\nArchitecture: all\\nMaintainer: x <x@example.org>\\nDescription: x\\n' "$1" \
    > {REPOSITORY}/tree/DEBIAN/control
if [ "$2" = reboot ]; then
    printf '#!/bin/sh\\necho steady-patch > /run/reboot-required.pkgs; touch /run/reboot-required\\n' > {REPOSITORY}/tree/DEBIAN/postinst
    chmod 755 {REPOSITORY}/tree/DEBIAN/postinst
fi
dpkg-deb --build {REPOSITORY}/tree {REPOSITORY}/steady-patch.deb > /dev/null
size=$(stat -c %s {REPOSITORY}/steady-patch.deb) sum=$(sha256sum {REPOSITORY}/steady-patch.deb | cut -d' ' -f1)
{{ sed '/^$/d' {REPOSITORY}/tree/DEBIAN/control; echo "Filename: ./steady-patch.deb"; echo "Size: $size"; echo "SHA256: $sum"; }} \
    > {REPOSITORY}/Packages
rm -f /etc/apt/sources.list /etc/apt/sources.list.d/*
echo 'deb [trusted=yes] file:{REPOSITORY} ./' > /etc/apt/sources.list
"""
INSTALLED = f"dpkg -i {REPOSITORY}/steady-patch.deb > /dev/null; rm -f /run/reboot-required /run/reboot-required.pkgs"
VERSION = "dpkg-query -W -f '${Version}' steady-patch"
