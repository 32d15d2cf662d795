#!/bin/sh
# Looks whether a machine has what the steps need; changes nothing.
#     doctor.sh [--json] [--docker PATH] [--image IMAGE] [--port PORT]...
# One line for each check: ok, warn (it works, but not as well) or fail (a step would fail). Ends with 1 if one fails.
# --image asks its registry with this user's login; --port looks who has a host port.
set -u

usage() {
    sed -n '3s/^#     /usage: /p' "$0" >&2
    exit 2
}

# One check's outcome: ok, warn or fail; its name; a sentence.
say() {
    # What an engine or a registry said may be anything; in quotes of JSON this is always right.
    line=$(printf '%s' "$3" | LC_ALL=C tr '[:cntrl:]' ' ' | LC_ALL=C tr -cd ' !#-[]-~')
    [ "$1" != fail ] || failed=1
    if [ -n "$json" ]; then
        checks="$checks${checks:+,}{\"name\":\"$2\",\"result\":\"$1\",\"says\":\"$line\"}"
    else
        printf '%-4s  %-9s  %s\n' "$1" "$2" "$line"
    fi
}

# Whatever hangs is a finding, too.
ask() {
    timeout 20 "$@" 2>&1
}

# Says a package that is to be installed, and who works with packages now, so that apt-get would not do it yet.
get() {
    printf 'install %s' "$1"
    for lock in /var/lib/dpkg/lock-frontend /var/lib/dpkg/lock /var/lib/apt/lists/lock /var/cache/apt/archives/lock; do
        inode=$(stat -c %i $lock 2>/dev/null) || continue
        # NUMBER: POSIX ADVISORY WRITE PID DEVICE:INODE, which everybody may read.
        pid=$(awk -v inode="$inode" '$2 == "POSIX" && $4 == "WRITE" && $6 ~ ":" inode "$" { print $5; exit }' /proc/locks)
        [ -z "$pid" ] || {
            printf ' when %s (pid %s) has let go of %s' "$(cat "/proc/$pid/comm" || echo somebody)" "$pid" $lock
            return
        }
    done 2>/dev/null
}

steps() {
    missing=''
    for step in pull-image start-candidate probe-health promote prune-app; do
        command -v "$step" >/dev/null || missing="$missing $step"
    done
    if [ -z "$missing" ]; then
        say ok steps "$(promote --version) in $(dirname "$(command -v promote)")"
    else
        say fail steps "not on the PATH of $(id -un):$missing"
    fi
}

engine() {
    if ! command -v "$docker" >/dev/null; then
        say fail engine "$docker is not on the PATH of $(id -un): $(get docker.io), or name it with --docker"
    elif version=$(ask "$docker" version --format '{{.Server.Version}}'); then
        case $version in
        [1-9].* | 1?.* | 20.0*) say warn engine "$docker, engine $version is older than 20.10, with which nobody has tried it" ;;
        *) say ok engine "$docker, engine $version" ;;
        esac
        disk
    else
        say fail engine "$(printf '%s' "$version" | tail -n 1) Does the engine run (systemctl start docker), and may $(id -un) use it?"
    fi
}

# Where containerd keeps the images they may be on another disk; the fuller one counts.
disk() {
    root=$(ask "$docker" info --format '{{.DockerRootDir}}') free=''
    set -- "$root"
    if [ -d /var/lib/containerd ] && ask "$docker" info --format '{{.DriverStatus}}' | grep -q io.containerd.snapshotter; then
        set -- "$root" /var/lib/containerd
    fi
    for folder; do
        its=$(df -Pk "$folder" 2>/dev/null | awk 'NR == 2 { print int($4 / 1024) }')
        if [ -z "$its" ]; then
            say warn disk "$folder cannot be looked at by $(id -un), so pull-image does not check its space"
            return
        elif [ -z "$free" ] || [ "$its" -lt "$free" ]; then
            free=$its root=$folder
        fi
    done
    if [ "$free" -lt 1024 ]; then
        say fail disk "$free MiB free at $root: pull-image wants 1024, see --min-free; prune-app removes old images"
    else
        say ok disk "$free MiB free at $root"
    fi
}

is_rootless() {
    ask "$docker" info --format '{{.SecurityOptions}}' | grep -q name=rootless ||
        ask "$docker" info --format '{{.Host.Security.Rootless}}' | grep -qx true
}

