# Makes this mount namespace look like a VM where the steps are installed, and becomes the command.
mount -t tmpfs tmpfs "$VM/kept"
touch "$VM/kept/sock"
mount --bind "$SOCKET" "$VM/kept/sock"
mkdir "$VM/kept/etc"
cp -a /etc/. "$VM/kept/etc"
cp -a "$VM/etc/." "$VM/kept/etc"
sed -i '/^deploy:/d' "$VM/kept/etc/passwd" "$VM/kept/etc/shadow"
echo "deploy:x:$ID:$ID::/:/bin/sh" >>"$VM/kept/etc/passwd"
echo "deploy:*:19000:0:99999:7:::" >>"$VM/kept/etc/shadow"
mount --bind "$VM/kept/etc" /etc

mount -t tmpfs tmpfs /usr/local/sbin
install -m 755 "$SCRIPTS/deploy-over-ssh" "$SCRIPTS/deploy.sh" "$SCRIPTS/doctor.sh" /usr/local/sbin/
for step in pull-image start-candidate probe-health promote prune-app; do
    touch "/usr/local/sbin/$step"
    mount --bind "$STEPS/$step" "/usr/local/sbin/$step"
done

mount --bind "$VM/log" /var/log
mount -t tmpfs tmpfs /run
mkdir /run/sshd
mkdir /run/lock /run/deploy-steps
mount --bind "$VM/lock" /run/deploy-steps
chgrp --reference="$VM/kept/sock" /run/deploy-steps
chmod 2770 /run/deploy-steps
touch /run/docker.sock
mount --bind "$VM/kept/sock" /run/docker.sock
unset DOCKER_HOST
exec "$@"
