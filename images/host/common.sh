# shellcheck shell=bash
# What boot.sh and prepare.sh share. Both read the settings of the host that the user data wrote
# down: /etc/dask-cluster/host.env.
set -euo pipefail
umask 022

export AWS_RETRY_MODE=standard AWS_MAX_ATTEMPTS=4

# A folder that stands for the machine, for tests.
root=${DASK_CLUSTER_ROOT:-}
set -a
# shellcheck source=/dev/null
. "$root/etc/dask-cluster/host.env"
set +a

# step NAME: what is done from here on. A failed boot is reported with the last of these.
step() { printf '== %s\n' "$*"; }

# fail MESSAGE: end; a failed boot is reported with this sentence.
fail() {
  printf '!! %s\n' "$*" >&2
  exit 1
}

# aws ARGUMENTS: the AWS CLI, which has no limit of its own for a whole call.
aws() { timeout 30 aws "$@"; }

# retry COMMAND...: up to three times.
retry() {
  local n
  for n in 1 2 3; do
    "$@" && return
    ((n == 3)) || sleep "$n"
  done
  return 1
}

# imds PATH: print an item of the instance's metadata; code 4 if there is none. IMDSv2 only.
imds() {
  local base=http://169.254.169.254/latest token answer
  token=$(curl -sSfm 5 --retry 3 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' $base/api/token)
  answer=$(curl -sSm 5 --retry 3 -w '\n%{http_code}' -H "X-aws-ec2-metadata-token: $token" "$base/meta-data/$1")
  case ${answer##*$'\n'} in
    200) printf '%s\n' "${answer%$'\n'*}" ;;
    404) return 4 ;;
    *) fail "the metadata service answers $1 with ${answer##*$'\n'}" ;;
  esac
}
