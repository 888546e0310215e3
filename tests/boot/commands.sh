#!/bin/bash
# What a host calls, faked: one program under the names of all, for machine.py. In bash, because a
# boot makes some forty calls.
#
# Each call is a record of $FAKES/calls, its words ended by \x1f and itself by \x1e. A file in
# $FAKES/faults is named by the first words of calls that fail, and says how often (-1: always).
name=${0##*/}
{
  printf '%s\x1f' "$name" "$@"
  printf '\x1e'
} >>"$FAKES/calls"

call="$name $*"
for fault in "$FAKES"/faults/*; do
  [[ $call == "${fault##*/}"* ]] || continue
  times=$(<"$fault")
  ((times)) || continue
  echo $((times - 1)) >"$fault"
  echo "$name: this fails" >&2
  exit 9
done

last=${*: -1}

# after WORD: print the word of the call that follows this one.
words=("$@")
after() {
  local at
  for at in "${!words[@]}"; do
    [[ ${words[at]} != "$1" ]] || printf '%s' "${words[at + 1]}"
  done
}

# The metadata service, version 2 only.
metadata() {
  local file base=http://169.254.169.254/latest
  case $last in
    "$base/api/token")
      [[ $* == *"-X PUT -H X-aws-ec2-metadata-token-ttl-seconds: "[1-9]* ]] || return 22
      printf a-token
      ;;
    $base/meta-data/*)
      [[ $* == *"X-aws-ec2-metadata-token: a-token"* ]] || return 22
      file=$FAKES/metadata/${last#"$base/meta-data/"}
      if [[ $* != *" -w "* ]]; then
        cat "$file"
      elif [[ ! -e $file ]]; then
        printf '<html/>\n404'
      elif [[ $(<"$file") == 500 ]]; then
        printf 'sorry\n500'
      else
        printf '%s\n200' "$(<"$file")"
      fi
      ;;
    *) return 6 ;;
  esac
}

case $name in
  curl) metadata "$@" ;;
  aws)
    case "$1 $2" in
      "s3 cp") cp "$FAKES/archive.tar" "$last" ;;
      "ssm get-parameter") cat "$FAKES/parameter.json" ;;
      "ssm put-parameter") after --value >"$FAKES/parameter.json" ;;
      "secretsmanager get-secret-value") cat "$FAKES/secret.json" ;;
    esac
    ;;
  systemctl)
    # What dask-host.service runs, with its output where the unit puts it.
    if [[ $* == "start dask-host.service" ]]; then
      bash "$DASK_CLUSTER_ROOT/opt/dask-cluster/archive/host/prepare.sh" \
        >>"$DASK_CLUSTER_ROOT/var/log/dask-cluster-boot.log" 2>&1
    fi
    ;;
  rpm) grep -qxF "$2" "$FAKES/installed" ;;
  dpkg-query) grep -qxF "$last" "$FAKES/installed" && echo "install ok installed" ;;
  dnf | apt-get) printf '%s\n' "$@" >>"$FAKES/installed" ;;
  getent | blkid) exit 2 ;;
  mountpoint) exit 1 ;;
  mdadm) mkdir -p "${2%/*}" && touch "$2" ;;
esac
