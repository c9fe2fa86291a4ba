#!/bin/sh
# The client libraries that docs/coming-from-*.md tell of, each in an environment of its own in ~/.cache/agent-finops/clients.
# The argument is the bin folder whose python and uv make them.
set -eu

bin=$1
cache=${XDG_CACHE_HOME:-$HOME/.cache}/agent-finops/clients
mkdir -p "$cache"
client() {
    name=$1
    shift
    [ "$(cat "$cache/$name/installed.txt" 2>/dev/null)" = "$*" ] && return
    echo "installing $* into $cache/$name"
    "$bin/uv" venv --quiet --clear --python "$bin/python" "$cache/$name"
    "$bin/uv" pip install --quiet --python "$cache/$name/bin/python" "$@"
    echo "$*" >"$cache/$name/installed.txt"
}

client langfuse langfuse==5.0.4 openai==3.51.0
client phoenix arize-phoenix-otel==0.17.2 openinference-instrumentation-openai==0.1.66 openai==3.51.0
client openlit openlit==1.45.0 openai==2.54.0
client litellm litellm==1.108.7 opentelemetry-sdk opentelemetry-exporter-otlp-proto-http
client mlflow mlflow==3.17.2 openai==3.51.0 opentelemetry-exporter-otlp-proto-http
