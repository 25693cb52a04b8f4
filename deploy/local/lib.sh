# shellcheck shell=bash
# deploy/local/lib.sh: what the commands of the local stack share.
#
# A stack is one run directory.  Its services are processes whose working
# directory is inside it: that, and not a number in a file, is how a process
# is known to be ours before it is signalled.

REPO=$(realpath -- "$(dirname -- "${BASH_SOURCE[0]}")/../..")
ME=${0##*/}
PATH=$PATH:/usr/sbin:/sbin
# Elsewhere letters have another order, and i another capital.
export LC_ALL=C.UTF-8
# shellcheck disable=SC2034 # with-stack gives it back
CALLERS_UMASK=$(umask)
umask 077

# What stack.env in the run directory remembers of the last start.
declare -A STACK=()

# In the order they start.
SERVICES=(postgres redis functions gateway)
declare -A SERVICE_DIR=([postgres]=pg [redis]=redis [functions]=fn [gateway]=lighttpd)
declare -A SERVICE_LOG=([postgres]=postgres [redis]=redis [functions]=functions [gateway]=lighttpd)
# What `make monitoring` runs beside them, each called as its program.
MONITORS=(prometheus prometheus-alertmanager prometheus-node-exporter
	prometheus-postgres-exporter prometheus-redis-exporter prometheus-blackbox-exporter)
for name in "${MONITORS[@]}"; do
	SERVICE_DIR[$name]=monitoring/$name
	SERVICE_LOG[$name]=$name
done

# The caller may talk to another Postgres by these; they are not for ours.
for name in $(compgen -v PG); do
	[[ $name == PG_FSYNC ]] || unset "$name"
done
unset name

die() {
	printf '%s: %s\n' "$ME" "$*" >&2
	exit 1
}

say() {
	[[ ${QUIET-} ]] || printf '  %s\n' "$*" 2>/dev/null || true
}

now_ms() {
	local now=${EPOCHREALTIME/[.,]/}
	printf '%s' "${now%???}"
}

# seconds_since MS: "0.4"
seconds_since() {
	local ms=$(($(now_ms) - $1))
	printf '%d.%d' $((ms / 1000)) $((ms % 1000 / 100))
}

# need_value OPTION COUNT: for options that take one.
need_value() {
	[[ $2 -ge 2 ]] || die "$1 needs a value"
}

#
# The run directory.
#

# Postgres refuses to run as root: then it is this user's.
pg_user() {
	if [[ $EUID -ne 0 ]]; then
		id -un
	elif id -u postgres >/dev/null 2>&1; then
		echo postgres
	else
		echo nobody
	fi
}

as_pg() {
	if [[ $EUID -ne 0 ]]; then
		"$@"
	else
		setpriv --reuid="$PG_USER" --regid="$(id -g "$PG_USER")" --init-groups -- "$@"
	fi
}

# A Unix socket's path has room for 107 bytes, and lighttpd's configuration,
# connection URIs and redis.conf each have their own idea of quoting.
suits_sockets() {
	[[ ${#1} -le 60 && $1 =~ ^[A-Za-z0-9/._+-]+$ ]]
}

# Can Postgres's user get there?  Asked of what exists of the path.
reaches() {
	local dir=$1
	while [[ ! -d $dir ]]; do
		dir=$(dirname -- "$dir")
	done
	(cd / && as_pg test -x "$dir")
}

# choose_run_dir [DIR]: sets RUN and PG_USER.  Without DIR it is .run in the
# checkout, or, where Postgres or a socket cannot live there, one in /var/tmp
# that is the same every time.
choose_run_dir() {
	PG_USER=$(pg_user)
	if [[ ${1-} ]]; then
		RUN=$(realpath -m -- "$1")
		suits_sockets "$RUN" ||
		    die "run directory $RUN: at most 60 letters, digits and . _ + - /, for the sockets in it"
		return 0
	fi
	RUN=$REPO/.run
	[[ ! -d $RUN || -L $RUN ]] || RUN=$(realpath -- "$RUN")
	if [[ -L $RUN ]] || ! suits_sockets "$RUN" || ! reaches "$REPO"; then
		RUN=/var/tmp/souk-$EUID-$(printf '%s' "$REPO" | sha256sum | cut -c 1-12)
	fi
}

# make_run_dir: the tree of RUN, private to us and Postgres's user.
make_run_dir() {
	local dir
	(umask 022 && mkdir -p -- "$(dirname -- "$RUN")")
	[[ -d $RUN ]] || mkdir -- "$RUN"
	[[ -O $RUN && ! -L $RUN ]] ||
	    die "$RUN belongs to user $(stat -c %U -- "$RUN"), who started a stack here:" \
	        'use --run DIR, or remove it as that user'
	[[ -e $RUN/stack.env || -z $(ls -A -- "$RUN") || -e $RUN/.lock ]] ||
	    die "$RUN is not empty and not a stack's: choose another --run"
	: >>"$RUN/.lock"
	for dir in env faults fn keys/private keys/public lighttpd log mail media pid redis state; do
		mkdir -p -- "$RUN/$dir"
	done
	if [[ $RUN == /var/tmp/souk-* && ! -e $REPO/.run && -w $REPO ]]; then
		ln -s -- "$RUN" "$REPO/.run"
	fi
	[[ $EUID -eq 0 ]] || return 0
	[[ ! -d $RUN/pg ]] || PG_USER=$(stat -c %U -- "$RUN/pg")
	reaches "$(dirname -- "$RUN")" ||
	    die "$RUN: user $PG_USER, who runs Postgres, cannot get there: choose another --run"
	chgrp -- "$(id -g "$PG_USER")" "$RUN"
	chmod 710 -- "$RUN"
}

# One command at a time on one run directory.  Services must not inherit the
# lock: spawn() closes it.
lock_run_dir() {
	exec {RUN_LOCK}>>"$RUN/.lock"
	flock -n "$RUN_LOCK" && return
	printf '%s: another command is at work on %s, waiting for it\n' "$ME" "$RUN" >&2
	flock -w 120 "$RUN_LOCK" || die "$RUN is still locked after 120 s: see status"
}

#
# KEY=value files.
#

# load_env FILE ARRAY: into an associative array.
# shellcheck disable=SC2034 # a nameref is written through
load_env() {
	local line
	local -n into=$2
	[[ -r $1 ]] || return 0
	while IFS= read -r line; do
		[[ $line == *=* ]] && into[${line%%=*}]=${line#*=}
	done <"$1"
	return 0
}

# save_env FILE ARRAY: whole or not at all.
save_env() {
	local key
	local -n from=$2
	for key in "${!from[@]}"; do
		printf '%s=%s\n' "$key" "${from[$key]}"
	done | sort >"$1.new"
	mv -f -- "$1.new" "$1"
}

#
# Processes.
#

log_of() {
	printf '%s' "$RUN/log/${SERVICE_LOG[$1]}.log"
}

# running SERVICE: sets PID.  lighttpd goes where its configuration is while a
# program in there (at-start) runs.
running() {
	PID=
	{ read -r PID <"$RUN/pid/$1"; } 2>/dev/null || return 1
	[[ $PID =~ ^[0-9]+$ ]] || return 1
	[[ /proc/$PID/cwd -ef $RUN/${SERVICE_DIR[$1]} ||
	    ( $1 == gateway && /proc/$PID/cwd -ef $REPO/gateway-conf ) ]]
}

# spawn SERVICE [NAME=VALUE...] COMMAND...: in its directory, its own session,
# a clean environment, no descriptor of ours; what it says goes to its log.
spawn() {
	local service=$1 log
	shift
	log=$(log_of "$service")
	if [[ -e $log && $(stat -c %s -- "$log") -gt 10000000 ]]; then
		mv -f -- "$log" "$log.1"
	fi
	(
		cd -- "$RUN/${SERVICE_DIR[$service]}" || exit
		for fd in /proc/self/fd/*; do
			fd=${fd##*/}
			[[ $fd -le 2 || $fd -eq 255 ]] || eval "exec $fd>&-"
		done
		# The shell has background commands ignore SIGINT, which is how
		# lighttpd is asked to stop; up ignores SIGPIPE.
		setsid env -i --default-signal=INT,QUIT,PIPE PATH="$PATH" HOME="$RUN" \
		    LANG=C.UTF-8 TZ=UTC "$@" </dev/null >>"$log" 2>&1 &
		printf '%s\n' $! >"$RUN/pid/$service"
	)
}

# The end of a service's log, as part of an error message, without the lines
# that say all is well.
last_words() {
	local log lines
	log=$(log_of "$1")
	lines=$(grep -s -v -e '"level":"info"' -e gateway-health_all -- "$log" | tail -n 8) || true
	[[ $lines ]] || return 0
	printf '%s: the end of %s:\n' "$ME" "$log" >&2
	printf '%s\n' "$lines" | sed 's/^/  | /' >&2
}

# await SECONDS SERVICE COMMAND...: until COMMAND succeeds (0), the service has
# stopped (1) or the time is over (2).
await() {
	local service=$2 deadline=$((SECONDS + $1))
	shift 2
	until "$@" >/dev/null 2>&1; do
		running "$service" || return 1
		((SECONDS < deadline)) || return 2
		sleep 0.05
	done
}

# give_up SECONDS SERVICE WHY: what await() came to, as the last message.
give_up() {
	last_words "$2"
	[[ $3 -ne 1 ]] || die "$2 stopped while it was starting"
	die "$2 did not answer within $1 s"
}

# wait_for SECONDS SERVICE COMMAND...: the same, or this is the end.
wait_for() {
	local why=0
	await "$@" || why=$?
	[[ $why -eq 0 ]] || give_up "$1" "$2" "$why"
}

# strays SERVICE: processes in the service's directory, whether a pid file
# names them or not.  A shell that was merely left in it is not one.
strays() {
	local proc exe
	while read -r proc; do
		exe=$(readlink -- "$proc/exe" 2>/dev/null) || continue
		exe=${exe% (deleted)}
		case $1:${exe##*/} in
		prometheus*:"$1") ;;
		postgres:postgres | redis:redis-* | redis:valkey-* | gateway:lighttpd*) ;;
		functions:*) [[ $exe == "${STACK[BIN]-}"/* || $exe == "${STACK[TOOLS]-}"/* ]] || continue ;;
		*) continue ;;
		esac
		printf '%s\n' "${proc##*/}"
	done < <(find /proc -mindepth 2 -maxdepth 2 -name cwd \( \
	    -lname "$RUN/${SERVICE_DIR[$1]}" -o -lname "$RUN/${SERVICE_DIR[$1]} (deleted)" \) \
	    -printf '%h\n' 2>/dev/null)
}

gone() {
	[[ -z $(strays "$1") ]]
}

# end SERVICE SIGNAL SECONDS: asks, waits, then insists, for its children too.
end() {
	local service=$1 signal=$2 deadline=$((SECONDS + $3)) pids
	ENDED=
	if running "$service"; then
		ENDED=yes
		kill -s "$signal" "$PID" 2>/dev/null || true
		while running "$service" && ((SECONDS < deadline)); do
			sleep 0.02
		done
	fi
	for signal in TERM KILL; do
		mapfile -t pids < <(strays "$service")
		[[ ${#pids[@]} -gt 0 ]] || break
		ENDED=yes
		if [[ $signal == KILL ]]; then
			printf '%s: %s did not stop by itself, killed: %s\n' "$ME" "$service" "${pids[*]}" >&2
			deadline=$((SECONDS + 5))
		elif ((SECONDS >= deadline)); then
			continue
		fi
		kill -s "$signal" "${pids[@]}" 2>/dev/null || true
		until gone "$service" || ((SECONDS >= deadline)); do
			sleep 0.05
		done
	done
	rm -f -- "$RUN/pid/$service"
}

# stop_service SERVICE: each in the way that loses nothing, and no socket left.
stop_service() {
	case $1 in
	gateway)
		end gateway INT 10 ;;
	functions)
		end functions TERM 45
		rm -f -- "$RUN"/fn/*.sock "$RUN/supervisor.pid" ;;
	redis)
		end redis TERM 5
		rm -f -- "$RUN/redis/redis.sock" ;;
	postgres)
		end postgres INT 20
		rm -f -- "$RUN"/pgsock/.s.PGSQL.* "$RUN/pg/postmaster.pid" ;;
	prometheus*)
		end "$1" TERM 20 ;;
	esac
}

stop_all() {
	local i
	for ((i = ${#SERVICES[@]} - 1; i >= 0; i--)); do
		stop_service "${SERVICES[i]}"
		[[ -z $ENDED ]] || say "${SERVICES[i]} stopped"
	done
}

#
# Ports.
#

# port_in_use PORT: does anybody listen where 127.0.0.1:PORT would?
port_in_use() {
	local port
	port=$(printf %04X "$1")
	grep -q -s -E "^ *[0-9]+: (0100007F|0{8}|0{32}|0{16}FFFF00000100007F):$port [0-9A-F]+:0000 0A " \
	    /proc/net/tcp /proc/net/tcp6
}

# holder PORT: " (by nginx, pid 123)" where that can be seen.
holder() {
	command -v ss >/dev/null || return 0
	ss -Hltnp "sport = :$1" 2>/dev/null |
	    sed -n -E 's/.*users:\(\("([^"]+)",pid=([0-9]+).*/ (by \1, pid \2)/p' | head -n 1
}

# free_port: below the range the kernel hands out itself, where a port that was
# free a moment ago may be somebody's connection.
free_port() {
	local port
	for _ in {1..200}; do
		port=$((20000 + (RANDOM << 15 | RANDOM) % 12000))
		if ! port_in_use "$port"; then
			printf '%d' "$port"
			return
		fi
	done
	die 'found no free port between 20000 and 32000'
}
