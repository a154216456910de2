#!/usr/bin/env bash
# Runs a command on two hosts that this machine pretends to be: two network namespaces and a cable
# between them. The command is one word for bash; NODE, HERE and FIRST are its host's number, its
# address and the first host's. Needs user namespaces, no privileges; exit code 77 where it has none.
set -euo pipefail

if [ "${TWO_HOSTS:-}" != inside ]; then
    unshare --user --map-root-user --mount --net true 2>/dev/null || exit 77
    TWO_HOSTS=inside exec unshare --user --map-root-user --mount --net "$0" "$@"
fi

{
    mount -t tmpfs none /run
    mkdir /run/netns
    ip netns add host0
    ip netns add host1
    ip link add wire0 netns host0 type veth peer name wire1 netns host1
} 2>/dev/null || exit 77

for node in 0 1; do
    ip -n host$node address add 10.77.0.$((node + 1))/24 dev wire$node
    ip -n host$node link set wire$node up
    ip -n host$node link set lo up
done
hosts=()
for node in 0 1; do
    NODE=$node HERE=10.77.0.$((node + 1)) FIRST=10.77.0.1 GLOO_SOCKET_IFNAME=wire$node \
        ip netns exec host$node bash -c "$1" &
    hosts+=($!)
done
code=0
for host in "${hosts[@]}"; do
    wait "$host" || code=$?
done
exit $code
