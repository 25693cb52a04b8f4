# Knative's view of the functions, from what they say of themselves: one
# document a file, as {path, text}.
#
# A function is a Service of its own, cluster-local: the gateway is what clients
# reach.  One that has a schedule is a CronJob of the same image instead.

include "api";

def quoted: tojson;
def kebab: gsub("_"; "-");
def indented($by): split("\n") | map(if . == "" then . else (" " * $by) + . end) | join("\n");

def has($setting): any(.settings[]; .name == $setting);

# What is asked for most stays ready; the rest may go to nothing.
def is_hot: any(.endpoints[]; .cache != null) or any(.endpoints[]; .waits);
def is_scheduled: any(.endpoints[]; .every_s > 0);
# A job of these runs for most of each minute; as a Service, which the pings keep
# up, it keeps its own schedule between them.
def is_frequent: any(.endpoints[]; .every_s > 0 and .every_s < 60);
def timeout: [60, ([.endpoints[].timeout_s] | max) + 10] | max;
# As many at once as there are processes: each takes one request.
def processes: if any(.endpoints[]; .waits) then 6 else 2 end;

# Where each secret lies: one Secret a purpose, so that who mounts which is
# written down here and nowhere else.
def secret_of($context):
	{
		DATABASE_URL: {name: "souk-database", key: "\($context)-url"},
		REDIS_URL: {name: "souk-redis", key: "url"},
		FINGERPRINT_SECRET: {name: "souk-secrets", key: "fingerprint"},
		REFRESH_TOKEN_SECRET: {name: "souk-tokens", key: "refresh"},
		SERVICE_TOKEN: {name: "souk-service", key: "token", served: true},
		STRIPE_SECRET_KEY: {name: "souk-stripe", key: "secret-key"},
		STRIPE_WEBHOOK_SECRET: {name: "souk-stripe-webhook", key: "secret"},
		OTEL_EXPORTER_OTLP_HEADERS: {name: "souk-traces", key: "headers", optional: true},
		OTEL_EXPORTER_OTLP_TRACES_HEADERS: {name: "souk-traces", key: "traces-headers", optional: true},
		SMTP_URL: {name: "souk-smtp", key: "url", optional: true},
		S3_ACCESS_KEY: {name: "souk-s3", key: "access-key", optional: true},
		S3_SECRET_KEY: {name: "souk-s3", key: "secret-key", optional: true}
	};

# A job is told less: nobody calls it.
def secret_env($served):
	. as $function
	| secret_of($function.context) as $secrets
	| [.settings[].name | select($secrets[.] != null and ($served or ($secrets[.].served | not)))
		| "- name: \(.)\n  valueFrom: {secretKeyRef: {name: \($secrets[.].name), key: \($secrets[.].key)"
		+ (if $secrets[.].optional then ", optional: true" else "" end) + "}}"];

# A key's file has its id for a name.
def key_env:
	[if has("JWT_PUBLIC_KEYS_DIR") then "- {name: JWT_PUBLIC_KEYS_DIR, value: /keys/public}" else empty end,
	 if has("JWT_PRIVATE_KEY_FILE") then
		"- name: SIGNING_KEY_ID\n  valueFrom: {secretKeyRef: {name: souk-signing-key, key: kid}}",
		"- {name: JWT_PRIVATE_KEY_FILE, value: /keys/private/$(SIGNING_KEY_ID).pem}"
	 else empty end];

def key_mounts:
	[if has("JWT_PUBLIC_KEYS_DIR") then "- {name: public-keys, mountPath: /keys/public, readOnly: true}" else empty end,
	 if has("JWT_PRIVATE_KEY_FILE") then "- {name: private-key, mountPath: /keys/private, readOnly: true}" else empty end];

def key_volumes:
	[if has("JWT_PUBLIC_KEYS_DIR") then "- {name: public-keys, secret: {secretName: souk-public-keys}}" else empty end,
	 if has("JWT_PRIVATE_KEY_FILE") then "- {name: private-key, secret: {secretName: souk-signing-key}}" else empty end];

def labels($name):
	"app.kubernetes.io/name: \($name)\napp.kubernetes.io/part-of: souk\nsouk/context: \(.context)"
	+ (if is_hot then "\nsouk/traffic: hot" else "" end)
	+ (if has("K_SINK") then "\nsouk/events: known" else "" end);

def security:
	"allowPrivilegeEscalation: false\nreadOnlyRootFilesystem: true\nrunAsNonRoot: true\n"
	+ "runAsUser: 65532\nrunAsGroup: 65532\ncapabilities: {drop: [ALL]}\n"
	+ "seccompProfile: {type: RuntimeDefault}";

