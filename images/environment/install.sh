#!/usr/bin/env bash
# Build the one environment of scheduler, workers, notebooks and clients: exactly what the lock says.
#
#   install.sh FOLDER [OPTIONS]           build it into FOLDER; at once when it is there already
#   install.sh --identity [OPTIONS]       print its identity
#   install.sh --export [OPTIONS]         print the locked requirements, with hashes
#   install.sh --resolve [OPTIONS] NAME.. print the pinned lines for extra packages of a user
#
# For the layers of an image, where FOLDER stands as it is until the layer is complete:
#   install.sh --packages FOLDER [OPTIONS]  the packages alone; what is there already stays
#   install.sh --finish FOLDER [OPTIONS]    what makes them the environment, without a network
#
# Options:
#   --python PATH        the Python to build on (default: python3.11)
#   --requirements FILE  what --export printed, for hosts without a checkout (default: the lock)
#   --extra FILE         what --resolve printed; may be empty
#   --expect IDENTITY    build no other
#   --package NAME       --export only: another member of the lock (default: dask-environment)
#
# The same file runs on a laptop, at the first boot of a host and in an image build. uv is taken
# from $UV, from the checkout, from PATH if it has the version in uv.txt, or else from PyPI.
# Nothing comes from anywhere but package registries. uv's cache is $UV_CACHE_DIR, else
# .cache/uv of the checkout, else none that is kept.
#
# FOLDER appears in one step, by a rename, when it is complete and verified; an interrupted build
# leaves FOLDER.partial*, which the next build removes. Two builds at once wait for one another.
#
# Exit codes: 0 done, 1 failed, 2 wrong use, 3 the lock is stale, 4 FOLDER holds something else,
# 5 FOLDER was changed after it was built, 6 the extra packages do not fit the lock.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$(dirname "$here")")
action=install folder='' python='' requirements='' extra='' expect='' package='' uv=''
packages=()

say() { printf 'install.sh: %s\n' "$*" >&2; }

# fail CODE MESSAGE
fail() {
  local code=$1
  shift
  say "$*"
  exit "$code"
}

parse() {
  while (($#)); do
    case $1 in
      --python | --requirements | --extra | --expect | --package)
        (($# >= 2)) || fail 2 "$1 needs a value"
        printf -v "${1#--}" '%s' "$2"
        shift 2
        ;;
      --identity | --export | --resolve | --packages | --finish)
        action=${1#--}
        shift
        ;;
      -h | --help)
        sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p;}' "${BASH_SOURCE[0]}"
        exit 0
        ;;
      -*) fail 2 "unknown option $1 (see --help)" ;;
      *)
        packages+=("$1")
        shift
        ;;
    esac
  done
  case $action in
    install | packages | finish)
      ((${#packages[@]} == 1)) || fail 2 "name one folder to build into (see --help)"
      folder=${packages[0]%/}
      ;;
  esac
  [[ -z $package || $action == export ]] || fail 2 "--package goes with --export (see --help)"
  package=${package:-dask-environment}
  [[ -z $extra || -r $extra ]] || fail 2 "cannot read $extra"
  # A pipe has no size.
  [[ ! -f $extra || -s $extra ]] || extra=''
}

is_checkout() { [[ -f $root/uv.lock && -f $root/pyproject.toml ]]; }

# The Python to build on. A shim may be on PATH without a Python behind it, so it is run.
find_python() {
  python=${python:-python3.11}
  "$python" -c '' 2>/dev/null ||
    fail 1 "cannot run $python: install it (packages.txt) or name another with --python"
  minor=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  case $minor in
    3.11 | 3.12 | 3.13) ;;
    *) fail 1 "$python is Python $minor; the lock covers 3.11, 3.12 and 3.13" ;;
  esac
}

# Sets uv. Installs it into a folder of the checkout, or of this build, where there is none.
find_uv() {
  [[ -z $uv ]] || return 0
  local pinned tools base
  pinned=$(sed -n 's/^uv==\([^ ]*\).*/\1/p' "$here/uv.txt")
  tools=$scratch/uv-tool
  ! is_checkout || tools=$root/.cache/uv-tool
  uv=${UV:-}
  if [[ -z $uv && -x $tools/bin/uv ]]; then
    uv=$tools/bin/uv
  elif [[ -z $uv && $(uv --version 2>/dev/null) == "uv $pinned"* ]]; then
    uv=uv
  elif [[ -z $uv ]]; then
    say "getting uv $pinned"
    # Of a virtual environment the Python below it is asked: the environment may have no pip.
    base=$("$python" -c 'import sys; print(getattr(sys, "_base_executable", sys.executable))')
    # Of pip itself no compiled files, which a layer of an image would keep.
    "$base" -B -m pip install --quiet --disable-pip-version-check --no-cache-dir \
      --root-user-action ignore --require-hashes \
      --target "$scratch/new-uv" --requirement "$here/uv.txt" || fail 1 "cannot install uv with the pip of $base"
    # By a rename too. Where another build was faster, its uv is as good.
    mkdir -p "$(dirname "$tools")"
    [[ -e $tools ]] || mv "$scratch/new-uv" "$tools"
    uv=$tools/bin/uv
  fi
  export UV_PYTHON_DOWNLOADS=never
  if [[ -z ${UV_CACHE_DIR:-} ]]; then
    # Beside FOLDER, so that files are linked and not copied; /tmp may be held in memory.
    UV_CACHE_DIR=${partial:-$scratch/uv}.cache
    ! is_checkout || UV_CACHE_DIR=$root/.cache/uv
    export UV_CACHE_DIR
  fi
}

