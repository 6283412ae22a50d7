# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that updates/container.yml writes for podman and docker."""

from __future__ import annotations

import json
import pathlib
import typing as t

import yaml
from support.playbooks import REPOSITORY, played

ROLE = REPOSITORY / "roles" / "rollout"
CONTAINER = {
    "name": "shop",
    "image": "registry.example.com/shop:2.0.0",
    "ports": ["8080:8080"],
    "volumes": ["/srv/shop:/data:ro"],
    "environment": {"GREETING": 'say "100%"', "PRICE": "5$", "PORT": 8080, "DEBUG": True},
    "command": ["serve", "--name", "a $shop", "--port", 8080],
    "stop_timeout": 20,
}
OPTIONS = {"User": 65534, "Secret": ["key", "password"]}


def written(folder: pathlib.Path, template: str, **settings: t.Any) -> str:
    """The file as the step writes it."""
    source = {"src": str(ROLE / "templates" / template), "dest": str(folder / "written"), "mode": "0600"}
    given = {"rollout_service": "shop", "rollout_container": {**CONTAINER, **settings}}
    play = {"vars_files": [str(ROLE / "vars" / "main.yml")], "tasks": [{"ansible.builtin.template": source}]}
    code, output = played(folder, play, "-e", json.dumps(given))
    assert code == 0, output
    return (folder / "written").read_text()


def test_the_quadlet_has_every_setting(tmp_path: pathlib.Path) -> None:
    assert written(tmp_path, "container.quadlet.j2", network="host", options=OPTIONS) == (
        """\
# Written by steady.rollout for shop: the next rollout overwrites manual changes.
[Unit]
Description=shop
After=network-online.target
Wants=network-online.target
# However often a bad image fails, the next start is obeyed.
StartLimitIntervalSec=0

[Container]
ContainerName=shop
Image=registry.example.com/shop:2.0.0
Pull=never
PublishPort=8080:8080
Volume=/srv/shop:/data:ro
Environment="GREETING=say \\"100%%\\""
Environment="PRICE=5$$"
Environment="PORT=8080"
Environment="DEBUG=True"
Network=host
Exec=serve --name 'a $$shop' --port 8080
User=65534
Secret=key
Secret=password
# Podman itself would kill it after 10 s.
PodmanArgs=--stop-timeout=20

[Service]
Restart=always
RestartSec=1
# Beside that, for what Podman has to remove.
TimeoutStopSec=20s 10s

[Install]
WantedBy=multi-user.target
"""
    )


def test_the_compose_file_has_every_setting(tmp_path: pathlib.Path) -> None:
    service = yaml.safe_load(written(tmp_path, "container.compose.j2", options={"user": "65534"}))["services"]["shop"]
    assert service == {
        "image": "registry.example.com/shop:2.0.0",
        "container_name": "shop",
        "restart": "always",
        "pull_policy": "never",
        "ports": ["8080:8080"],
        "volumes": ["/srv/shop:/data:ro"],
        "environment": {"GREETING": 'say "100%"', "PRICE": "5$$", "PORT": "8080", "DEBUG": "True"},
        "network_mode": "bridge",
        "command": ["serve", "--name", "a $$shop", "--port", "8080"],
        "stop_grace_period": "20s",
        "user": "65534",
    }
