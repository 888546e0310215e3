#!/usr/bin/env bash
# Make a fresh machine a host of the cluster: run by its user data, once, as root.
#
# It installs system packages, builds the environment from the archive that this file is in, and
# starts the units. Whatever has to be done again after a reboot is in prepare.sh.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
archive=$(dirname "$here")
# shellcheck source=images/host/common.sh
. "$here/common.sh"

# Python's minor version, that of whoever made the archive.
minor=$(<"$archive/python.txt")
LISTEN_SECONDS=${DASK_CLUSTER_LISTEN_SECONDS:-90}

# The column of the tables of packages, and how to ask for what is there and to install.
family() {
  local id
  id=$(sed -n 's/^ID="\{0,1\}\([a-z]*\)"\{0,1\}$/\1/p' "$root/etc/os-release")
  case $id in
    debian) column=2 ;;
    amzn) column=3 ;;
    *) fail "this host runs '$id': only Amazon Linux 2023 and Debian are known" ;;
  esac
}

installed() {
  if ((column == 2)); then
    dpkg-query -W -f '${Status}\n' "$1" 2>/dev/null | grep -q ' installed$'
  else
    rpm -q "$1" >/dev/null
  fi
}

install_packages() {
  if ((column == 2)); then
    export DEBIAN_FRONTEND=noninteractive
    apt-get -qq update &&
      apt-get -qq -y --no-install-recommends -o DPkg::Lock::Timeout=60 install "$@"
  else
    dnf -q -y install "$@"
  fi
}

