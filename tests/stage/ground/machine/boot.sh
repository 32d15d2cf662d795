# Becomes the init of a machine that is put together in the stage's folder $1, from the root folder $2. The folders
# named after them are there under the same names.
set -e
dir=$1 home=$2 root=$1/root name=machine
shift 2
for folder in lower upper work root docker containerd tmp; do
    mkdir "$dir/$folder"
done
chmod 1777 "$dir/tmp"
# By a name without colons and commas, which mean something here.
mount --bind "$home" "$dir/lower"
mount -t overlay overlay -o "lowerdir=$dir/lower,upperdir=$dir/upper,workdir=$dir/work" "$root"

# What is the kernel's and not the machine's stays as it is.
mount -t proc proc "$root/proc"
mount --bind "$root/proc/sys" "$root/proc/sys"
mount --bind "$root/proc/sys/net" "$root/proc/sys/net"
mount -o remount,bind,ro "$root/proc/sys"
mount -t sysfs sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
ln -s /dev/null "$root/etc/systemd/system/systemd-udev-trigger.service"

mount -t tmpfs -o mode=755,nosuid tmpfs "$root/dev"
mkdir "$root/dev/net" "$root/dev/pts" "$root/dev/shm"
for node in null zero full random urandom tty net/tun fuse; do
    if [ -e "/dev/$node" ]; then cp -a "/dev/$node" "$root/dev/$node"; fi
done
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
for stream in stdin:0 stdout:1 stderr:2; do
    ln -s "fd/${stream#*:}" "$root/dev/${stream%:*}"
done
mount -t tmpfs -o mode=755 tmpfs "$root/run"

# An engine's layers, its own or those of one that a test starts, cannot lie on layers.
mkdir -p "$root/var/lib/docker" "$root/var/lib/containerd"
mount --bind "$dir/docker" "$root/var/lib/docker"
mount --bind "$dir/containerd" "$root/var/lib/containerd"
mount --bind "$dir/tmp" "$root/var/tmp"
for folder in "$dir" "$@"; do
    mkdir -p "$root$folder"
    mount --bind "$folder" "$root$folder"
done

hostname "$name"
echo "$name" >"$root/etc/hostname"
printf '127.0.0.1 localhost %s\n::1 localhost\n' "$name" >"$root/etc/hosts"
: >"$root/etc/resolv.conf"
# Without one it would be a first boot, which turns on whatever there is.
tr -d - <"/proc/sys/kernel/random/uuid" >"$root/etc/machine-id"

cd "$root"
pivot_root . mnt
exec env -i container=deploy-steps PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    chroot . sh -c 'umount -l /mnt && mount --make-rshared / && exec /sbin/init' <dev/null >dev/null 2>&1
