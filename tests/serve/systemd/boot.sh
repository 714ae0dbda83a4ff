#!/bin/sh
# boot.sh FOLDER CGROUP PROGRAM PROJECT: systemd as the first process of a machine whose root is FOLDER, until this process is killed.
# It has the programs of this machine, read-only, and nothing else of it: its own /etc, processes, devices and control groups.
set -eu
root=$1 group=$2 program=$3 project=$4

if [ "${5-}" != inside ]; then
    mkdir -p "$group"
    echo $$ > "$group/cgroup.procs"
    exec unshare --cgroup --mount --pid --fork --kill-child "$0" "$root" "$group" "$program" "$project" inside
fi

mount --make-rprivate /
mount --bind "$root" "$root"
cd "$root"
mkdir -p dev etc/systemd/system old opt proc run srv/shop sys tmp usr var/lib var/log
for folder in bin lib lib64 sbin; do ln -s "usr/$folder" "$folder"; done
echo 'root:x:0:0:root:/root:/bin/sh
deploy:x:1000:1000::/srv/shop:/bin/sh' > etc/passwd
echo 'root:x:0:
deploy:x:1000:
docker:x:999:' > etc/group
: > etc/machine-id
# Whatever looks after a real machine stays away from this one.
for unit in dev-hugepages.mount dev-mqueue.mount kmod-static-nodes.service proc-sys-fs-binfmt_misc.automount sys-fs-fuse-connections.mount \
    sys-kernel-config.mount sys-kernel-debug.mount sys-kernel-tracing.mount systemd-hwdb-update.service systemd-modules-load.service \
    systemd-random-seed.service systemd-remount-fs.service systemd-sysctl.service systemd-udev-trigger.service systemd-udevd.service; do
    ln -s /dev/null "etc/systemd/system/$unit"
done

mount --rbind -o ro /usr usr
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp
mount -t tmpfs -o mode=755 tmpfs dev
for device in null zero full random urandom tty; do
    : > "dev/$device"
    mount --bind "/dev/$device" "dev/$device"
done
mkdir dev/pts dev/shm dev/mqueue dev/hugepages
mount -t devpts devpts dev/pts
ln -s pts/ptmx dev/ptmx
: > opt/runbook
mount --bind "$program" opt/runbook
mount --bind "$project" srv/shop

pivot_root . old
umount -l old
exec env -i container=runbook PATH=/usr/sbin:/usr/bin /lib/systemd/systemd --system --unit=basic.target --log-target=journal --show-status=no
