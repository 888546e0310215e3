# shellcheck shell=sh
# Mounts of the box alone: what its programs write where all of their kind do stays in memory, and
# ends with it. Arguments: the folder of its state, and the one of what outlives it.
run=$1 cache=$2

mkdir -p "$run/cache"
mount -n --bind "$cache" "$run/cache"

# Instead of /run: an empty one with the state in it.
mount -n -t tmpfs -o mode=755 tmpfs /mnt
mkdir -p "/mnt/${run#/run/}"
mount -n --rbind "$run" "/mnt/${run#/run/}"
resolv=$(readlink -m /etc/resolv.conf)
mount -n --move /mnt /run

for folder in /var/lib /var/log; do
  mount -n -t tmpfs -o mode=755 tmpfs "$folder"
done
case $resolv in
  /run/*) mkdir -p "$(dirname "$resolv")" && cp "$run/resolv.conf" "$resolv" ;;
  *) mount -n --bind "$run/resolv.conf" "$resolv" ;;
esac
mount -n --bind "$run/hosts" /etc/hosts
(cd "$run/sysctl" && find . -type f) | while read -r name; do
  [ ! -e "/proc/sys/$name" ] || mount -n --bind "$run/sysctl/$name" "/proc/sys/$name"
done
