{{/* Facts of the services that no value may change. `port` and `grace` name the setting that holds the number. */}}
{{- define "muster.facts" -}}
ingress: {secrets: [databaseUrl, amqpUrl, webhookKeys, encryptionKeys], shared: [logLevel, telegramApiUrl], port: port, portName: http, metrics: metricsPort, grace: shutdownGrace}
tgms: {secrets: [databaseUrl, amqpUrl, webhookKeys, encryptionKeys], shared: [logLevel, telegramApiUrl], webhooks: true, port: healthPort, portName: metrics, metrics: "", grace: grace}
sender: {secrets: [databaseUrl, amqpUrl, encryptionKeys], shared: [logLevel, telegramApiUrl], port: healthPort, portName: metrics, metrics: "", grace: grace, queue: group_message_queue}
dm: {secrets: [databaseUrl, amqpUrl, encryptionKeys], shared: [logLevel, telegramApiUrl], port: healthPort, portName: metrics, metrics: "", grace: grace, queue: dm_queue}
{{- end }}

{{- define "muster.variables" -}}
databaseUrl: DATABASE_URL
amqpUrl: AMQP_URL
webhookKeys: MUSTER_WEBHOOK_KEYS
encryptionKeys: MUSTER_ENCRYPTION_KEYS
{{- end }}

{{- define "muster.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{/* Short enough for every suffix: KEDA refuses names above 63 characters. */}}
{{- define "muster.fullname" -}}
{{- $name := include "muster.name" . -}}
{{- if .Values.fullnameOverride }}{{ .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* What a Deployment, a policy or a budget selects: never changed, Deployments can't. */}}
{{- define "muster.selector" -}}
app.kubernetes.io/name: {{ include "muster.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end }}

{{- define "muster.podLabels" -}}
{{ include "muster.selector" . }}
app.kubernetes.io/part-of: muster
{{- end }}

{{- define "muster.labels" -}}
{{ include "muster.podLabels" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{- define "muster.image" -}}
{{- $image := (index .root.Values.components .component).image -}}
{{- $tag := coalesce $image.tag .root.Values.image.tag .root.Chart.AppVersion -}}
{{- with .root.Values.image.registry }}{{ trimSuffix "/" . }}/{{ end }}{{ $image.repository }}:{{ $tag }}
{{- end }}

{{/* A whole number stays one: Go prints a million as 1e+06, which no setting reads. */}}
{{- define "muster.scalar" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) }}{{ int64 . }}{{ else }}{{ . }}{{ end -}}
{{- end }}

{{- define "muster.secretRef" -}}
{{- $own := dig "secrets" .entry dict (index .root.Values.components .component) -}}
{{- $shared := index .root.Values.secrets .entry -}}
secretKeyRef:
  name: {{ coalesce $own.name $shared.name .root.Values.secrets.existingSecret }}
  key: {{ coalesce $own.key $shared.key }}
{{- end }}

{{- define "muster.env" -}}
{{- $root := .root -}}
{{- $component := .component -}}
{{- $it := index $root.Values.components $component -}}
{{- $facts := index (include "muster.facts" . | fromYaml) $component -}}
{{- $variables := include "muster.variables" . | fromYaml -}}
{{- range $entry := $facts.secrets }}
{{- if not (and (eq $component "ingress") (eq $entry "encryptionKeys") (not $it.opensTokens)) }}
- name: {{ index $variables $entry }}
  valueFrom:
    {{- include "muster.secretRef" (dict "root" $root "component" $component "entry" $entry) | nindent 4 }}
{{- end }}
{{- end }}
{{- $settings := deepCopy $it.settings }}
{{- range $facts.shared }}
{{- $settings = merge $settings (dict . (index $root.Values.settings .)) }}
{{- end }}
{{- range $key, $value := $settings }}
{{- if ne (toString $value) "" }}
- name: MUSTER_{{ $key | snakecase | upper }}
  value: {{ include "muster.scalar" $value | quote }}
{{- end }}
{{- end }}
{{- include "muster.sharedEnv" $root }}
{{- with $it.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* What is not a setting of Muster's: tracing, and a certificate authority of one's own. */}}
{{- define "muster.sharedEnv" }}
{{- with .Values.tracing }}
{{- if .endpoint }}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ .endpoint | quote }}
- name: OTEL_TRACES_SAMPLER
  value: {{ .sampler | quote }}
{{- if .samplerArg }}
- name: OTEL_TRACES_SAMPLER_ARG
  value: {{ .samplerArg | quote }}
{{- end }}
- name: POD_NAME
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
- name: OTEL_RESOURCE_ATTRIBUTES
  value: k8s.namespace.name={{ $.Release.Namespace }},k8s.pod.name=$(POD_NAME)
{{- with $.Values.secrets.tracingHeaders }}
{{- if .key }}
- name: OTEL_EXPORTER_OTLP_HEADERS
  valueFrom:
    secretKeyRef:
      name: {{ .name | default $.Values.secrets.existingSecret }}
      key: {{ .key }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- if .Values.secrets.caBundle.key }}
- name: SSL_CERT_FILE
  value: /etc/muster/ca/{{ .Values.secrets.caBundle.key }}
{{- end }}
{{- end }}

{{- define "muster.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "muster.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: {{ .Values.readOnlyRootFilesystem }}
capabilities: {drop: [ALL]}
{{- end }}

{{- define "muster.mounts" -}}
- {name: tmp, mountPath: /tmp}
{{- if .Values.secrets.caBundle.key }}
- {name: ca, mountPath: /etc/muster/ca, readOnly: true}
{{- end }}
{{- end }}

{{- define "muster.volumes" -}}
- name: tmp
  emptyDir: {sizeLimit: {{ .tmp | default "64Mi" }}}
{{- with .root }}
{{- if .Values.secrets.caBundle.key }}
- name: ca
  secret:
    secretName: {{ .Values.secrets.caBundle.name | default .Values.secrets.existingSecret }}
    # That key alone: the Secret may be the one with every other in it.
    items: [{key: {{ .Values.secrets.caBundle.key }}, path: {{ .Values.secrets.caBundle.key }}}]
{{- end }}
{{- end }}
{{- end }}

{{- define "muster.pullSecrets" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- end }}

{{/* An egress rule to the peers of one entry of networkPolicy; no peers is anywhere. */}}
{{- define "muster.egress" -}}
- ports:
{{- range .ports }}
    - {port: {{ int . }}, protocol: TCP}
{{- if $.udp }}
    - {port: {{ int . }}, protocol: UDP}
{{- end }}
{{- end }}
{{- with .to }}
  to: {{- toYaml . | nindent 4 }}
{{- end }}
{{- end }}

{{- define "muster.commonEgress" -}}
{{- with .Values.networkPolicy -}}
{{ include "muster.egress" (dict "to" .dns.to "ports" .dns.ports "udp" true) }}
{{ include "muster.egress" .database }}
{{ include "muster.egress" .broker }}
{{- end }}
{{- end }}
