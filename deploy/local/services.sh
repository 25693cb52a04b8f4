# shellcheck shell=bash
# deploy/local/services.sh: how each service of the stack is started.

# The newest Postgres there is, or the one that made the cluster.
find_postgres() {
	local version bin
	PG_BIN=
	if [[ -e ${RUN-}/pg/PG_VERSION ]]; then
		version=$(<"$RUN/pg/PG_VERSION")
	fi
	while read -r bin; do
		PG_BIN=$bin
	done < <(find /usr/lib/postgresql -maxdepth 3 -path "*/${version:-*}/bin/postgres" \
	    -printf '%h\n' 2>/dev/null | sort -V)
	if [[ -z $PG_BIN ]] && bin=$(command -v postgres) &&
	    [[ -z ${version-} || $(postgres -V) == *" $version."* ]]; then
		PG_BIN=${bin%/*}
	fi
	[[ $PG_BIN || -z ${version-} ]] ||
	    die "the data in $RUN are PostgreSQL $version's, which is not installed any more:" \
	        "install postgresql-$version, or start afresh with deploy/local/down --wipe"
}

find_programs() {
	local name missing=()
	find_postgres
	[[ $PG_BIN ]] || missing+=(PostgreSQL)
	[[ ! $PG_BIN =~ /postgresql/([0-9]+)/ || ${BASH_REMATCH[1]} -ge 15 ]] ||
	    die "PostgreSQL 15 or newer is wanted, and this is ${BASH_REMATCH[1]}: $PG_BIN"
	REDIS=$(command -v redis-server || command -v valkey-server) || missing+=(Redis)
	REDIS_CLI=$(command -v redis-cli || command -v valkey-cli) || true
	LIGHTTPD=$(command -v lighttpd) || missing+=(lighttpd)
	for name in openssl curl jq flock setsid setpriv; do
		command -v "$name" >/dev/null || missing+=("$name")
	done
	[[ ${#missing[@]} -eq 0 ]] ||
	    die "not installed: ${missing[*]}; run deploy/local/install run"
}

#
# Postgres: a cluster of our own behind a Unix socket.
#

# A directory that Postgres's user owns.
pg_dir() {
	mkdir -p -- "$1"
	[[ $EUID -ne 0 ]] || chown -- "$PG_USER:" "$1"
	chmod 700 -- "$1"
}

# Under another name until it is whole, so that a kill leaves no half cluster.
make_cluster() {
	local sync=()
	[[ ${PG_FSYNC-on} == on ]] || sync=(--no-sync)
	rm -rf -- "$RUN/pg.new"
	pg_dir "$RUN/pg.new"
	if ! (cd "$RUN/pg.new" && as_pg env LC_ALL=C "$PG_BIN/initdb" -D "$RUN/pg.new" \
	    -U souk_super -A peer -E UTF8 --locale=C.UTF-8 "${sync[@]}") \
	    >"$RUN/log/initdb.log" 2>&1; then
		tail -n 8 -- "$RUN/log/initdb.log" | sed 's/^/  | /' >&2
		die 'initdb could not make a database cluster'
	fi
	mv -- "$RUN/pg.new" "$RUN/pg"
}

# An eighth of the memory, 64 MB to 1 GB.  It is taken up as it is used: what a
# small shop needs is little, and a page of a large one costs a tenth in here of
# what it does in the system's cache.
shared_buffers() {
	awk '$1 == "MemTotal:" { mb = int($2 / 8192) }
		END { print (mb < 64 ? 64 : mb > 1024 ? 1024 : mb) "MB" }' /proc/meminfo
}

# archiving: whether what is written is kept a second time (deploy/backup).
archiving() {
	if [[ ! ${STACK[WAL_ARCHIVE]-} ]]; then
		printf '%s\n' '# Nothing replicates from here.' 'wal_level = minimal' 'max_wal_senders = 0'
		return
	fi
	cat <<-END
	wal_level = replica
	max_wal_senders = 4
	archive_mode = on
	# At most so much is lost with the machine.
	archive_timeout = 60
	archive_command = '$(archive_command "${STACK[WAL_ARCHIVE]}")'
	END
}

# archive_command DIR: a file appears whole, and never in place of another.
# Postgres asks again for what it does not know to be there.
archive_command() {
	local to=$1/wal/%f.gz
	printf '%s' "if test -e $to; then gzip -dc $to | cmp -s - %p; " \
	    "else gzip -c %p >$to.new && sync $to.new && mv $to.new $to && sync $1/wal; fi"
}

# restore_command DIR: fails where there is no such file, which is the end.
restore_command() {
	printf '%s' "test -e $1/wal/%f.gz && gzip -dc $1/wal/%f.gz >%p"
}

# make_archive DIR: for this cluster and no other.
make_archive() {
	local of
	[[ $1 =~ ^[A-Za-z0-9/._+-]+$ ]] || die "WAL_ARCHIVE=$1: letters, digits and . _ + - / only"
	of=$("$PG_BIN/pg_controldata" -D "$RUN/pg" | sed -n 's/^Database system identifier: *//p')
	(umask 022 && mkdir -p -- "$(dirname -- "$1")")
	mkdir -p -- "$1/base"
	[[ -e $1/cluster ]] || printf '%s\n' "$of" >"$1/cluster"
	[[ $(<"$1/cluster") == "$of" ]] ||
	    die "WAL_ARCHIVE=$1 is of another cluster than the one in $RUN: choose an empty directory"
	if [[ $EUID -eq 0 ]]; then
		chgrp -- "$(id -g "$PG_USER")" "$1"
		chmod 710 -- "$1"
	fi
	pg_dir "$1/wal"
	(cd / && as_pg test -w "$1/wal") || die "user $PG_USER, who runs Postgres, cannot get to $1/wal"
}

configure_postgres() {
	local user
	cat >"$RUN/pg/postgresql.conf" <<-END
	cluster_name = 'souk'
	listen_addresses = ''
	unix_socket_directories = '$RUN/pgsock'
	unix_socket_permissions = 0700
	# A connection for each process that has been asked lately, and the sweepers.
	max_connections = 500
	shared_buffers = $(shared_buffers)
	# In files of its own: what a user has in /dev/shm is removed by systemd-logind
	# when he logs out, and a container has little of it.
	dynamic_shared_memory_type = mmap
	fsync = ${PG_FSYNC:-on}
	$(archiving)
	min_wal_size = 32MB
	max_wal_size = 256MB
	# Short statements: compiling them costs more than it saves.
	jit = off
	password_encryption = 'scram-sha-256'
	timezone = 'UTC'
	log_timezone = 'UTC'
	log_checkpoints = off
	log_line_prefix = '%m [%p] %u@%d '
	END
	cat >"$RUN/pg/pg_hba.conf" <<-END
	local all         souk_super peer map=stack
	local replication souk_super peer map=stack
	local all         all        scram-sha-256
	END
	# Root too: the suites that are root's ask it of a user's stack.
	for user in "$(id -un)" "$PG_USER" root; do
		printf 'stack "%s" souk_super\n' "$user"
	done | sort -u >"$RUN/pg/pg_ident.conf"
	[[ $EUID -ne 0 ]] ||
	    chown -- "$PG_USER:" "$RUN"/pg/{postgresql,pg_hba,pg_ident}.conf
}

# Needs find_programs(); returns before it answers.
start_postgres() {
	stop_service postgres
	pg_dir "$RUN/pgsock"
	[[ -e $RUN/pg/PG_VERSION ]] || make_cluster
	configure_postgres
	if [[ $EUID -eq 0 ]]; then
		spawn postgres setpriv --reuid="$PG_USER" --regid="$(id -g "$PG_USER")" \
		    --init-groups -- "$PG_BIN/postgres" -D "$RUN/pg"
	else
		spawn postgres "$PG_BIN/postgres" -D "$RUN/pg"
	fi
}

postgres_answers() {
	"$PG_BIN/pg_isready" -q -h "$RUN/pgsock" -d postgres
}

# super_psql DATABASE ARGUMENT...
super_psql() {
	local database=$1
	shift
	"$PG_BIN/psql" -X -q -A -t -v ON_ERROR_STOP=1 "$(superuser_url "$database")" "$@"
}

# make_roles: the cluster's roles, and the database where it is missing.
make_roles() {
	local name passwords=()
	for name in $(role_passwords); do
		passwords+=("$name=${SECRETS[$name]}")
	done
	(
		export "${passwords[@]}"
		super_psql postgres -v souk_database=souk -f "$REPO/schema/roles.sql"
	) || die 'schema/roles.sql failed'
}

#
# Redis: a cache, so nothing of it is kept.
#

start_redis() {
	stop_service redis
	cat >"$RUN/redis/redis.conf" <<-END
	port 0
	unixsocket $RUN/redis/redis.sock
	unixsocketperm 700
	dir $RUN/redis
	daemonize no
	save ""
	appendonly no
	maxmemory 64mb
	maxmemory-policy allkeys-lru
	END
	spawn redis "$REDIS" "$RUN/redis/redis.conf"
}

redis_answers() {
	[[ $("$REDIS_CLI" -s "$RUN/redis/redis.sock" ping 2>/dev/null) == PONG ]]
}

#
# The functions, under their supervisor.
#

# What a running supervisor was started with; another answer, another start.
functions_are() {
	{
		cat -- "$RUN"/env/*.env
		stat -c '%n %Y %s' -- "$BIN"/* "$TOOLS/supervisor"
	} | sha256sum
}

start_functions() {
	local name passed=()
	stop_service functions
	# Sanitizers are told through these; proxies and trusted roots matter
	# to the real Stripe.
	for name in ASAN_OPTIONS UBSAN_OPTIONS LSAN_OPTIONS HTTPS_PROXY https_proxy \
	    NO_PROXY no_proxy SSL_CERT_FILE SSL_CERT_DIR; do
		[[ -z ${!name-} ]] || passed+=("$name=${!name}")
	done
	spawn functions "${passed[@]}" "$TOOLS/supervisor" --run "$RUN" --bin "$BIN"
}

# The supervisor says so when all their sockets accept connections.
functions_listen() {
	[[ -s $RUN/supervisor.pid ]]
}

#
# The gateway.
#

gateway_is() {
	{
		printf '%s\n' "$PORT" "$SIM_PORT" "${ALLOWED_ORIGINS-}"
		cat -- "$REPO"/gateway-conf/*.conf "$REPO"/gateway-conf/at-start "$REPO"/gateway-conf/www/*
	} | sha256sum
}

# Absolute paths: lighttpd executes itself again for a graceful restart.
start_gateway() {
	stop_service gateway
	spawn gateway SOUK_BIND=127.0.0.1 SOUK_PORT="$PORT" SIM_PORT="$SIM_PORT" \
	    SOUK_RUN="$RUN" SOUK_CONF="$REPO/gateway-conf" SOUK_WWW="$REPO/gateway-conf/www" \
	    ALLOWED_ORIGINS="${ALLOWED_ORIGINS-}" \
	    "$LIGHTTPD" -D -f "$REPO/gateway-conf/simulator.conf"
}

gateway_answers() {
	curl -fsS --noproxy '*' --max-time 5 -o /dev/null "http://127.0.0.1:$PORT/health"
}

# unwell: what does not answer, as the gateway's readiness check finds it.
unwell() {
	curl -sS --noproxy '*' --max-time 5 "http://127.0.0.1:$PORT/health/all" 2>/dev/null |
	    jq -e -r 'if .status == "healthy" then "" else
	        [.dependencies, .functions | objects | to_entries[]
	            | select(.value == "down") | .key] | join(" ")
	        | if . == "" then "gateway-health_all" else . end end' 2>/dev/null ||
	    echo gateway-health_all
}

all_well() {
	[[ -z $(unwell) ]]
}
