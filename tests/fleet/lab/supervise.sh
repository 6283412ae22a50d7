#!/bin/sh
# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# One host of the lab from power-on to power-off: supervise.sh HOST NETNS BASE DIRECTORY CGROUP
# Runs in a mount namespace of its own, so whatever it mounts is gone with its last process.
set -eu
host=$1 netns=$2 base=$3 directory=$4 cgroup=$5
restart_wanted=133

# systemd inside wants the unified hierarchy alone; a machine in hybrid mode has others mounted there.
[ "$(stat -f -c %T /sys/fs/cgroup)" = cgroup2fs ] || mount -t cgroup2 cgroup2 /sys/fs/cgroup
if [ ! -d /run/systemd/system ]; then
    mkdir -p "/sys/fs/cgroup/$cgroup"
    echo $$ >"/sys/fs/cgroup/$cgroup/cgroup.procs"
    # systemd-nspawn keeps locks there; on this machine they are nobody else's business.
    mkdir -p /run/systemd
    mount -t tmpfs -o mode=755 tmpfs /run/systemd
fi

mount -t overlay overlay -o "lowerdir=$base,upperdir=$directory/upper,workdir=$directory/work" "$directory/root"
set --
if [ -e "$directory/shop.img" ]; then
    mount -o loop,noatime "$directory/shop.img" "$directory/shop"
    set -- --bind="$directory/shop:/opt/shop"
fi
# What Podman keeps must not lie on an overlay, as the root does.
set -- "$@" --bind="$directory/containers:/var/lib/containers"

# A host rules its own network, devices and keyrings, as Podman does on a machine.
export SYSTEMD_NSPAWN_API_VFS_WRITABLE=network
status=$restart_wanted
while [ "$status" = "$restart_wanted" ]; do
    status=0
    systemd-nspawn --quiet --boot --directory="$directory/root" --machine="$host" --hostname="$host" \
        --capability=CAP_NET_ADMIN --system-call-filter="bpf @keyring" \
        --network-namespace-path="/run/netns/$netns" --register=no --keep-unit --link-journal=no \
        --resolv-conf=off --timezone=off --console=read-only "$@" </dev/null || status=$?
done
