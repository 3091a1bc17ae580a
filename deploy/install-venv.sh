#!/bin/sh
# Installs Segnode from a wheelhouse into a new virtual environment; asks no network.
#   install-venv.sh WHEELHOUSE VENV       PYTHON: the version that the wheelhouse was made for, python3 by default
set -eu
if [ $# != 2 ]; then
    echo "usage: install-venv.sh WHEELHOUSE VENV" >&2
    exit 2
fi
wheelhouse="$(cd "$1" && pwd)" venv="$2" python="${PYTHON:-python3}"
(cd "$wheelhouse" && sha256sum --check --quiet SHA256SUMS)
here="$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')" there="$(cat "$wheelhouse/python-version")"
if [ "$here" != "$there" ]; then
    echo "$wheelhouse is for Python $there, and $python is $here: name another, PYTHON=python$there" >&2
    exit 2
fi
if [ -e "$venv" ]; then
    echo "$venv is there already: install beside it, then switch" >&2
    exit 2
fi
"$python" -m venv "$venv"
pip() { "$venv/bin/python" -m pip --disable-pip-version-check install --quiet --no-index --no-cache-dir --find-links "$wheelhouse" "$@"; }
pip --requirement "$wheelhouse/requirements.txt"
pip --no-deps "$wheelhouse"/segnode-*.whl # without deps: a node lacks torch, and is meant to
"$venv/bin/segnode" --version
