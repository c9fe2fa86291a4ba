{{/* Names and labels. */}}
{{- define "finops.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" }}
{{- end }}

{{- define "finops.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else if contains (include "finops.name" .) .Release.Name }}
{{- .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "finops.name" .) | trunc 50 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* Labels by which pods are chosen: (list $ "collector"). */}}
{{- define "finops.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "finops.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- define "finops.labels" -}}
{{- $root := index . 0 -}}
{{ include "finops.selector" . }}
app.kubernetes.io/part-of: agent-finops
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- with $root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "finops.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "finops.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "finops.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end }}
{{- end }}

{{- define "finops.databaseSecret" -}}
{{- default (printf "%s-database" (include "finops.fullname" .)) .Values.database.existingSecret }}
{{- end }}

{{- define "finops.databaseSecretKey" -}}
{{- if .Values.database.existingSecret }}{{ .Values.database.existingSecretKey }}{{ else }}url{{ end }}
{{- end }}

{{- define "finops.authSecret" -}}
{{- default (printf "%s-tokens" (include "finops.fullname" .)) .Values.auth.existingSecret }}
{{- end }}

{{/* What every container of ours has. */}}
{{- define "finops.container" -}}
image: {{ include "finops.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  {{- toYaml .Values.securityContext | nindent 2 }}
{{- end }}

{{- define "finops.databaseEnv" -}}
- name: FINOPS_DATABASE_URL
  valueFrom:
    secretKeyRef:
      name: {{ include "finops.databaseSecret" . }}
      key: {{ include "finops.databaseSecretKey" . }}
{{- end }}

{{/* Settings of the operator's, each at most once: (dict "own" list-of-names "env" map). */}}
{{- define "finops.env" -}}
{{- range $name, $value := . }}
- name: {{ $name }}
  value: {{ $value | toString | quote }}
{{- end }}
{{- end }}

{{/* How pods are placed: (list $ .Values.collector "collector"). */}}
{{- define "finops.placement" -}}
{{- $root := index . 0 -}}{{- $role := index . 1 -}}
{{- with $role.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $role.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $role.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $role.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
topologySpreadConstraints:
{{- if $role.topologySpreadConstraints }}
  {{- toYaml $role.topologySpreadConstraints | nindent 2 }}
{{- else }}
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "finops.selector" (list $root (index . 2)) | nindent 8 }}
{{- end }}
{{- end }}

{{/* The containers that bring the schema up to date and make the tokens known: the last of them ends the work. */}}
{{- define "finops.migrationContainers" -}}
- name: migrate
  {{- include "finops.container" . | nindent 2 }}
  args: [migrate]
  env:
    {{- include "finops.databaseEnv" . | nindent 4 }}
  resources:
    {{- toYaml .Values.migration.resources | nindent 4 }}
{{- range $name, $scopes := dict "admin" (list "admin") "ingest" (list "ingest") "metrics" (list "metrics:read") }}
- name: token-{{ $name }}
  {{- include "finops.container" $ | nindent 2 }}
  args:
    - token
    - create
    - {{ printf "kubernetes-%s" $name }}
    {{- range $scopes }}
    - --scope
    - {{ . | quote }}
    {{- end }}
    - --secret-file
    - /tokens/{{ $name }}-token
  env:
    {{- include "finops.databaseEnv" $ | nindent 4 }}
  resources:
    {{- toYaml $.Values.migration.resources | nindent 4 }}
  volumeMounts:
    - name: tokens
      mountPath: /tokens
      readOnly: true
{{- end }}
{{- end }}

{{- define "finops.tokensVolume" -}}
- name: tokens
  secret:
    secretName: {{ include "finops.authSecret" . }}
    defaultMode: 0440
{{- end }}

{{/* What cannot be right is said at once. */}}
{{- define "finops.validate" -}}
{{- if and (not .Values.database.existingSecret) (not .Values.database.url) }}
{{- fail "name the ledger: database.existingSecret (a Secret with its address) or database.url" }}
{{- end }}
{{- if and .Values.database.existingSecret .Values.database.url }}
{{- fail "database.existingSecret and database.url are alternatives: set one" }}
{{- end }}
{{- if and (ne .Values.migration.mode "hook") (not .Values.auth.existingSecret) }}
{{- fail "auth.existingSecret is needed with migration.mode=initContainer: without hooks a Secret would be made anew each time" }}
{{- end }}
{{- if and .Values.api.httpRoute.enabled (not .Values.api.httpRoute.parentRefs) }}
{{- fail "api.httpRoute.parentRefs: name the Gateway" }}
{{- end }}
{{- end }}