packages() {
  step packages
  local needs=(python pip certificates aws rotation logs) need name names missing=()
  [[ -z ${SPILL:-} ]] || needs+=(nvme)
  [[ -z ${EFS:-} ]] || needs+=(efs)
  [[ -z ${LUSTRE:-} ]] || needs+=(lustre)
  family
  for need in "${needs[@]}"; do
    names=$(need_of "$need")
    for name in $names; do
      if [[ $name == - ]]; then
        [[ $need == logs ]] || fail "this distribution has no package for: $need"
      elif ! installed "$name"; then
        missing+=("$name")
      fi
    done
  done
  # An image that has them all needs no way to a package registry.
  ((${#missing[@]} == 0)) || retry install_packages "${missing[@]}" ||
    fail "the system packages cannot be installed: ${missing[*]}"
}

# need_of NEED: the names of its packages.
need_of() {
  local found
  found=$(awk -v need="$1" -v column="$column" '$1 == need { print $column }' \
    "$archive/environment/packages.txt" "$here/packages.txt")
  [[ -n $found ]] || fail "no table of packages has: $1"
  found=${found//@PYTHON@/$minor}
  printf '%s\n' "${found//,/ }"
}

user() {
  step user
  # The same number on every host: files on a shared file system belong to it.
  getent passwd dask >/dev/null ||
    useradd --system --uid 8786 --user-group --home-dir /var/lib/dask --shell /usr/sbin/nologin dask
}

environment() {
  step environment
  local options=(--python "python$minor" --requirements "$archive/requirements.txt") found
  [[ ! -s $archive/extra.txt ]] || options+=(--extra "$archive/extra.txt")
  found=$("$archive/environment/install.sh" --identity "${options[@]}")
  [[ $found == "$ENVIRONMENT" ]] ||
    fail "the archive makes environment $found here, and $ENVIRONMENT was asked for"
  "$archive/environment/install.sh" "$root/opt/dask-cluster/$ENVIRONMENT" "${options[@]}" ||
    fail "the environment $ENVIRONMENT could not be built"
  ln -sfn "$ENVIRONMENT" "$root/opt/dask-cluster/current"
}

configuration() {
  step configuration
  install -D -m 644 "$archive/dask.yaml" "$root/etc/dask/dask.yaml"
  install -d "$root/var/log/dask" "$root/var/lib/dask" "$root/etc/logrotate.d"
  install -m 644 "$here/logrotate.conf" "$root/etc/logrotate.d/dask"
  chown dask:dask "$root/var/lib/dask"
  ln -sfn "$(basename "$archive")" "$root/opt/dask-cluster/archive"
}

units() {
  step units
  local units=$root/etc/systemd/system
  install -d "$units/dask-worker.service.d"
  install -m 644 "$here"/units/*.service "$units"
  # Later than the drain's own deadline: the nanny gives up a scheduler that does not answer 5 s
  # after it, and needs up to 18 s to end a hanging worker.
  printf '[Service]\nTimeoutStopSec=%d\n' $((DRAIN + 30)) >"$units/dask-worker.service.d/drain.conf"
  systemctl daemon-reload
}

# Dask's log and ours go to the one log group, a stream for each host. AWS's agent reads files, not
# the journal, so the units write files.
logs() {
  step logs
  local agent=$root/opt/aws/amazon-cloudwatch-agent file
  if ! installed amazon-cloudwatch-agent; then
    echo "this host has no agent: its logs stay in /var/log/dask"
    return
  fi
  file=$agent/etc/dask-cluster.json
  install -d "$agent/etc"
  printf '{"agent": {"region": "%s"}, "logs": {"logs_collected": {"files": {"collect_list": [%s, %s]}}}}\n' \
    "$AWS_DEFAULT_REGION" "$(stream dask)" "$(stream watch /watch)" >"$file"
  "$agent/bin/amazon-cloudwatch-agent-ctl" -a fetch-config -m ec2 -s -c "file:$file"
}

# stream NAME [SUFFIX]: what the agent is told of one file.
stream() {
  printf '{"file_path": "/var/log/dask/%s.log", "log_group_name": "%s", "log_stream_name": "%s"}' \
    "$1" "$PREFIX" "$GROUP/$INSTANCE${2:-}"
}

# prepare.sh says its own steps, into the same log.
prepare() {
  step prepare
  systemctl enable dask-host.service
  systemctl start dask-host.service
}

start() {
  step start
  systemctl enable --now "dask-$ROLE.service" dask-watch.service
}

listening() { timeout 1 bash -c "</dev/tcp/127.0.0.1/${PORTS%% *}" 2>/dev/null; }

# The name leads here only when somebody listens.
scheduler() {
  step listen
  local until=$((SECONDS + LISTEN_SECONDS)) address
  until listening; do
    if ((SECONDS >= until)); then
      tail -n 30 "$root/var/log/dask/dask.log" || true
      fail "the scheduler does not listen after $LISTEN_SECONDS s"
    fi
    sleep 0.5
  done
  step record
  address=$(imds local-ipv4)
  retry aws route53 change-resource-record-sets --hosted-zone-id "$ZONE" --change-batch \
    "{\"Changes\": [{\"Action\": \"UPSERT\", \"ResourceRecordSet\": {\"Name\": \"$RECORD\", \"Type\": \"A\", \"TTL\": 10, \"ResourceRecords\": [{\"Value\": \"$address\"}]}}]}"
}

# Say that it went well: of workers only where a boot failed before, or each would be a call more.
outcome() {
  local name=$PREFIX/$GROUP/boot said
  if [[ $ROLE == worker ]]; then
    said=$(aws ssm get-parameter --name "$name" --query Parameter.Value --output text) || return
    [[ $said =~ \"failures\":\ *[1-9] ]] || return 0
  fi
  aws ssm put-parameter --overwrite --name "$name" --value \
    "{\"instance\": \"$INSTANCE\", \"ok\": true, \"failures\": 0, \"reason\": \"\", \"log\": \"\", \"at\": \"$(date -u +%FT%TZ)\"}"
}

packages
user
environment
configuration
units
logs
prepare
start
[[ $ROLE != scheduler ]] || scheduler
step outcome
outcome || echo "the outcome cannot be told, which is no reason to end"
if [[ $ROLE == scheduler ]]; then
  step hook
  retry aws autoscaling complete-lifecycle-action --auto-scaling-group-name "$ASG" \
    --lifecycle-hook-name boot --instance-id "$INSTANCE" --lifecycle-action-result CONTINUE
fi