# A picture is decoded by a program of its own, in memory.
def memory: if has("PICTURE_PROGRAM") then {request: "64Mi", limit: "768Mi"} else {request: "24Mi", limit: "96Mi"} end;

# What only one who serves needs to know: how many at once, and where its
# processes count together.
def serving_env:
	["- {name: FN_WORKERS, value: \"2\"}", "- {name: FN_STATE_DIR, value: /run/souk}"]
	+ if is_frequent then ["- {name: FN_SCHEDULE, value: \"1\"}"] else [] end;

def container_rest($served):
	"env:\n" + ((if $served then serving_env else [] end) + key_env + secret_env($served) | join("\n") | indented(2))
	+ "\nenvFrom: [{configMapRef: {name: souk-settings}}]"
	+ "\nresources: {requests: {cpu: 25m, memory: \(memory.request)}, limits: {memory: \(memory.limit)}}"
	+ "\nsecurityContext:\n" + (security | indented(2))
	+ "\nvolumeMounts:\n" + (["- {name: run, mountPath: /run/souk}"] + key_mounts | join("\n") | indented(2));

def volumes:
	"volumes:\n" + (["- {name: run, emptyDir: {medium: Memory, sizeLimit: 16Mi}}"] + key_volumes | join("\n") | indented(2));

def service:
	(.binary | kebab) as $name
	| "apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata:\n  name: \($name)\n  labels:\n"
	+ (labels($name) + "\nnetworking.knative.dev/visibility: cluster-local" | indented(4))
	+ "\nspec:\n  template:\n    metadata:\n      labels:\n" + (labels($name) | indented(8))
	+ "\n      annotations:\n" + (
		"autoscaling.knative.dev/min-scale: \"\(if is_hot then 1 else 0 end)\"\n"
		+ "autoscaling.knative.dev/max-scale: \"\(if is_hot then 10 else 5 end)\"\n"
		+ "autoscaling.knative.dev/target-utilization-percentage: \"80\"\n"
		+ "autoscaling.knative.dev/scale-to-zero-pod-retention-period: \"5m\"" | indented(8))
	+ "\n    spec:\n      serviceAccountName: souk-function\n      automountServiceAccountToken: false\n"
	+ "      enableServiceLinks: false\n      containerConcurrency: \(processes)\n"
	+ "      timeoutSeconds: \(timeout)\n      containers:\n"
	+ ("- name: user-container\n  image: souk/\($name)\n  ports: [{name: http1, containerPort: 8080}]\n"
		+ (container_rest(true) | indented(2)) + "\n"
		+ "  readinessProbe: {httpGet: {path: /health}, periodSeconds: 5, failureThreshold: 2}\n"
		+ "  livenessProbe: {httpGet: {path: /health}, periodSeconds: 10, failureThreshold: 3}" | indented(8))
	+ "\n" + (volumes | indented(6))
	+ (if is_hot then "\n---\napiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata:\n  name: \($name)\n"
		+ "spec:\n  maxUnavailable: 1\n  selector:\n    matchLabels: {app.kubernetes.io/name: \($name), app.kubernetes.io/part-of: souk}"
	else "" end);

# Every how many minutes, as cron has it.
def minutes: ([.endpoints[].every_s] | min) as $s | [($s / 60 | floor), 1] | max;
def schedule: if minutes == 1 then "* * * * *" elif minutes < 60 then "*/\(minutes) * * * *" else "17 * * * *" end;

def cron_job:
	(.binary | kebab) as $name
	| "apiVersion: batch/v1\nkind: CronJob\nmetadata:\n  name: \($name)\n  labels:\n" + (labels($name) | indented(4))
	+ "\nspec:\n  schedule: \"\(schedule)\"\n  concurrencyPolicy: Forbid\n  startingDeadlineSeconds: 30\n"
	+ "  successfulJobsHistoryLimit: 1\n  failedJobsHistoryLimit: 3\n  jobTemplate:\n    metadata:\n      labels:\n"
	+ (labels($name) | indented(8))
	+ "\n    spec:\n      backoffLimit: 0\n      activeDeadlineSeconds: \(if is_frequent then 120 else timeout * 2 end)\n"
	+ "      ttlSecondsAfterFinished: 600\n      template:\n        metadata:\n          labels:\n" + (labels($name) | indented(12))
	+ "\n        spec:\n          restartPolicy: Never\n          serviceAccountName: souk-function\n"
	+ "          automountServiceAccountToken: false\n          enableServiceLinks: false\n          containers:\n"
	+ ("- name: function\n  image: souk/\($name)\n  command: [\"/app/\(.binary)\"]\n"
		+ "  args: \(if is_frequent then ["--for", "55"] else ["--once", "POST", .endpoints[0].path] end | tojson)\n"
		+ (container_rest(false) | indented(2)) | indented(12))
	+ "\n" + (volumes | indented(10));

