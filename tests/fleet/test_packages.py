# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users see no failure while the service itself is a package that apt installs, forward and back."""

from __future__ import annotations

import base64
import json
import pathlib

import pytest
from fleet.world.rolling import Rolling
from fleet.world.shop import Shop
from support.background import Background

SHOP = pathlib.Path(__file__).resolve().parents[2] / "examples" / "shop"
PLACE = "/root/shop-packages"
BUILD = f"""
set -e
tree={PLACE}/$1
mkdir -p $tree/DEBIAN $tree/usr/lib/steady-shop
printf 'Package: steady-shop\\nVersion: %s-1\\nArchitecture: all\\nMaintainer: x <x@example.org>\\nDescription: x\\n' "$1" > $tree/DEBIAN/control
cp /opt/shop/current/*.py $tree/usr/lib/steady-shop/
echo "$1" > $tree/usr/lib/steady-shop/VERSION
printf %s "$2" | base64 -d > $tree/usr/lib/steady-shop/behaviour.json
dpkg-deb --build $tree {PLACE}/steady-shop_$1.deb > /dev/null
(cd {PLACE}; for deb in *.deb; do
    dpkg-deb --field $deb; echo "Filename: ./$deb"; echo "Size: $(stat -c %s $deb)"; echo "SHA256: $(sha256sum $deb | cut -d' ' -f1)"; echo
done > Packages)
rm -f /etc/apt/sources.list /etc/apt/sources.list.d/*
echo 'deb [trusted=yes] file:{PLACE} ./' > /etc/apt/sources.list
"""
IN_USE = f"""
set -e
dpkg -i {PLACE}/steady-shop_1.0.0.deb > /dev/null
rm -f /opt/shop/current; ln -s /usr/lib/steady-shop /opt/shop/current
systemctl restart shop
"""
GONE = f"dpkg --purge steady-shop > /dev/null; rm -rf {PLACE}"
INSTALLED = "dpkg-query -W -f '${Version}' steady-shop"
STEP = {
    "rollout_artifact": "",
    "rollout_update_tasks": "updates/package.yml",
    "rollout_package": {"name": "steady-shop", "version": "{{ rollout_target.version }}-1"},
}


def package(shop: Shop, version: str, **behaviour: str) -> None:
    encoded = base64.b64encode(json.dumps(behaviour).encode()).decode()
    for app in shop.apps:
        shop.lab.run(app, ["sh", "-c", BUILD, "sh", version, encoded])


@pytest.mark.long
def test_a_package_goes_forward_and_a_bad_one_is_rolled_back(shop: Shop, rolling: Rolling, users: Background) -> None:
    for version in ("1.0.0", "2.0.0"):
        package(shop, version)
    package(shop, "3.0.0", health="broken")
    # One at a time: two hosts in service are enough for the users meanwhile.
    for app in shop.apps:
        shop.drain(app)
        shop.lab.run(app, ["sh", "-c", IN_USE])
        shop.await_that(lambda app=app: shop.versions()[app] == "1.0.0")
        shop.undrain(app)
    try:
        ended = rolling.run("2.0.0", **STEP)
        assert (ended.exit_code, ended.last_line) == (0, "shop: all 6 hosts are in service on 2.0.0."), ended.output
        assert set(shop.on_each(INSTALLED).values()) == {"2.0.0-1"}
        before = shop.starts()
        again = rolling.run("2.0.0", **STEP)
        assert again.said("shop: nothing to do for 2.0.0, 6 hosts are already on it"), again.output
        assert shop.starts() == before
        bad = rolling.run("3.0.0", **STEP)
        assert bad.exit_code == 2, bad.output
        assert bad.said("is marked bad"), bad.output
        assert set(shop.on_each(INSTALLED).values()) == {"2.0.0-1"}
        assert shop.all_on("2.0.0")
        shop.await_all_in_rotation()
        assert users.stop()["failed"] == 0
    finally:
        shop.on_each(GONE)
