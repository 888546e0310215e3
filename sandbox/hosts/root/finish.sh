#!/usr/bin/env bash
# Make a Debian root that of a rehearsed host: run once inside of it, as root, while its image is
# built. The files that belong to it are laid over before.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# cloud-init knows EC2 by the machine's firmware, which a container has none of, and asks for no
# IMDSv2 token elsewhere.
identified() {
  python3 - <<'END'
from pathlib import Path
import py_compile
path = Path("/usr/lib/python3/dist-packages/cloudinit/sources/DataSourceEc2.py")
text = path.read_text()
head = "def identify_aws(data):\n"
assert text.count(head) == 1, "another cloud-init: identify_aws() is not as it was"
path.write_text(text.replace(head, f"{head}    return CloudNames.AWS  # rehearsed\n"))
py_compile.compile(str(path), doraise=True)
END
}

# What a container has no use for: devices, consoles, network set-up, kernel settings, upkeep.
masked() {
  local units=(
    apt-daily{,-upgrade}.{service,timer} dpkg-db-backup.{service,timer} e2scrub_all.timer
    e2scrub_reap.service fstrim.timer man-db.timer
    systemd-udevd.service systemd-udevd-{control,kernel}.socket systemd-udev-{settle,trigger}.service
    systemd-logind.service systemd-networkd.{service,socket} systemd-networkd-wait-online.service
    networking.service ifupdown-pre.service
    getty.target console-getty.service getty-static.service getty@.service serial-getty@.service
    systemd-ask-password-{console,wall}.path systemd-modules-load.service systemd-sysctl.service
    systemd-random-seed.service systemd-binfmt.service systemd-firstboot.service systemd-repart.service
    systemd-hwdb-update.service systemd-pstore.service systemd-remount-fs.service
    systemd-timesyncd.service systemd-update-utmp.service systemd-update-utmp-runlevel.service
    systemd-machine-id-commit.service systemd-tmpfiles-setup-dev.service kmod-static-nodes.service
    systemd-journald-audit.socket systemd-initctl.socket proc-sys-fs-binfmt_misc.automount
    dev-hugepages.mount sys-fs-fuse-connections.mount sys-kernel-config.mount
    sys-kernel-debug.mount sys-kernel-tracing.mount
    # Before there is a network, and of modules that there are none of.
    cloud-init-local.service cloud-config.service cloud-init-hotplugd.{service,socket}
  ) unit
  for unit in "${units[@]}"; do
    ln -sfn /dev/null "/etc/systemd/system/$unit"
  done
  ln -sfn /usr/lib/systemd/system/multi-user.target /etc/systemd/system/default.target
}

identified
masked
dpkg-deb --root-owner-group --build "$here/efs" "$here/efs.deb" >/dev/null
dpkg --install "$here/efs.deb" >/dev/null
# Each host gets its own; an empty file is no first boot.
: >/etc/machine-id
rm -rf /var/lib/cloud /var/cache/debconf/*-old
find /var/log -type f -delete
rm -rf "$here"
