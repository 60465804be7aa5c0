# shellcheck shell=bash disable=SC2034,SC2154
# tools/quickstart --sandbox: a cell and a device in two network namespaces, joined by a cable.

sandbox=/var/lib/pic-sandbox
sandbox_cell=pic-sandbox
sandbox_device=pic-sandbox-device
uplink_cell=198.51.100.1
uplink_device=198.51.100.2

# Puts into the array named by $1 the words before a command that is to run in the network namespace $2.
# /run/wireguard is the directory $3 there: its sockets are named after interfaces, and the host may have
# the same ones.
enter()
{
    local -n words=$1
    # shellcheck disable=SC2016
    local script='mkdir -p -m 0700 /run/wireguard && mount --bind "$0" /run/wireguard && exec "$@"'
    words=(nsenter "--net=/run/netns/$2" unshare --mount -- sh -c "$script" "$3")
}

choose_sandbox()
{
    picd=$PWD/build/picd
    picctl=$PWD/build/picctl
    flags=(--config "$sandbox/picd.conf")
    enter inside $sandbox_cell $sandbox/wireguard
    network=/run/netns/$sandbox_cell
    manifests=$sandbox/manifests
    device=tablet
    device_config=$sandbox/device/tablet.conf
    log=$sandbox/picd.log
}

# In the copy of the example the cell is found at its end of the cable.
make_files()
{
    does "making $sandbox, with a copy of manifests/"
    mkdir -p -m 0700 $sandbox $sandbox/wireguard $sandbox/device $sandbox/device/wireguard
    cp -r manifests $manifests
    sed -i "s/^\( *endpoint:\) .*/\1 $uplink_cell/" $manifests/cell.yaml
    printf '%s\n' "manifests = $manifests" "secrets = $sandbox/secrets" "state = $sandbox/state" \
        "run = $sandbox/run" >$sandbox/picd.conf
    printf '%s\n' '#!/bin/sh' '# picctl for the cell in the sandbox.' \
        "exec \"$picctl\" --config \"$sandbox/picd.conf\" \"\$@\"" >$sandbox/picctl
    chmod +x $sandbox/picctl
}

has_network()
{
    [ -e /run/netns/$sandbox_cell ] && [ -e /run/netns/$sandbox_device ]
}

make_network()
{
    local namespace
    does "making the network: namespaces $sandbox_cell and $sandbox_device, joined by a cable"
    remove_network
    ip netns add $sandbox_cell
    ip netns add $sandbox_device
    ip -n $sandbox_cell link add uplink type veth peer name uplink netns $sandbox_device
    ip -n $sandbox_cell address add $uplink_cell/24 dev uplink
    ip -n $sandbox_device address add $uplink_device/24 dev uplink
    for namespace in $sandbox_cell $sandbox_device; do
        ip -n $namespace link set lo up
        ip -n $namespace link set uplink up
    done
}

# With its interface ends the wireguard-go of the device.
remove_network()
{
    local namespace
    ip -n $sandbox_device link delete wg0 2>/dev/null || true
    for namespace in $sandbox_cell $sandbox_device; do
        [ ! -e /run/netns/$namespace ] || ip netns delete $namespace
    done
}

# The words after "NAME =" in the device's config.
configured()
{
    sed -n "s/^$1 = //p" "$device_config" | tr -d ,
}

# The device: an interface that knows nothing but what stands in the config.
connect_device()
{
    local word
    local -a inside_device
    does "connecting the device with its config, $device_config"
    enter inside_device $sandbox_device $sandbox/device/wireguard
    ip -n $sandbox_device link add wg0 type wireguard 2>/dev/null ||
        "${inside_device[@]}" wireguard-go wg0 >$sandbox/device/wireguard-go.log 2>&1 9>&-
    wg-quick strip "$device_config" | "${inside_device[@]}" wg setconf wg0 /dev/stdin
    for word in $(configured Address); do
        ip -n $sandbox_device address add "$word" dev wg0
    done
    ip -n $sandbox_device link set wg0 up
    for word in $(configured MTU); do
        ip -n $sandbox_device link set wg0 mtu "$word"
    done
    for word in $(configured AllowedIPs); do
        ip -n $sandbox_device route add "$word" dev wg0
    done
}

# The cell is the first host of its prefix.
ping_cell()
{
    local prefix
    prefix=$(cell_says spec.network.vpn)
    say "the device pings the cell, ${prefix%.*}.1, through the tunnel"
    ip netns exec $sandbox_device ping -c 3 -i 0.2 -W 3 "${prefix%.*}.1" ||
        fail "the device does not reach the cell" "its log is $log" \
            "for a new sandbox: tools/quickstart --sandbox --remove, then tools/quickstart --sandbox"
}

# Is another program in build/ than the one that runs?
is_outdated()
{
    local pid
    pid=$(picd_pid)
    [ -n "$pid" ] && ! [ "/proc/$pid/exe" -ef "$picd" ]
}

explain_sandbox()
{
    printf '\nLook around:\n'
    printf '    %s\n' \
        "$sandbox/picctl get peers     and every other verb: $sandbox/picctl help" \
        "edit, add or delete a file in $manifests: picd sees it at once" \
        "tools/quickstart --sandbox --shell     a shell in the cell's network: wg show, ip address" \
        "tools/quickstart --sandbox --remove    takes it all away"
}

sandbox_up()
{
    tools/setup
    need ip iproute2 ping iputils-ping wg wireguard-tools
    if [ -e $sandbox/picctl ]; then
        say "the files are in $sandbox"
    else
        make_files
    fi
    if has_network; then
        say "the network is there: namespaces $sandbox_cell and $sandbox_device"
    else
        make_network
    fi
    start_picd "$(is_outdated && echo yes || echo no)"
    wait_until_right
    if has_peer $device; then
        say "the cell knows the device \"$device\""
    else
        add_device
    fi
    if ip -n $sandbox_device link show wg0 >/dev/null 2>&1; then
        say "the device is connected"
    else
        connect_device
    fi
    ping_cell
    printf '\n'
    picctl status
    show_code
    explain_sandbox
    show_changes
}

sandbox_shell()
{
    [ -n "$(picd_pid)" ] || fail "no sandbox runs" "start it: tools/quickstart --sandbox"
    say "a shell in the cell's network; exit leaves it"
    exec "${inside[@]}" env "PATH=$sandbox:$PATH" bash 9>&-
}

sandbox_down()
{
    [ ! -e $network ] || take_live_away
    if [ -e /run/netns/$sandbox_cell ] || [ -e /run/netns/$sandbox_device ]; then
        does "removing the network: namespaces $sandbox_cell and $sandbox_device"
        remove_network
    fi
    remove $sandbox
    show_removed
}
