# Compose's view of the functions, from what they say of themselves: a service
# each, told what it declares and no more.
#
# They are reached by sockets in a volume that the gateway has too, so no function
# has a port, nor a network that the world could come in by.

include "api";

def kebab: gsub("_"; "-");
def has($setting): any(.settings[]; .name == $setting);
def is_scheduled: any(.endpoints[]; .every_s > 0);
# Who talks to somebody who is not in this file.
def calls_out: has("STRIPE_SECRET_KEY") or has("SMTP_URL") or has("K_SINK") or has("S3_ENDPOINT");
def memory: if has("PICTURE_PROGRAM") then "768m" else "96m" end;

# In which file of secret/ each secret is; ids of keys are no secret.
def secret_of($context): {
	DATABASE_URL: "database-\($context)",
	FINGERPRINT_SECRET: "fingerprint",
	REFRESH_TOKEN_SECRET: "refresh-token",
	S3_SECRET_KEY: "s3-secret-key",
	SERVICE_TOKEN: "service-token",
	SIM_SECRET_KEY: "stripe-secret-key",
	STRIPE_SECRET_KEY: "stripe-secret-key",
	STRIPE_WEBHOOK_SECRET: "stripe-webhook-secret"
};
def settings: [.settings[].name] | unique;
def secrets_known: secret_of(.context) as $of | [settings[] | select($of[.] != null) | {name: ., file: $of[.]}];

# What is the same for all who ask for it.
def told: {
	REDIS_URL: "redis://valkey:6379",
	JWT_PUBLIC_KEYS_DIR: "/keys/public",
	JWT_PRIVATE_KEY_FILE: "/keys/private/${SIGNING_KEY_ID:?run deploy/compose/prepare}.pem",
	MEDIA_CACHE_DIR: "/run/souk/media",
	FN_SOCKETS_DIR: "/run/souk/fn",
	MAIL_DIR: "/run/souk/mail",
	SMTP_URL: "${SMTP_URL-}",
	STRIPE_API_BASE: "${STRIPE_API_BASE-http://stripe-sim:8080}",
	S3_ENDPOINT: "http://minio:9000",
	S3_BUCKET: "souk",
	S3_REGION: "us-east-1",
	S3_ACCESS_KEY: "souk"
};
def environment:
	. as $function
	| [settings[] | select(told[.] != null) | "\(.): \(told[.] | tojson)"]
	+ [secrets_known[] | "\(.name)_FILE: /run/secrets/\(.file)"]
	+ (if is_scheduled then ["FN_SCHEDULE: \"1\""] else [] end);

def volumes:
	["sockets:/run/souk/fn", "counters:/run/souk/state"]
	+ (if has("MEDIA_CACHE_DIR") then ["media:/run/souk/media"] else [] end)
	+ (if has("MAIL_DIR") then ["mail:/run/souk/mail"] else [] end)
	+ (if has("JWT_PUBLIC_KEYS_DIR") then ["./secret/keys/public:/keys/public:ro"] else [] end)
	+ (if has("JWT_PRIVATE_KEY_FILE") then ["./secret/keys/private:/keys/private:ro"] else [] end);

def service:
	(.binary | kebab) as $name
	| "  \($name):\n    <<: *function\n    image: souk/\($name):${TAG:-latest}\n"
	+ "    build: {<<: *build, args: {FUNCTION: \(.binary)}}\n    mem_limit: \(memory)\n"
	+ "    environment:\n      <<: *told\n" + (environment | map("      \(.)\n") | add)
	+ "    secrets: [\([secrets_known[].file] | unique | join(", "))]\n"
	+ "    networks: [\(if calls_out then "data, outside" else "data" end)]\n"
	+ "    volumes:\n" + (volumes | map("      - \(.)\n") | add);

functions | map(select(.context != "gateway")) | sort_by(.binary)
| "# Derived from the functions by `make derive`: do not edit.\n"
+ "#\n# The settings they share are in settings.env, and what is theirs alone is here.\n"
+ "x-function: &function\n"
+ "  command: [\"--run\", \"/run/souk\", \"--bin\", \"/app\"]\n"
+ "  entrypoint: [\"/usr/bin/supervisor\"]\n"
+ "  env_file: [settings.env]\n"
+ "  user: \"65532:65532\"\n  read_only: true\n  cap_drop: [ALL]\n"
+ "  security_opt: [\"no-new-privileges:true\"]\n  pids_limit: 64\n"
+ "  tmpfs: [\"/run/souk:mode=1777,size=16m,nosuid,nodev,noexec\"]\n"
+ "  restart: unless-stopped\n  stop_grace_period: 75s\n"
+ "  depends_on:\n    migrate: {condition: service_completed_successfully}\n    valkey: {condition: service_healthy}\n"
+ "\nx-build: &build\n  context: ../..\n  dockerfile: deploy/container/Dockerfile\n  target: function\n"
+ "\nx-told: &told\n  FN_STATE_DIR: /run/souk/state\n  FN_SLEEP_S: \"60\"\n"
+ "\nservices:\n" + (map(service) | join("\n"))
