# shellcheck shell=bash disable=SC2034,SC2154
# tools/quickstart on this machine.

choose_host()
{
    picd=/usr/local/sbin/picd
    picctl=/usr/local/bin/picctl
    flags=()
    inside=()
    network=/proc/self/ns/net
    manifests=/etc/pic/manifests
    device=laptop
    device_config=/etc/pic/clients/laptop.conf
    log=/var/log/pic/picd.log
    networkd=/etc/systemd/networkd.conf.d/50-pic.conf
}

programs_are_installed()
{
    cmp -s build/picd $picd && cmp -s build/picctl $picctl
}

install_programs()
{
    does "installing picd and picctl into /usr/local"
    cmake --install build --prefix /usr/local >/dev/null
}

# Counts from networkd's next start; until then picd puts back what it deletes.
tell_networkd()
{
    [ -x /lib/systemd/systemd-networkd ] || return 0
    cmp -s tools/packaging/networkd/50-pic.conf $networkd && return
    does "telling systemd-networkd to leave the rules and routes of others alone: $networkd"
    install -D -m 644 tools/packaging/networkd/50-pic.conf $networkd
}

# The address with which this machine reaches the internet; no packet is sent to find out.
uplink_address()
{
    local remote
    for remote in 192.0.2.1 2001:db8::1; do
        ip -o route get $remote 2>/dev/null | sed -n 's/.* src \([^ ]*\).*/\1/p' | grep . && return
    done
}

make_cell()
{
    local said
    [ -n "$endpoint" ] || endpoint=$(uplink_address || true)
    [ -n "$endpoint" ] || fail "this machine has no route to the internet, so its address is not known" \
        "say how devices find it: tools/quickstart --endpoint HOST"
    does "making the cell; devices find it at $endpoint"
    said=$(picctl init --endpoint "$endpoint")
    sed '/^ *next:/,$d' <<<"$said"
}

# An address that the internet does not know (RFC 1918, RFC 6598, RFC 4193).
is_private()
{
    [[ $1 =~ ^(10\.|192\.168\.|172\.(1[6-9]|2[0-9]|3[01])\.|100\.(6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])\.) ||
        $1 =~ ^\[?f[cd][0-9a-f]{2}: ]]
}

explain_host()
{
    local ports found_at
    ports=$(cell_says 'status.portsToForward[*]')
    found_at=$(cell_says spec.wireguard.endpoint)
    printf '\nNext:\n'
    [ ! -e "$device_config" ] || printf '    %s\n' \
        "take $device_config to the device \"$device\", then delete it here"
    printf '    %s\n' "forward ${ports:-51820/udp} from your router to this machine"
    ! is_private "$found_at" || printf '    %s\n' \
        "$found_at is known in your own network only: for devices outside write the public name of" \
        "    your router as wireguard.endpoint into $manifests/cell.yaml"
    printf '    %s\n' \
        "picctl peer add phone --qr     one more device" \
        "picctl help                    everything else" \
        "tools/quickstart --remove      takes it all away"
}

host_up()
{
    local new=no
    tools/setup
    need ip iproute2
    if programs_are_installed; then
        say "picd and picctl are in /usr/local"
    else
        install_programs
        new=yes
    fi
    if [ -n "$(picctl get cells -o name 2>/dev/null)" ]; then
        say "the cell is in $manifests"
        [ -z "$endpoint" ] || say "--endpoint is for a new cell; this one: wireguard.endpoint in its manifest"
    else
        make_cell
    fi
    tell_networkd
    start_picd $new
    wait_until_right
    if [ -n "$(picctl get peers -o name)" ]; then
        say "it has devices: picctl get peers"
    else
        add_device
    fi
    printf '\n'
    picctl status
    show_code
    explain_host
    show_changes
}

host_down()
{
    local installed=("$picd" "$picctl" "$networkd")
    take_live_away
    if has_systemd && [ -e /etc/systemd/system/picd.service ]; then
        does "systemctl disable picd"
        systemctl -q disable --now picd
        remove /etc/systemd/system/picd.service
        systemctl daemon-reload
    fi
    remove "${installed[@]}" /run/pic
    if [ "$purge" = yes ]; then
        remove /etc/pic /var/lib/pic /var/log/pic
    elif [ -d /etc/pic ]; then
        say "kept: /etc/pic (manifests, keys), /var/lib/pic (what picd remembers); --purge removes them"
    fi
    show_removed
}