# Sets requirements to a file: the one that was given, or an export of the lock.
find_requirements() {
  if [[ -n $requirements ]]; then
    [[ -r $requirements ]] || fail 2 "cannot read $requirements"
    return
  fi
  is_checkout || fail 2 "no uv.lock here: name what --export printed with --requirements"
  find_uv
  requirements=$scratch/requirements.txt
  local said
  if ! said=$("$uv" export --project "$root" --locked --package "$package" --no-dev \
    --no-emit-workspace --no-header --no-annotate --quiet --python "$python" \
    --output-file "$requirements" 2>&1); then
    # With --quiet uv says nothing about a stale lock, so ask again for the reason.
    said=$("$uv" export --project "$root" --locked --package "$package" --no-dev \
      --no-emit-workspace --python "$python" 2>&1 >/dev/null || true)
    case $said in
      *"needs to be updated"*) fail 3 "uv.lock does not match the pyproject.toml files. Run: uv lock" ;;
      *) fail 1 "uv export failed: $said" ;;
    esac
  fi
}

# with_extra COMMAND...: run it with --requirements and, if there is one, --extra.
with_extra() {
  if [[ -n $extra ]]; then
    "$@" --requirements "$requirements" --extra "$extra"
  else
    "$@" --requirements "$requirements"
  fi
}

python_step() { "$python" -B "$here/$1" "${@:2}"; }

# Is FOLDER complete already? Ends the program unless there is nothing yet.
stop_if_there() {
  local code=0
  python_step folder.py check "$folder" --identity "$identity" || code=$?
  ((code == 10)) || exit "$code"
}

# One build at a time for each parent folder. The lock is on the folder itself, so no file is left,
# and it is held by this shell and its children: it ends with the last of them, however they end.
lock() {
  mkdir -p "$(dirname "$folder")" || fail 1 "cannot create $(dirname "$folder")"
  exec 9<"$(dirname "$folder")"
  "$python" -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX | fcntl.LOCK_NB)' 2>/dev/null || {
    say "waiting for another build"
    "$python" -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX)'
  }
}

# Sets identity: what these files make.
find_identity() {
  identity=$(with_extra python_step identity.py --python "$minor")
  [[ -z $expect || $identity == "$expect" ]] ||
    fail 1 "these files make environment $identity here, and $expect was asked for"
}

build() {
  partial=$folder.partial
  rm -rf "$partial" "$partial.cache"
  install_packages "$partial"
  finish "$partial"
  # An empty FOLDER may stand in the way; a full one never, because of the lock and the check.
  [[ ! -d $folder ]] || rmdir "$folder"
  mv "$partial" "$folder"
  say "environment $identity is complete in $folder"
}

install_packages() {
  local files=("$requirements")
  [[ -z $extra ]] || files+=("$extra")
  find_uv
  say "installing packages for Python $minor"
  # Relocatable, because the folder gets its name when it is complete.
  [[ -x $1/bin/python ]] ||
    "$uv" venv --quiet --relocatable --no-project --python "$python" "$1"
  # No builds from source: what a build pulls in is not pinned, and hosts have no compiler.
  "$uv" pip sync --quiet --require-hashes --no-build --python "$1/bin/python" "${files[@]}" ||
    fail 1 "uv could not install the packages"
}

compile() {
  say "compiling"
  "$1/bin/python" -m compileall -q -j 0 "$1/lib" >/dev/null 2>&1 ||
    say "some files of the packages do not compile; they are compiled when they are imported"
}

finish() {
  python_step_in "$1" copy
  compile "$1"
  with_extra python_step_in "$1" seal
}

# python_step_in FOLDER STEP OPTIONS...: with the environment's own Python.
python_step_in() { "$1/bin/python" -B "$here/folder.py" "$2" "$1" "${@:3}"; }

main() {
  parse "$@"
  scratch=$(mktemp -d)
  partial=''
  trap 'rm -rf "$scratch" ${partial:+"$partial" "$partial.cache"}' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  find_python
  find_requirements
  case $action in
    export) cat "$requirements" ;;
    identity) with_extra python_step identity.py --python "$minor" ;;
    resolve)
      find_uv
      python_step resolve.py --requirements "$requirements" --python "$minor" --uv "$uv" \
        -- ${packages[@]+"${packages[@]}"} # bash 3 calls an empty list unset
      ;;
    packages)
      install_packages "$folder"
      compile "$folder"
      ;;
    finish)
      find_identity
      finish "$folder"
      ;;
    install)
      find_identity
      stop_if_there
      lock
      stop_if_there
      build
      ;;
  esac
}

main "$@"
