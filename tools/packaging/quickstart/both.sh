# shellcheck shell=bash disable=SC2034,SC2154
# What tools/quickstart does alike on a machine and in a sandbox. Which cell is meant is said by the variables
# that choose_host() in host.sh and choose_sandbox() in sandbox.sh set.

say()
{
    printf '==> %s\n' "$*"
}

# Something is changed by this run.
changes=0
does()
{
    changes=$((changes + 1))
    say "$@"
}

fail()
{
    printf 'quickstart: %s\n' "$1" >&2
    shift
    [ $# = 0 ] || printf '    %s\n' "$@" >&2
    exit 1
}

# For the cell at hand, whatever directories it has.
picctl()
{
    "$picctl" "${flags[@]}" "$@"
}

# A value of the Cell: $1 is the rest of a jsonpath.
cell_says()
{
    picctl get cells -o "jsonpath={.items[0].$1}"
}

has_peer()
{
    picctl get peers -o name | grep -qix "peer/$1"
}

# ---- picd ------------------------------------------------------------------------------------------

# The number of the cell's picd, or nothing. It is found by what it is: program, arguments and network.
# A number that was kept in a file may be another process by now.
picd_pid()
{
    local process name
    local -a words
    for process in /proc/[0-9]*; do
        { read -r name <"$process/comm" && mapfile -d '' -t words <"$process/cmdline"; } 2>/dev/null ||
            continue
        [ "$name" = picd ] && [ "${words[*]}" = "$picd${flags[*]:+ ${flags[*]}}" ] || continue
        [[ $(readlink "$process/exe") =~ /picd( \(deleted\))?$ && $process/ns/net -ef $network ]] || continue
        echo "${process#/proc/}"
        return
    done
}

wait_until_ended()
{
    local tries
    for ((tries = 0; tries < 100; tries++)); do
        [ -n "$(picd_pid)" ] || return 0
        sleep 0.1
    done
    fail "picd (process $(picd_pid)) does not end" "its log is $log"
}

has_systemd()
{
    [ ${#inside[@]} = 0 ] && [ -d /run/systemd/system ]
}

# $1: yes to start a new one in place of one that runs. The tunnels stay up meanwhile.
start_unit()
{
    local unit=/etc/systemd/system/picd.service restart=$1
    if ! cmp -s tools/packaging/picd.service $unit; then
        does "installing $unit"
        install -m 0644 tools/packaging/picd.service $unit
        systemctl daemon-reload
        restart=yes
    fi
    if [ "$restart" = no ] && systemctl -q is-active picd && systemctl -q is-enabled picd; then
        say "picd runs: systemctl status picd"
        return
    fi
    does "starting picd now and at every boot: systemctl enable picd, systemctl restart picd"
    systemctl -q enable picd
    systemctl --no-block restart picd
}

start_in_background()
{
    local pid
    pid=$(picd_pid)
    if [ -n "$pid" ] && [ "$1" = no ]; then
        say "picd runs: process $pid, log $log"
        return
    fi
    does "starting picd in the background, log $log"
    if [ -n "$pid" ]; then
        kill "$pid"
        wait_until_ended
    fi
    mkdir -p "$(dirname "$log")"
    setsid "${inside[@]}" "$picd" "${flags[@]}" </dev/null >>"$log" 2>&1 9>&- &
}

start_picd()
{
    if has_systemd; then
        start_unit "$1"
    else
        start_in_background "$1"
    fi
}

wait_until_right()
{
    local tries
    for ((tries = 0; tries < 100; tries++)); do
        ! picctl status >/dev/null 2>&1 || return 0
        sleep 0.2
    done
    picctl status || true
    [ ! -e "$log" ] || tail -n 5 "$log"
    fail "the cell is not as it should be after 20 s" \
        "the lines above say what is wrong; put it right and run this again"
}

# ---- the first device ------------------------------------------------------------------------------

code=

# The code is taken now, to be shown at the end: the private key in it is kept nowhere but in the file.
add_device()
{
    does "adding the device \"$device\""
    mkdir -p -m 0700 "$(dirname "$device_config")"
    code=$(picctl peer add "$device" --out "$device_config" --qr)
    wait_until_right
}

show_code()
{
    local line form='%s\n'
    [ -n "$code" ] || return 0
    # White on black, whatever the terminal's colours are.
    [ ! -t 1 ] || form='\033[97;40m%s\033[0m\n'
    printf '\nThe config of "%s", to scan with the WireGuard app:\n\n' "$device"
    while IFS= read -r line; do
        # shellcheck disable=SC2059
        printf "$form" "$line"
    done <<<"$code"
}

show_changes()
{
    [ "$changes" != 0 ] || printf '\nEverything was there already: nothing was changed.\n'
}

# ---- both ways up ----------------------------------------------------------------------------------

# Commands that only this script uses, and their packages: command package …
need()
{
    local -a missing=()
    while [ $# -gt 0 ]; do
        command -v "$1" >/dev/null || missing+=("$2")
        shift 2
    done
    [ ${#missing[@]} != 0 ] || return 0
    does "installing ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q
    apt-get install -qy --no-install-recommends "${missing[@]}"
}

take_live_away()
{
    [ -d "$manifests" ] || return 0
    [ -x "$picctl" ] || picctl=$PWD/build/picctl
    [ -x "$picctl" ] || fail "there is no picctl to take the cell away with" "build it: tools/setup"
    "${inside[@]}" "$picctl" "${flags[@]}" teardown --yes
    wait_until_ended
}

remove()
{
    local path
    for path; do
        [ -e "$path" ] || continue
        does "removing $path"
        rm -r -- "$path"
    done
}

show_removed()
{
    [ "$changes" != 0 ] || say "there was nothing to remove"
}
