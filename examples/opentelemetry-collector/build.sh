#!/bin/sh
# Builds the real OpenTelemetry Collector with the parts named in builder.yaml (ocb, Go 1.25 or newer; minutes on a
# first run). The binary stays outside the repository: FINOPS_OTELCOL, else otelcol-finops in ~/.cache/agent-finops.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
version=$(sed -n 's/^  version: //p' "$here/builder.yaml")
binary=${FINOPS_OTELCOL:-${XDG_CACHE_HOME:-$HOME/.cache}/agent-finops/otelcol-finops}
if [ -x "$binary" ] && cmp -s "$here/builder.yaml" "$binary.yaml"; then
    echo "$binary is there already, version $version"
    exit 0
fi
command -v go >/dev/null || { echo "Go is needed to build the Collector" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export CGO_ENABLED=0
GOBIN=$work/bin go install "go.opentelemetry.io/collector/cmd/builder@v$version"
sed "s|^dist:|dist:\n  output_path: $work/source|" "$here/builder.yaml" >"$work/builder.yaml"
# The builder also tidies, for which it wants modules of other people's tests, and some registries have not all of
# those. What it wrote by then is all that the build itself needs.
"$work/bin/builder" --config "$work/builder.yaml" --skip-compilation >"$work/log" 2>&1 || true
test -f "$work/source/main.go" || { cat "$work/log" >&2; exit 1; }
cd "$work/source"
go build -mod=mod -trimpath -ldflags="-s -w" -o "$work/otelcol-finops" .
mkdir -p "$(dirname "$binary")"
mv "$work/otelcol-finops" "$binary"
cp "$here/builder.yaml" "$binary.yaml" # what it was built with: when that changes, it is built anew
"$binary" --version
