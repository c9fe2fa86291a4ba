#!/bin/sh
# What `make helm-check` and the chart's tests need, outside the repository in ~/.cache/agent-finops: Helm and kubeconform
# (Go), promtool is Debian's; schemas of Kubernetes out of the package kubernetes-validate, and of the custom resources
# that the chart can make out of the modules that define them. Minutes on a first run.
set -eu

helm=4.3.1 kubeconform=0.7.0 kubernetes=1.37.0 gateway=1.4.0 operator=0.85.0 cnpg=1.28.0
cache=${XDG_CACHE_HOME:-$HOME/.cache}/agent-finops
python=${PYTHON:-python3}
command -v go >/dev/null || { echo "Go is needed to build Helm and kubeconform" >&2; exit 1; }
mkdir -p "$cache/bin"
export GOBIN="$cache/bin" CGO_ENABLED=0
[ -x "$GOBIN/helm" ] || go install "helm.sh/helm/v4/cmd/helm@v$helm"
[ -x "$GOBIN/kubeconform" ] || go install "github.com/yannh/kubeconform/cmd/kubeconform@v$kubeconform"
[ -f "$cache/schemas/cluster-postgresql-v1.json" ] && exit 0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
$python -m pip download --quiet --no-deps --dest "$work" "kubernetes-validate==$kubernetes"
modules=$(cd "$work" && for module in "sigs.k8s.io/gateway-api@v$gateway" \
    "github.com/prometheus-operator/prometheus-operator@v$operator" "github.com/cloudnative-pg/cloudnative-pg@v$cnpg"; do
    go mod download -json "$module" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p'
done)
$python - "$work" "v$kubernetes-local-strict" $modules <<'PYTHON'
"""The schemas as kubeconform looks them up: one file a kind, references within the folder."""
import json, pathlib, sys, zipfile
import yaml

yaml.SafeLoader.add_constructor("tag:yaml.org,2002:value", lambda loader, node: node.value)

work, version, *modules = sys.argv[1:]
out = pathlib.Path(work) / "schemas"
out.mkdir()
wheel = zipfile.ZipFile(next(pathlib.Path(work).glob("*.whl")))
for name in wheel.namelist():
    if f"/{version}/" in name and name.endswith(".json"):
        text = wheel.read(name).decode().replace('"/api/_definitions.json', '"_definitions.json')
        schema = json.loads(text)
        schema.pop("$id", None)
        (out / pathlib.Path(name).name).write_text(json.dumps(schema))


def strict(schema):
    """Nothing that a custom resource does not declare may be there."""
    if isinstance(schema, dict):
        if "properties" in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
            schema.setdefault("additionalProperties", False)
        for value in schema.values():
            strict(value)
    elif isinstance(schema, list):
        for value in schema:
            strict(value)
    return schema


for module in modules:
    places = ["config/crd/standard/*.yaml", "example/prometheus-operator-crd/*.yaml", "config/crd/bases/postgresql.*.yaml"]
    for path in (path for place in places for path in pathlib.Path(module).glob(place)):
        for crd in yaml.safe_load_all(path.read_text()):
            if not crd or crd["kind"] != "CustomResourceDefinition":
                continue
            group = crd["spec"]["group"].partition(".")[0]
            for served in crd["spec"]["versions"]:
                schema = strict(served["schema"]["openAPIV3Schema"])
                schema["properties"]["metadata"] = {"type": "object"}
                name = f"{crd['spec']['names']['kind'].lower()}-{group}-{served['name']}.json"
                (out / name).write_text(json.dumps(schema))
PYTHON
rm -rf "$cache/schemas"
mv "$work/schemas" "$cache/schemas"
echo "$(ls "$cache/schemas" | wc -l) schemas in $cache/schemas"
