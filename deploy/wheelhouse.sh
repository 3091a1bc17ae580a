#!/bin/sh
# Fills a new folder with all that install.sh needs on a machine without a network: wheels, scripts, and their sums.
#   deploy/wheelhouse.sh node FOLDER      every role, without torch: models run on workers
#   deploy/wheelhouse.sh worker FOLDER    everything
# PYTHON   the version that the other side has, on the same kind of machine: python3 by default
# TORCH    torch==2.9.1: another version than the tested one
# PIP_ARGS --extra-index-url URL: where pip looks as well, for a CUDA or CPU build of torch
set -eu
kind="${1:-}" folder="${2:-}"
case "$kind" in node | worker) ;; *) kind="" ;; esac
if [ -z "$kind" ] || [ -z "$folder" ]; then
    echo "usage: deploy/wheelhouse.sh node|worker FOLDER" >&2
    exit 2
fi
if [ -d "$folder" ] && [ -n "$(ls -A "$folder")" ]; then
    echo "$folder is not empty: wheels of another release must not mix with these" >&2
    exit 2
fi
source="$(cd "$(dirname "$0")/.." && pwd)"
mkdir -p "$folder"
folder="$(cd "$folder" && pwd)"
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT

"${PYTHON:-python3}" -m venv "$scratch/venv"
python="$scratch/venv/bin/python"
pip_wheel() {
    # shellcheck disable=SC2086 # several words are meant
    "$python" -m pip --disable-pip-version-check wheel --quiet ${PIP_ARGS:-} --wheel-dir "$folder" "$@"
}

# From a copy: a build folder that lies about would bring modules that are no more.
mkdir "$scratch/source"
(cd "$source" && cp -R setup.cfg pyproject.toml README.md LICENSE conf dicom_node inference storage "$scratch/source")
pip_wheel --no-deps "$scratch/source"

"$python" "$source/deploy/requirements.py" "$kind" > "$folder/requirements.txt"
if [ -n "${TORCH:-}" ]; then
    grep -vE '^torch(vision)?==' "$source/conf/constraints.txt" > "$scratch/constraints.txt"
    [ "$kind" = node ] || echo "$TORCH" >> "$folder/requirements.txt"
else
    cp "$source/conf/constraints.txt" "$scratch/constraints.txt"
fi
pip_wheel --constraint "$scratch/constraints.txt" --requirement "$folder/requirements.txt"

"$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' > "$folder/python-version"
cp -R "$source/deploy/install.sh" "$source/deploy/install-venv.sh" "$source/deploy/systemd" "$folder"
(cd "$folder" && find . -type f -exec sha256sum {} + > "$scratch/SHA256SUMS" && mv "$scratch/SHA256SUMS" .)
echo "$(find "$folder" -name '*.whl' | wc -l) wheels, $(du -sh "$folder" | cut -f1), for Python $(cat "$folder/python-version"): $folder"
