{{- define "devinfra.selector" -}}
app.kubernetes.io/name: muster-devinfra
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "devinfra.labels" -}}
{{ include "devinfra.selector" . }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{- define "devinfra.metadata" -}}
name: {{ .root.Values.prefix }}-{{ .component }}
namespace: {{ .root.Release.Namespace }}
labels: {{- include "devinfra.labels" . | nindent 2 }}
{{- end }}

{{- define "devinfra.service" -}}
{{- $it := index .root.Values .component -}}
apiVersion: v1
kind: Service
metadata: {{- include "devinfra.metadata" . | nindent 2 }}
spec:
  type: {{ ternary "NodePort" "ClusterIP" (not (empty $it.nodePort)) }}
  selector: {{- include "devinfra.selector" . | nindent 4 }}
  ports:
    {{- range $index, $port := .ports }}
    - name: {{ first $port }}
      port: {{ last $port }}
      targetPort: {{ first $port }}
      {{- if and $it.nodePort (eq $index 0) }}
      nodePort: {{ $it.nodePort }}
      {{- end }}
    {{- end }}
{{- end }}

{{/* What is the same in every pod; `automount` for the one that asks the API server. */}}
{{- define "devinfra.pod" -}}
{{- $it := index .root.Values .component -}}
automountServiceAccountToken: {{ .automount | default false }}
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: {{ $it.user }}
  runAsGroup: {{ $it.user }}
  fsGroup: {{ $it.user }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "devinfra.container" -}}
{{- $it := index .root.Values .component -}}
name: {{ .component }}
image: {{ $it.image | quote }}
imagePullPolicy: {{ .root.Values.imagePullPolicy }}
ports:
  {{- range .ports }}
  - {name: {{ first . }}, containerPort: {{ last . }}, protocol: TCP}
  {{- end }}
resources: {{- toYaml $it.resources | nindent 2 }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: {{ if eq .component "rabbitmq" }}false{{ else }}{{ .root.Values.readOnlyRootFilesystem }}{{ end }}
  capabilities: {drop: [ALL]}
{{- end }}

{{- define "devinfra.claim" -}}
- metadata: {name: data}
  spec:
    accessModes: [ReadWriteOnce]
    {{- with .storageClass }}
    storageClassName: {{ . }}
    {{- end }}
    resources: {requests: {storage: {{ .storage }}}}
{{- end }}
