#!/bin/sh
# Installs Segnode on a Debian machine from a wheelhouse, as root; asks no network, and starts nothing.
#   install.sh [WHEELHOUSE]     the folder that this script lies in by default
#   /opt/segnode/VERSION        the program; /opt/segnode/current leads to the one that runs
#   /etc/segnode                its configuration; files that are there stay as they are
#   /var/lib/segnode            images, results, and the SQLite database; logs go to the journal
# The same again with the next release's wheelhouse is the upgrade. The way back: ln -sfn VERSION /opt/segnode/current.
# DESTDIR: install below this folder, to look at what would come where.
set -eu
umask 022 # whatever root's is: the user segnode has to read the program
here="$(cd "$(dirname "$0")" && pwd)"
wheelhouse="${1:-$here}" root="${DESTDIR:-}"
set -- "$wheelhouse"/segnode-*.whl
if [ ! -e "$1" ]; then
    echo "$wheelhouse holds no segnode-*.whl: make it with deploy/wheelhouse.sh" >&2
    exit 2
fi
version="$(basename "$1" | cut -d- -f2)"
if [ -z "$root" ] && [ "$(id -u)" != 0 ]; then
    echo "Run it as root: sudo $0" >&2
    exit 2
fi

# What is there of this version by another wheel (of an earlier state of the same checkout, say) stays, beside this one.
sum="$(sha256sum "$1" | cut -c1-8)"
program="$root/opt/segnode/$version"
if [ -x "$program/bin/segnode" ] && [ "$(cat "$program/made-of" 2>/dev/null)" != "$sum" ]; then
    version="$version-$sum"
    program="$root/opt/segnode/$version"
fi
if [ ! -x "$program/bin/segnode" ] || [ ! -e "$program/made-of" ]; then # the last things to come: it was not finished
    rm -rf "$program"
    mkdir -p "$root/opt/segnode"
    "$wheelhouse/install-venv.sh" "$wheelhouse" "$program"
    echo "$sum" > "$program/made-of"
fi
# After the program, which may be refused: units of one release beside a program of another serve nobody.
put() { install -D --mode "$1" "$here/systemd/$2" "$root$3"; }
put 0644 segnode.sysusers /usr/lib/sysusers.d/segnode.conf
put 0644 segnode.tmpfiles /usr/lib/tmpfiles.d/segnode.conf
for unit in segnode segnode@ segnode-raylet; do
    put 0644 "$unit.service" "/etc/systemd/system/$unit.service"
    put 0644 common.conf "/etc/systemd/system/$unit.service.d/common.conf"
done
put 0755 segnode /usr/local/bin/segnode
ln -sfn "$version" "$root/opt/segnode/current"

if [ -z "$root" ]; then
    systemd-sysusers segnode.conf
    systemd-tmpfiles --create segnode.conf
fi
mkdir -p "$root/etc/segnode"
for file in "$root/opt/segnode/current/share/segnode/conf"/*.yaml; do
    own="$root/etc/segnode/$(basename "$file")"
    [ -e "$own" ] && continue
    sed 's|^data_folder: .*|data_folder: /var/lib/segnode|' "$file" > "$own"
    chmod 0640 "$own"
    [ -n "$root" ] || chown root:segnode "$own"
done

[ ! -d /run/systemd/system ] || [ -n "$root" ] || systemctl daemon-reload
cat <<NEXT
Segnode $version is installed. Now:
  edit /etc/segnode/node.yaml        AE title, port, the PACS
  segnode check                      is all of it well, and does the PACS answer?
  systemctl enable --now segnode     after an upgrade: systemctl try-restart 'segnode*'
NEXT
