{{/* Labels of every object. `component` is what the object is for. */}}
{{- define "voxplane.labels" -}}
app.kubernetes.io/name: voxplane
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/part-of: voxplane
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end }}

{{/* What selects the pods of a component. Never changes: a Deployment's selector is immutable. */}}
{{- define "voxplane.selector" -}}
app.kubernetes.io/name: voxplane
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* Image of a component. */}}
{{- define "voxplane.image" -}}
{{- printf "%s/%s:%s" .root.Values.image.repository .component (.root.Values.image.tag | default .root.Chart.AppVersion) -}}
{{- end }}

{{- define "voxplane.runtimeImage" -}}
{{- .Values.runtime.image | default (include "voxplane.image" (dict "root" . "component" "agent-runtime")) -}}
{{- end }}

{{/* Names of the Secrets, and a clear word when neither a Secret nor its values are given. */}}
{{- define "voxplane.postgresSecret" -}}
{{- if .Values.postgres.existingSecret -}}
{{- .Values.postgres.existingSecret -}}
{{- else if and .Values.postgres.ownerUrl .Values.postgres.appUrl .Values.postgres.jobsUrl -}}
voxplane-postgres
{{- else -}}
{{- fail "postgres: set `postgres.existingSecret`, or `postgres.ownerUrl`, `postgres.appUrl` and `postgres.jobsUrl`" -}}
{{- end -}}
{{- end }}

{{- define "voxplane.livekitSecret" -}}
{{- if .Values.livekit.existingSecret -}}
{{- .Values.livekit.existingSecret -}}
{{- else if and .Values.livekit.url .Values.livekit.apiKey .Values.livekit.apiSecret -}}
voxplane-livekit
{{- else -}}
{{- fail "livekit: set `livekit.existingSecret`, or `livekit.url`, `livekit.apiKey` and `livekit.apiSecret`" -}}
{{- end -}}
{{- end }}

{{- define "voxplane.authSecret" -}}
{{- .Values.auth.existingSecret | default "voxplane-auth" -}}
{{- end }}

{{/* One environment variable from a Secret. */}}
{{- define "voxplane.secretEnv" -}}
- name: {{ .name }}
  valueFrom:
    secretKeyRef:
      name: {{ .secret }}
      key: {{ .key }}
      {{- if .optional }}
      optional: true
      {{- end }}
{{- end }}

{{/* LiveKit's address and key, as API and operator read them. */}}
{{- define "voxplane.livekitEnv" -}}
{{- $secret := include "voxplane.livekitSecret" . -}}
{{ include "voxplane.secretEnv" (dict "name" "VOXPLANE_LIVEKIT_URL" "secret" $secret "key" "url") }}
{{ include "voxplane.secretEnv" (dict "name" "VOXPLANE_LIVEKIT_API_KEY" "secret" $secret "key" "api-key") }}
{{ include "voxplane.secretEnv" (dict "name" "VOXPLANE_LIVEKIT_API_SECRET" "secret" $secret "key" "api-secret") }}
{{- end }}

{{/* Pod Security `restricted`, and nothing can be written. */}}
{{- define "voxplane.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "voxplane.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* Seconds until the last load balancer has noticed that a pod is unready: twice what the probes need. */}}
{{- define "voxplane.shutdownDelay" -}}
{{- mul .periodSeconds .failureThreshold 2 -}}
{{- end }}

{{/* The delay, and as long again and half for what is under way. */}}
{{- define "voxplane.gracePeriod" -}}
{{- mul .periodSeconds .failureThreshold 5 -}}
{{- end }}

{{/* Probes of the admin port. Liveness is patient: a restart helps against a hang only. */}}
{{- define "voxplane.probes" -}}
startupProbe:
  httpGet: { path: /healthz, port: admin }
  periodSeconds: 1
  failureThreshold: 60
readinessProbe:
  httpGet: { path: /readyz, port: admin }
  periodSeconds: {{ .periodSeconds }}
  failureThreshold: {{ .failureThreshold }}
livenessProbe:
  httpGet: { path: /healthz, port: admin }
  periodSeconds: {{ mul .periodSeconds 2 }}
  failureThreshold: {{ mul .failureThreshold 2 }}
{{- end }}

{{/* Placement of a component's pods. */}}
{{- define "voxplane.placement" -}}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    {{- if eq .values.spread "Required" }}
    whenUnsatisfiable: DoNotSchedule
    # Else a node that is down would count as one with room, and no other could take its replica.
    nodeTaintsPolicy: Honor
    {{- else }}
    whenUnsatisfiable: ScheduleAnyway
    {{- end }}
    labelSelector:
      matchLabels:
        {{- include "voxplane.selector" . | nindent 8 }}
  # Never a must: clusters of one zone, or without zones, are common.
  - maxSkew: 1
    topologyKey: topology.kubernetes.io/zone
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "voxplane.selector" . | nindent 8 }}
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with .values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
