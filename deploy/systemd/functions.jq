# systemd's view of the functions, from what they say of themselves: what each
# may know and do beyond the templates in system/, as {path, text} a file.
#
# Every secret is a credential of the same name, read from /etc/souk/credentials,
# and given to nobody who does not declare it.  An optional one may be absent.

include "api";

def has($setting): any(.settings[]; .name == $setting);
def every: [.endpoints[].every_s | select(. > 0)] | min // 0;
# These stay, keep their own schedule and are woken when there is something to do;
# the others are started by a timer.
def is_resident: every > 0 and every < 60;
def is_timed: every >= 60;

# Contexts that share a database role share a user.
def user: "souk-" + (if .context == "auth" then "users" else .context end);

# A line break is as good as nothing: systemd has no other way to say "if it is there".
def credential:
	"LoadCredential=\(.name):/etc/souk/credentials/\(.file // .name)"
	+ if .required then "" else "\nSetCredential=\(.name):\\n" end;

def credentials:
	.context as $context
	| [.settings[] | select(.type == "secret")
		| if .name == "DATABASE_URL" then . + {file: "DATABASE_URL.\($context)"} else . end
		| credential],
	  if has("JWT_PRIVATE_KEY_FILE") then
		[{name: "JWT_PRIVATE_KEY", required: true} | credential]
		+ ["Environment=JWT_PRIVATE_KEY_FILE=%d/JWT_PRIVATE_KEY"]
	  else [] end
	| .[];

# Who speaks with the world, and not only with Postgres and Redis.
def goes_out: any(.settings[].name;
	IN("STRIPE_SECRET_KEY", "STRIPE_API_BASE", "S3_ENDPOINT", "SMTP_URL", "K_SINK"));

def needs:
	(if has("JWT_PUBLIC_KEYS_DIR") then "Environment=JWT_PUBLIC_KEYS_DIR=/etc/souk/keys/public" else empty end),
	(if has("FN_SOCKETS_DIR") then "Environment=FN_SOCKETS_DIR=/run/souk/fn", "SupplementaryGroups=souk-gateway" else empty end),
	(if has("MEDIA_CACHE_DIR") then "Environment=MEDIA_CACHE_DIR=/run/souk/media", "ReadWritePaths=/run/souk/media" else empty end),
	(if has("MAIL_DIR") then "Environment=MAIL_DIR=/var/lib/souk/mail", "StateDirectory=souk/mail", "StateDirectoryMode=0700" else empty end),
	# Hashing passwords is done at a lower priority.
	(if has("HASH_CONCURRENCY") then "SystemCallFilter=setpriority" else empty end),
	# The program that decodes pictures limits itself, and needs memory.
	(if has("PICTURE_PROGRAM") then "SystemCallFilter=setrlimit prlimit64", "MemoryMax=1G", "KillMode=mixed" else empty end),
	(if goes_out then empty else "IPAddressDeny=any", "IPAddressAllow=localhost" end);

def described: [.endpoints[] | "\(.method) \(.path)"] | .[0];
def head: "# Derived from the functions by `make derive`: do not edit.\n";

def function_unit: head
	+ "[Unit]\nDescription=Souk: \(described)\n\n[Service]\nUser=\(user)\n"
	+ ([credentials, needs,
	    (if is_resident then "Environment=FN_SCHEDULE=1 FN_WORKERS=1 FN_SLEEP_S=0", "Restart=always" else empty end)]
		| map(. + "\n") | add);

def cron_unit: head
	+ "[Unit]\nDescription=Souk: a run of \(described)\n\n[Service]\nUser=\(user)\n"
	+ ([credentials, needs, "Environment=CRON_PATH=\(.endpoints[0].path)"] | map(. + "\n") | add);

def timer_unit: head
	+ "[Unit]\nDescription=Souk: the schedule of \(described)\n\n[Timer]\nOnUnitActiveSec=\(every)s\n";

def units: "deploy/systemd/units/";

functions
| (.[] | . as $f
	| {path: "\(units)souk-fn@\(.binary).service.d/50-function.conf", text: function_unit},
	  if is_timed then
		{path: "\(units)souk-cron@\(.binary).service.d/50-function.conf", text: cron_unit},
		{path: "\(units)souk-cron@\(.binary).timer.d/50-schedule.conf", text: timer_unit}
	  else empty end),
  # What souk.target wants: a line each.
  {path: "\(units)wanted", text: (head + ([.[] | "souk-fn@\(.binary).socket",
	(if is_resident then "souk-fn@\(.binary).service" else empty end),
	(if is_timed then "souk-cron@\(.binary).timer" else empty end)] | sort | join("\n")) + "\n")},
  {path: "\(units)souk.sysusers", text: (head
	+ "g souk - -\n"
	+ ([.[] | user] + ["souk-http", "souk-migrate"] | unique
		| map("u \(.) - \"Souk, a shop\" /\n") | add))}
