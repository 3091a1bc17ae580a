{{- define "segnode.labels" -}}
app.kubernetes.io/name: segnode
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "segnode.selector" -}}
app.kubernetes.io/name: segnode
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .role }}
{{- end }}

{{- /* node.yaml: what the site says, over what the chart knows of itself. */}}
{{- define "segnode.node" -}}
{{- $web := dict "host" "0.0.0.0" "port" 8470 }}
{{- if .Values.web.ingress.enabled }}
{{- $_ := set $web "url" (printf "https://%s" .Values.web.ingress.host) }}
{{- end }}
{{- $own := dict "host" "0.0.0.0" "port" 11112 "data_folder" "/var/lib/segnode" "database_url" .Values.database.url "drain_s" .Values.drainSeconds "web" $web }}
{{- if .Values.ray.enabled }}
{{- $address := printf "%s-ray-head-svc:6379" .Release.Name }}
{{- /* A whole GPU, said by number: else none would be asked for where the autoscaler has yet to bring the first. */}}
{{- $_ := set $own "executor" "ray" }}
{{- $_ := set $own "ray" (dict "address" $address "workers" .Values.ray.workers.max "gpus" 1) }}
{{- end }}
{{- /* A place for results until the site names its own: not in values.yaml, which Helm mixes into what a site says. */}}
{{- if not (hasKey .Values.config.node "destinations") }}
{{- $placeholder := dict "kind" "dimse" "ae_title" "PACS" "host" "pacs.example.org" "port" 104 "accepts" (list "clinical") }}
{{- $_ := set $own "destinations" (dict "pacs" $placeholder) }}
{{- end }}
{{- toYaml (mustMergeOverwrite $own (deepCopy .Values.config.node)) }}
{{- end }}

{{- /* How long a pod may take to end: 5 s until no Service leads to it, drain_s, and 15 s for its last words. */}}
{{- define "segnode.patience" -}}
{{ add (int .Values.drainSeconds) 20 }}
{{- end }}

{{- define "segnode.podSecurity" -}}
runAsNonRoot: true
runAsUser: 8104
runAsGroup: 8104
fsGroup: 8104
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "segnode.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "segnode.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "segnode.workerImage" -}}
{{ .Values.workerImage.repository }}:{{ .Values.workerImage.tag | default .Chart.AppVersion }}
{{- end }}

{{- /* The bucket that node.yaml keeps the archive in, if it does: pods then share no disk. */}}
{{- define "segnode.bucket" -}}
{{- $url := dig "archive" "url" "" .Values.config.node }}
{{- $audit := dig "audit" "mode" "spool" .Values.config.node }}
{{- /* as text, since Helm reads `off` as a boolean */}}
{{- if and $url (eq (toString $audit) "spool") }}
{{- fail "config.node.archive.url: no pod keeps a disk then, and the audit trail must leave it: set config.node.audit (mode: syslog)" }}
{{- end }}
{{- $url }}
{{- end }}

{{- define "segnode.volumes" -}}
- name: configuration
  projected:
    sources:
      - configMap: {name: {{ .Release.Name }}}
      {{- range .Values.secretFiles }}
      - secret:
          name: {{ .secret }}
          items: [{key: {{ .key | quote }}, path: {{ .path | quote }}}]
      {{- end }}
- name: data
  {{- if include "segnode.bucket" . }}
  emptyDir: {sizeLimit: {{ .Values.archive.cacheSize }}}
  {{- else }}
  persistentVolumeClaim:
    claimName: {{ .Values.archive.existingClaim | default .Release.Name }}
  {{- end }}
- name: temporary
  emptyDir: {}
{{- end }}

{{- define "segnode.mounts" -}}
- {name: configuration, mountPath: /etc/segnode, readOnly: true}
- {name: data, mountPath: /var/lib/segnode}
- {name: temporary, mountPath: /tmp}
{{- end }}

{{- define "segnode.sharedMemory" -}}
- name: shared-memory
  emptyDir: {medium: Memory, sizeLimit: {{ . }}}
{{- end }}

{{- /* The heart of a role's Deployment; `image`, `container`, `sidecar`, `environment` and `rolling` differ, and come as
       text. */}}
{{- define "segnode.deployment" -}}
{{- $values := index .root.Values .role }}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .root.Release.Name }}-{{ .role }}
  labels:
    {{- include "segnode.labels" .root | nindent 4 }}
    app.kubernetes.io/component: {{ .role }}
spec:
  replicas: {{ $values.replicas }}
  selector:
    matchLabels:
      {{- include "segnode.selector" . | nindent 6 }}
  strategy:
    rollingUpdate: {{ .rolling | default "{maxUnavailable: 0, maxSurge: 1}" }}
  template:
    metadata:
      labels:
        {{- include "segnode.selector" . | nindent 8 }}
      annotations:
        checksum/configuration: {{ include "segnode.node" .root | cat (toJson .root.Values.config) | sha256sum }}
    spec:
      serviceAccountName: {{ .root.Release.Name }}
      automountServiceAccountToken: false
      terminationGracePeriodSeconds: {{ include "segnode.patience" .root }}
      {{- with .root.Values.imagePullSecrets }}
      imagePullSecrets:
        {{- range . }}
        - name: {{ . }}
        {{- end }}
      {{- end }}
      securityContext:
        {{- include "segnode.podSecurity" .root | nindent 8 }}
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: kubernetes.io/hostname
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels:
              {{- include "segnode.selector" . | nindent 14 }}
      {{- with $values.nodeSelector }}
      nodeSelector:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $values.tolerations }}
      tolerations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .sidecar }}
      # by its process Ray finds the member of its cluster that a program may use
      shareProcessNamespace: true
      initContainers:
        {{- . | nindent 8 }}
      {{- end }}
      containers:
        - name: {{ .role }}
          image: {{ .image | default (include "segnode.image" .root) | quote }}
          imagePullPolicy: {{ .root.Values.image.pullPolicy }}
          env:
            - {name: SEGNODE_ROLES, value: {{ .role }}}
            {{- with .root.Values.timezone }}
            - {name: TZ, value: {{ . | quote }}}
            {{- end }}
            {{- with .root.Values.database.passwordSecret }}
            {{- if .name }}
            - name: PGPASSWORD
              valueFrom:
                secretKeyRef: {name: {{ .name }}, key: {{ .key }}}
            {{- end }}
            {{- end }}
            {{- with .environment }}
            {{- . | nindent 12 }}
            {{- end }}
          {{- .container | nindent 10 }}
          resources:
            {{- toYaml $values.resources | nindent 12 }}
          securityContext:
            {{- include "segnode.containerSecurity" .root | nindent 12 }}
          volumeMounts:
            {{- include "segnode.mounts" .root | nindent 12 }}
            {{- if .sidecar }}
            - {name: shared-memory, mountPath: /dev/shm}
            {{- end }}
      volumes:
        {{- include "segnode.volumes" .root | nindent 8 }}
        {{- if .sidecar }}
        {{- include "segnode.sharedMemory" .root.Values.ray.sharedMemory | nindent 8 }}
        {{- end }}
{{- end }}
