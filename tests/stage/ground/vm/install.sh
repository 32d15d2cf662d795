# Gives the root folder $1 a kernel of its own with the packages named after $3, and lets the owner of the public key $2 in.
set -e
root=$1 key=$2
shift 2
mount --rbind /proc "$root/proc"
inside() {
    chroot "$root" env LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"
}
# What an emulated disk takes, and nothing more: an initrd with all modules boots several times as long.
mkdir -p "$root/etc/initramfs-tools/conf.d"
echo MODULES=list >"$root/etc/initramfs-tools/conf.d/small"
printf '%s\n' virtio_pci virtio_blk ext4 >"$root/etc/initramfs-tools/modules"
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"
inside apt-get update
inside apt-get install -y --no-install-recommends -o Dpkg::Options::=--force-unsafe-io \
    -o Dpkg::Options::=--force-confold "$@"
inside apt-get clean
rm -r "$root/usr/sbin/policy-rc.d" "$root/var/lib/apt/lists"

install -D -m 600 "$key" "$root/root/.ssh/authorized_keys"
echo '/dev/vda / ext4 defaults 0 1' >"$root/etc/fstab"
printf '[Match]\nName=eth0\n[Network]\nAddress=10.0.2.15/24\nGateway=10.0.2.2\n' \
    >"$root/etc/systemd/network/eth0.network"
inside systemctl --quiet enable systemd-networkd
echo machine >"$root/etc/hostname"
printf '127.0.0.1 localhost machine\n::1 localhost\n' >"$root/etc/hosts"
rm -f "$root/etc/resolv.conf"
: >"$root/etc/resolv.conf"
# They are compiled at each boot of a new disk, for most of its time; the engine brings the profile of its containers.
find "$root/etc/apparmor.d" -maxdepth 1 -type f -delete
# Nothing is to be done at the first boot after an update.
touch "$root/etc/.updated" "$root/var/.updated"
# Without one it would be a first boot, which turns on whatever there is.
tr -d - <"/proc/sys/kernel/random/uuid" >"$root/etc/machine-id"
