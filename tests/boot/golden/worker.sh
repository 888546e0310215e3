#!/bin/bash
set -euo pipefail
umask 022
export HOME=/root AWS_RETRY_MODE=standard AWS_MAX_ATTEMPTS=4
R=${DASK_CLUSTER_ROOT:-}
opt=$R/opt/dask-cluster
settings=$R/etc/dask-cluster/host.env
export LOG=$R/var/log/dask-cluster-boot.log CODE INSTANCE=
mkdir -p "$opt" "${settings%/*}" "${LOG%/*}"
exec >>"$LOG" 2>&1 </dev/null
cat >"$settings" <<'END'
ROLE=worker
PREFIX=/dask-cluster/dev
AWS_DEFAULT_REGION=eu-west-1
GROUP=worker
ASG=dev-worker
ARCHIVE=s3://dev-archive-0a1b2c3/archive/5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f.tar
ENVIRONMENT=0123456789abcdef
SECRET=arn:aws:secretsmanager:eu-west-1:123456789012:secret:dask-cluster/dev/worker-AbCdEf
CERTIFICATE=89abcdef01234567
DRAIN=900
PORTS='9000:9099 9100:9199 9200'
PROCESSES=1
END
set -a
. "$settings"
set +a

report() {
  python3 - <<'END'
import json, os, subprocess, time
e = os.environ
def aws(*a):
  r = subprocess.run(["timeout", "15", "aws", *a, "--output", "text"], capture_output=True, text=True)
  print("$ aws", *a[:2], r.returncode, r.stderr)
  return r.stdout
log = open(e["LOG"], errors="replace").read().splitlines()
lines = log[-50:]
def last(mark, none):
  return next((l[3:] for l in log[::-1] if l[:3] == mark), none)
i = e["INSTANCE"]
name = ("--name", e["PREFIX"] + "/" + e["GROUP"] + "/boot")
try:
  count = 1 + json.loads(aws("ssm", "get-parameter", *name, "--query", "Parameter.Value")).get("failures", 0)
except Exception:
  count = 1
why = "%s (step %s, exit code %s)" % (last("!! ", "It failed")[:400], last("== ", "?"), e["CODE"])
now = time.time()
said = dict(instance=i, ok=False, failures=count, reason=why, log="\n".join(lines)[-4096:], at=time.strftime("%FT%TZ", time.gmtime(now)))
while len(json.dumps(said)) > 4096:
  said["log"] = said["log"][20:]
aws("ssm", "put-parameter", "--overwrite", *name, "--value", json.dumps(said))
s = ("--log-group-name", e["PREFIX"], "--log-stream-name", "boot/" + i)
aws("logs", "create-log-stream", *s)
aws("logs", "put-log-events", *s, "--log-events", json.dumps([dict(timestamp=int(now * 1e3), message=l[:999]) for l in lines if l]))
group = ("--auto-scaling-group-name", e["ASG"])
if count > 2:
  aws("autoscaling", "suspend-processes", *group, "--scaling-processes", "Launch")
if e["ROLE"] == "scheduler":
  aws("autoscaling", "complete-lifecycle-action", *group, "--lifecycle-hook-name", "boot", "--instance-id", i, "--lifecycle-action-result", "ABANDON")
else:
  aws("autoscaling", "set-instance-health", "--instance-id", i, "--health-status", "Unhealthy", "--no-should-respect-grace-period")
END
}
trap 'CODE=$?; ((!CODE)) || report' EXIT

echo "== instance"
imds=http://169.254.169.254/latest
token=$(curl -sSfm 5 --retry 3 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 300' $imds/api/token)
INSTANCE=$(curl -sSfm 5 --retry 3 -H "X-aws-ec2-metadata-token: $token" $imds/meta-data/instance-id)
echo "INSTANCE=$INSTANCE" >>"$settings"
echo "== archive"
for n in 1 2 3 4 5; do
  timeout 15 aws s3 cp --only-show-errors "$ARCHIVE" "$opt/new.tar" && break
  ((n < 5))
  sleep $n
done
echo "== checksum"
sum=$(basename "$ARCHIVE" .tar)
echo "$sum  $opt/new.tar" | sha256sum -c
dir=$opt/archive-${sum:0:12}
mkdir -p "$dir"
tar -xf "$opt/new.tar" -C "$dir"
timeout -k 5 400 bash "$dir/host/boot.sh"
