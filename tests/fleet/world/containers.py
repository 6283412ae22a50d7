# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A registry with images of the shop on a balancer's host, and app hosts that run the shop by Podman or by Docker."""

from __future__ import annotations

import base64
import subprocess
import typing as t

from fleet.lab.files import SERVICE_PORT
from fleet.lab.hosts import Lab
from fleet.lab.places import Host
from fleet.world.shop import Shop

SUITE = "trixie"
"""The Podman of Debian 12 has no Quadlet yet."""
PACKAGES = ("podman", "nftables", "docker-registry", "docker.io", "docker-cli", "docker-compose", "iptables")
NAME = "shop-web"
UNIT = f"{NAME}.service"
REGISTRY = Host("lb", 1)
PORT = 5000
IMAGE = f"{REGISTRY.address}:{PORT}/shop"
GREETING = """100% of $HOME "quoted" \\ 'all' of it"""

CLIENT = f"""
set -e
mkdir -p /etc/containers/registries.conf.d /etc/containers/containers.conf.d /etc/docker
printf '[[registry]]\\nlocation = "{REGISTRY.address}:{PORT}"\\ninsecure = true\\n' > /etc/containers/registries.conf.d/lab.conf
# The hosts of the lab have no controller of the number of processes.
printf '[containers]\\npids_limit = 0\\n' > /etc/containers/containers.conf.d/lab.conf
echo '{{"data-root": "/var/lib/containers/docker", "insecure-registries": ["{REGISTRY.address}:{PORT}"]}}' > /etc/docker/daemon.json
"""
SERVER = f"""
cat > /etc/docker/registry/config.yml <<END
version: 0.1
storage: {{filesystem: {{rootdirectory: /var/lib/docker-registry}}}}
http: {{addr: ":{PORT}"}}
END
systemctl restart docker-registry
until curl --silent --fail http://127.0.0.1:{PORT}/v2/ > /dev/null; do sleep 0.1; done
"""
PYTHON = """
mkdir -p /root/image/python/usr
cd /root/image/python
for link in bin lib lib64; do ln -s usr/$link $link; done
libraries=$(ldd /usr/bin/python3 /usr/lib/python3.*/lib-dynload/*.so | grep -o '/lib[^ :]*[.]so[^ :]*' | grep -v lib-dynload | sort -u)
cp -L --parents $(printf '/usr%s ' $libraries) /usr/bin/python3 .
cp -a --parents /usr/lib/python3* .
printf 'FROM scratch\\nCOPY . /\\n' > ../Containerfile
podman build --quiet --tag python --file ../Containerfile .
"""
"""The host's own Python, and what it is linked with, as an image."""
PUSH = f"""
set -e
mkdir -p /root/image/$1
cd /root/image/$1
printf %s "$2" | base64 -d | tar -xz
printf 'FROM localhost/python\\nCOPY . /shop\\n' > ../Containerfile
podman build --quiet --tag {IMAGE}:$1 --file ../Containerfile .
podman push --quiet {IMAGE}:$1
"""
GONE = f"""
systemctl stop {UNIT}
rm -f /etc/containers/systemd/{NAME}.container
systemctl daemon-reload
systemctl reset-failed
podman image rm --all --force
if systemctl is-active --quiet docker; then
    docker container rm --force {NAME}
    docker image prune --all --force
    systemctl stop docker.socket docker containerd
fi
rm -rf /var/lib/steady-rollout /etc/steady-rollout
"""
SETTINGS: dict[str, t.Any] = {
    "rollout_min_available": "50%",
    "rollout_artifact": "",
    "rollout_unit": UNIT,
    "rollout_before_drain_tasks": "updates/container_pull.yml",
    "rollout_update_tasks": "updates/container.yml",
    "rollout_container": {
        "name": NAME,
        "image": f"{IMAGE}:{{{{ rollout_target.version }}}}",
        "ports": [f"{SERVICE_PORT}:{SERVICE_PORT}"],
        "volumes": ["/etc/machine-id:/etc/machine-id:ro"],
        "environment": {"GREETING": GREETING},
        "options": {"User": "65534", "EnvironmentFile": ["/etc/default/ssh"]},
        "stop_timeout": 15,
        "command": ["python3", "/shop/app.py", "--host", "0.0.0.0", "--port", SERVICE_PORT, "--name", "{{ inventory_hostname }}"],
    },
}  # fmt: skip


DOCKER: dict[str, t.Any] = {
    **SETTINGS,
    "rollout_unit": "",
    "rollout_container": {**SETTINGS["rollout_container"], "engine": "docker", "options": {"user": "65534"}},
}
BY_ENGINE = {"podman": SETTINGS, "docker": DOCKER}


class Images:
    """The registry, and what can be pulled from it."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    def start(self) -> None:
        for host in self._lab.hosts:
            self._sh(host.name, CLIENT)
        self._sh(REGISTRY.name, f"set -e\n{SERVER}\n{PYTHON}")

    def push(self, version: str, **behaviour: t.Any) -> None:
        self._lab.add_release(version, behaviour)
        archive = (self._lab.releases / f"shop-{version}.tar.gz").read_bytes()
        self._sh(REGISTRY.name, PUSH, version, base64.b64encode(archive).decode())

    def _sh(self, host: str, script: str, *words: str) -> subprocess.CompletedProcess[str]:
        return self._lab.run(host, ["sh", "-c", script, "sh", *words])


def running(shop: Shop, engine: str) -> dict[str, str]:
    """The version of the image that the container of each app host was created from."""
    ask = f"{engine} container inspect --format '{{{{.Config.Image}}}}' {NAME}"
    return {app: said.strip().rpartition(":")[2] for app, said in shop.on_each(ask).items()}
