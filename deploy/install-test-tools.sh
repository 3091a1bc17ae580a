#!/bin/sh
# The real peers of the tests: Orthanc as PACS, by DICOM and DICOMweb, DCMTK as scanner and archive, dicom3tools as
# the judge of objects, PostgreSQL as the second database, HAProxy as the balancer, systemd as the judge of its units.
# Does nothing where they stand.
# With a folder: what the viewers' tests need too, Chromium, and OHIF in that folder.
set -eu
ohif=3.13.2
ohif_sha512=5997719a9986eeba85816f5924b71b82bdd70ad2e2d4a0cd3e831a798e4f3deea3e06e1f8c48e393271933a0ba664d85f3b04ac457e9abe8dde715d907d13c10
viewers="${1:-}"

missing=""
need() { [ -e "$(command -v "$1" || echo "$1")" ] || missing="$missing $2"; }
need Orthanc orthanc
need storescu dcmtk
need dciodvfy dicom3tools
need systemd-analyze systemd
need /usr/share/orthanc/plugins/libOrthancDicomWeb.so orthanc-dicomweb
need /usr/sbin/haproxy haproxy
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$missing postgresql"
if [ -n "$viewers" ]; then
    need chromium chromium
    need npm npm
fi
if [ -n "$missing" ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        apt-get update -qq
        # Services must not start: the tests start their own, on loopback.
        printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
        chmod +x /usr/sbin/policy-rc.d
        trap 'rm -f /usr/sbin/policy-rc.d' EXIT
        # shellcheck disable=SC2086
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
    else
        echo "The tests need these Debian packages:$missing. Install them: sudo apt-get install$missing" >&2
    fi
fi

if [ -n "$viewers" ] && [ ! -d "$viewers/$ohif" ]; then
    rm -rf "$viewers"
    mkdir -p "$viewers/unpacked"
    (cd "$viewers" && npm pack --silent "@ohif/app@$ohif" >/dev/null)
    echo "$ohif_sha512  $viewers/ohif-app-$ohif.tgz" | sha512sum --check --quiet
    tar -xzf "$viewers/ohif-app-$ohif.tgz" -C "$viewers/unpacked"
    mv "$viewers/unpacked/package/dist" "$viewers/$ohif"
    rm -rf "$viewers/unpacked" "$viewers/ohif-app-$ohif.tgz"
fi