# The same as a Service that a PingSource calls, for who has Eventing and would
# rather not have pods come and go each minute.  The gateway is between them: it
# has the service token, which a PingSource has no way to send.
def ping_source:
	(.binary | kebab) as $name
	| service + "\n---\napiVersion: sources.knative.dev/v1\nkind: PingSource\nmetadata:\n  name: \($name)\n  labels:\n"
	+ (labels($name) | indented(4))
	+ "\nspec:\n  schedule: \"\(schedule)\"\n  sink:\n    ref: {apiVersion: v1, kind: Service, name: pings}\n"
	+ "    uri: \(.endpoints[0].path)";

# A rule a path; 16 rules are all that a route may have.
def http_match:
	(if (.path | path_parameters) == 0 then {type: "Exact", value: .path}
	else {type: "RegularExpression", value: (.path | gsub("\\{[^}]*\\}"; "[^/]+"))} end) as $path
	| "- matches:\n    - path: {type: \($path.type), value: \"\($path.value)\"}\n      method: \(.method)\n"
	+ "  filters:\n    - type: URLRewrite\n      urlRewrite: {hostname: \(.binary | kebab).souk.svc.cluster.local}\n"
	+ "  backendRefs: [{name: local-gateway, port: 80}]";

def http_route($number):
	"apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata:\n  name: souk-\($number)\n  labels:\n    app.kubernetes.io/part-of: souk\n"
	+ "spec:\n  parentRefs: [{name: souk}]\n  rules:\n" + (map(http_match) | join("\n") | indented(4));

def chunks($n): [range(0; length; $n) as $i | .[$i:$i + $n]];

def generated: "# Derived from the functions by `make derive`: do not edit.\n";

def kustomization($kind; $version): generated
	+ "apiVersion: kustomize.config.k8s.io/\($version)\nkind: \($kind)\nresources:\n"
	+ (map("  - \(.).yaml") | join("\n")) + "\n";

# Where each image is, as $where says of its name.
def images($what; where): generated + "#\n# " + $what
	+ "\napiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nimages:\n"
	+ ([(.[].binary | kebab), "knative-gateway", "simulator", "tools"]
		| map("  - {name: souk/\(.), \(where)}") | join("\n")) + "\n";

# The gateway's own functions are in its image.
functions | map(select(.context != "gateway")) as $all
| ($all | map(select(is_scheduled | not))) as $asked
| ($all | map(select(is_scheduled))) as $scheduled
| ($asked[] | {path: "knative/base/functions/\(.binary | kebab).yaml", text: (generated + service + "\n")}),
  ($scheduled[]
	| {path: "knative/base/cron/\(.binary | kebab).yaml", text: (generated + cron_job + "\n")},
	  {path: "knative/components/pingsource-cron/sources/\(.binary | kebab).yaml", text: (generated + ping_source + "\n")}),
  {path: "knative/base/functions/kustomization.yaml",
	text: ($asked | map(.binary | kebab) | kustomization("Kustomization"; "v1beta1"))},
  {path: "knative/base/cron/kustomization.yaml",
	text: ($scheduled | map(.binary | kebab) | kustomization("Kustomization"; "v1beta1"))},
  {path: "knative/components/pingsource-cron/sources/kustomization.yaml",
	text: ($scheduled | map(.binary | kebab) | kustomization("Kustomization"; "v1beta1"))},
  {path: "knative/components/images/kustomization.yaml",
	text: ($all | images("Every image by digest.  These are nobody's: deploy/container/pin writes those that\n"
			+ "# were pushed, and until then nothing can be pulled by mistake.";
		"newName: registry.example.com/souk/\(.), digest: \"sha256:\("0" * 64)\""))},
  {path: "knative/components/images-loaded/kustomization.yaml",
	text: ($all | images("Every image as `deploy/container/build --archive` names it: nodes have them already,\n"
			+ "# and Knative asks no registry for what is of dev.local.";
		"newName: dev.local/souk/\(.), newTag: trial"))},
  {path: "knative/components/httproutes/routes.yaml",
	text: (generated + ([$all[] as $f | $f.endpoints[] | select(.path | startswith("/internal/") | not) | . + {binary: $f.binary}]
		| sort_by([(.path | path_parameters), .path, .method]) | chunks(16) | to_entries
		| map(.key as $n | .value | http_route($n + 1)) | join("\n---\n")) + "\n")}
