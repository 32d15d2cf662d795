# Fills the fresh root folder $1 with the packages named after $2, the units that nobody wants unless a test turns them on.
set -e
root=$1 off=$2
shift 2
mount --rbind /proc "$root/proc"
inside() {
    chroot "$root" env LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"
}
# Nothing is started while it is installed.
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"
inside apt-get install -y --no-install-recommends -o Dpkg::Options::=--force-unsafe-io "$@"
inside apt-get clean
rm -r "$root/usr/sbin/policy-rc.d" "$root/var/lib/apt/lists"
for unit in $off; do
    inside systemctl --quiet disable "$unit"
done
