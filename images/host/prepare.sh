#!/usr/bin/env bash
# What a host of the cluster needs each time that it starts: run by boot.sh the first time, and by
# dask-host.service after a reboot. What is there already is left alone.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=images/host/common.sh
. "$here/common.sh"

tls=$root/run/dask/tls
scratch=$root/var/lib/dask/scratch

# Below /run, which is held in memory, and readable by Dask alone. On a pipe, never an argument.
certificates() {
  step certificates
  install -d -m 755 "$root/run/dask"
  install -d -m 700 "$tls"
  retry secret || fail "the certificate cannot be read from the secret $SECRET"
  chown -R dask:dask "$tls"
}

secret() {
  aws secretsmanager get-secret-value --secret-id "$SECRET" --query SecretString --output text |
    python3 "$here/certificates.py" "$tls"
}

# The instance's own disks, as one: empty after each start, and so formatted where they are not.
disks() {
  local all device
  mapfile -t all < <(realpath -e "$root"/dev/disk/by-id/nvme-Amazon_EC2_NVMe_Instance_Storage_* \
    2>/dev/null | sort -u)
  case ${#all[@]} in
    0) fail "spillToNvme: this type of instance has no local disk" ;;
    1) device=${all[0]} ;;
    *)
      device=$root/dev/md/dask
      [[ -e $device ]] || mdadm --create "$device" --run --homehost any --name dask --level 0 \
        --raid-devices ${#all[@]} "${all[@]}"
      ;;
  esac
  # -K: a new disk needs no discard, which takes long.
  blkid "$device" >/dev/null || mkfs.xfs -q -K "$device"
  mount -o noatime "$device" "$scratch"
}

# shared PATH KIND MOUNT_ARGUMENTS...: mount a file system that other hosts mount as well.
shared() {
  local path=$root$1 kind=$2
  shift 2
  if mountpoint -q "$path"; then
    return
  fi
  mkdir -p "$path"
  retry timeout 60 mount "$@" "$path" || fail "the file system of ${path#"$root"} cannot be mounted"
  # A new one belongs to root at its top.
  [[ $kind != new ]] || chmod 1777 "$path"
}

storage() {
  step storage
  local id path kind
  install -d "$scratch"
  if [[ ${SPILL:-} == nvme ]] && ! mountpoint -q "$scratch"; then
    disks
  fi
  chown dask:dask "$scratch"
  if [[ -n ${EFS:-} ]]; then
    read -r id path kind <<<"$EFS"
    shared "$path" "$kind" -t efs -o tls,_netdev "$id:/"
  fi
  if [[ -n ${LUSTRE:-} ]]; then
    read -r id path kind <<<"$LUSTRE"
    shared "$path" "$kind" -t lustre -o relatime,flock,_netdev "$id"
  fi
}

worker_arguments() {
  local worker nanny dashboard kib room memory=${MEMORY:-} threads=${THREADS:-} name=$INSTANCE
  read -r worker nanny dashboard <<<"$PORTS"
  # What Linux counts is less than what the type is sold with.
  kib=$(awk '/^MemTotal:/ { print $2 }' "$root/proc/meminfo")
  room=$(((kib * 1024 * 92 / 100 - 512 * 1024 * 1024) / PROCESSES))
  ((room > 0)) || fail "$kib KiB of memory are too little for $PROCESSES processes"
  ((${memory:=$room} <= room)) || memory=$room
  : "${threads:=$(($(nproc) / PROCESSES))}"
  ((threads > 0)) || threads=1
  # With several processes Dask itself appends `-<n>` to the name.
  ((PROCESSES > 1)) || name+=-0
  printf '%s ' --name "$name" --nworkers "$PROCESSES" --nthreads "$threads" \
    --memory-limit "$memory" --worker-port "$worker" --nanny-port "$nanny" \
    --dashboard-address ":$dashboard" ${RESOURCES:+--resources "$RESOURCES"}
}

# The variables of all units. The lifetime is a tag of the instance: an edit of it rolls nothing.
settings() {
  step settings
  local arguments lifetime fleet=''
  if [[ $ROLE == worker ]]; then
    arguments=$(worker_arguments)
  else
    arguments="--protocol tls --port ${PORTS%% *} --dashboard-address :${PORTS##* }"
    fleet=aws:$AWS_DEFAULT_REGION/${PREFIX##*/}
  fi
  lifetime=$(imds tags/instance/dask-cluster:lifetime) || (($? == 4)) ||
    fail "the lifetime cannot be read from the tags of the instance"
  cat >"$root/etc/dask-cluster/dask.env" <<END
AWS_DEFAULT_REGION=$AWS_DEFAULT_REGION
AWS_REGION=$AWS_DEFAULT_REGION
DASK_CONFIG=/etc/dask/dask.yaml
DASK_CLUSTER_ROLE=$ROLE
DASK_CLUSTER_GROUP=$GROUP
DASK_CLUSTER_PLACE=$INSTANCE
DASK_CLUSTER_AUTO_SCALING_GROUP=$ASG
DASK_CLUSTER_ENVIRONMENT=$ENVIRONMENT
DASK_CLUSTER_FLEET=$fleet
DASK_CLUSTER_DRAIN_SECONDS=$DRAIN
DASK_CLUSTER_LIFETIME_SECONDS=$lifetime
DASK_CLUSTER_NOTICE=/run/dask/notice.json
DASK_CLUSTER_ARGUMENTS="${arguments% }"
END
}

certificates
storage
settings