bridge() {
    path=$PATH:/usr/sbin:/sbin
    if [ -n "$rootless" ]; then
        say warn bridge "the engine is rootless: its containers have no address here, so a swap has a short gap"
    elif ! PATH=$path command -v nft >/dev/null; then
        say warn bridge "nft is missing, so a swap has a short gap: $(get nftables)"
    elif PATH=$path ask nft list tables >/dev/null; then
        say ok bridge "$(id -un) may change packet rules"
    elif has_rights cap_net_admin; then
        say ok bridge "promote may change packet rules for $(id -un), by its file capabilities"
    else
        say warn bridge "$(id -un) may not change packet rules, so a swap has a short gap: sudo deploy-steps-rights"
    fi
}

# Whether promote has a capability that its caller lacks; only its group may run it then.
has_rights() {
    promote=$(command -v promote) && [ -x "$promote" ] &&
        PATH=$PATH:/usr/sbin:/sbin ask getcap "$promote" | grep -q "$1"
}

# To look into a container's network takes CAP_SYS_PTRACE (19) and CAP_SYS_ADMIN (21).
requests() {
    caps=0x$(sed -n 's/^CapEff:[[:space:]]*//p' /proc/self/status)
    if [ $((caps >> 19 & caps >> 21 & 1)) -eq 1 ]; then
        say ok requests "$(id -un) may see requests in flight, so a swap waits for them"
    elif has_rights cap_sys_ptrace; then
        say ok requests "promote may see requests in flight for $(id -un), by its file capabilities"
    else
        say warn requests "$(id -un) may not see requests in flight, so the app's own shutdown must finish them: sudo deploy-steps-rights"
    fi
}

clock() {
    case $(ask timedatectl show --property=NTPSynchronized --value) in
    yes) say ok clock "synchronized, $(date -u +%Y-%m-%dT%H:%M:%SZ)" ;;
    *) say warn clock "not known to be synchronized, $(date -u +%Y-%m-%dT%H:%M:%SZ): registries refuse logins when it is far off" ;;
    esac
}

# The folder that the engine's users share; a user with an engine of his own has it in XDG_RUNTIME_DIR, and makes it.
locks() {
    folder=/run/deploy-steps make='sudo install -d -m 2770 -g docker /run/deploy-steps'
    if ! command -v flock >/dev/null; then
        say warn locks "flock is missing, which deploy.sh needs: $(get util-linux)"
        return
    fi
    case $(id -u):$rootless:$(stat -c '%F %u %a' $folder 2>/dev/null) in
    [1-9]*:1:*) say ok locks "$(id -un) has an engine of its own, and the locks in ${XDG_RUNTIME_DIR:-/run/user/$(id -u)}" ;;
    *":directory 0 "*[0145])
        if [ -w $folder ] && [ -x $folder ]; then
            say ok locks "$folder can be used"
        else
            say fail locks "$folder cannot be used by $(id -un), who is not in its group: $make"
        fi
        ;;
    0:*:) say ok locks "$folder is missing, and the first step of root makes it" ;;
    *:) say fail locks "$folder is missing: $make" ;;
    *) say fail locks "$folder is no folder of root's alone or its group's: remove it, then $make" ;;
    esac
}

registry() {
    if said=$(ask "$docker" manifest inspect --insecure "$image"); then
        say ok registry "$image is there, and $(id -un) may read it"
    else
        say fail registry "$image: $(printf '%s' "$said" | tail -n 1)"
    fi
}

port() {
    if ! command -v ss >/dev/null; then
        say warn port "ss is missing, so nobody knows who has $port: $(get iproute2)"
        return
    fi
    if owner=$(ask "$docker" ps --filter "publish=$port" --format '{{.Names}}') && [ -n "$owner" ]; then
        say ok port "$port belongs to the container $owner"
    elif [ -n "$(ss -Hltn "sport = :$port")" ]; then
        say fail port "$port is taken by a program that is no container: ss -ltnp says which"
    else
        say ok port "$port is free"
    fi
}

json='' docker=docker image='' ports='' checks='' failed=''
while [ $# -gt 0 ]; do
    case $1 in
    --json) json=1 ;;
    --docker | --image | --port)
        [ $# -gt 1 ] || usage
        [ "$1" != --docker ] || docker=$2
        [ "$1" != --image ] || image=$2
        [ "$1" != --port ] || ports="$ports $2"
        case $2 in -* | '') usage ;; esac
        shift
        ;;
    *) usage ;;
    esac
    shift
done
case $ports in *[!0-9\ ]*) usage ;; esac

rootless=$(! is_rootless || echo 1)
steps
engine
bridge
requests
clock
locks
[ -z "$image" ] || registry
for port in $ports; do port; done
[ -z "$json" ] || printf '{"ok":%s,"checks":[%s]}\n' "$([ -z "$failed" ] && echo true || echo false)" "$checks"
[ -z "$failed" ]
