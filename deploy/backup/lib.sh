# shellcheck shell=bash
# deploy/backup/lib.sh: what a backup is.
#
# A directory that appears whole, by being renamed:
#
#   backup.env     kind, when it was taken, the newest migration in it
#   SHA256SUMS     of every other file
#   database.dump  of kind dump: what pg_dump says, in its custom format
#   base.tar.gz, pg_wal.tar.gz, backup_manifest
#                  of kind base: the cluster's files, as pg_basebackup has them
#   pictures.tar   those of the demo shop; any others are in the database
#   keys.tar       the keys and secrets of the stack, unless left out
#
# Everything in it is the owner's alone to read.

# newest_migration: of this checkout.
newest_migration() {
	find "$REPO/schema" -maxdepth 1 -name '[0-9][0-9][0-9]_*.sql' -printf '%f\n' |
	    sort | tail -n 1 | cut -c 1-3
}

# save_keys DIR: what signs tokens, and what was made up on the first start.
save_keys() {
	tar -C "$RUN" -cf "$1/keys.tar" env/secrets keys/private keys/public
}

# take_keys DIR: the same, into the run directory.
take_keys() {
	[[ ! -e $1/keys.tar ]] || tar -C "$RUN" --no-same-owner -xpf "$1/keys.tar"
}

save_pictures() {
	[[ ! -d $RUN/media/demo ]] || tar -C "$RUN/media" -cf "$1/pictures.tar" demo
}

take_pictures() {
	[[ ! -e $1/pictures.tar ]] || tar -C "$RUN/media" --no-same-owner -xf "$1/pictures.tar"
}

# seal DIR: what is in it is all of it.
seal() {
	(cd -- "$1" && find . -type f ! -name 'SHA256SUMS*' -printf '%P\n' | sort |
	    xargs -d '\n' sha256sum) >"$1/SHA256SUMS.new"
	mv -- "$1/SHA256SUMS.new" "$1/SHA256SUMS"
	sync -- "$1"/* "$1"
}

# check_seal DIR: dies unless it is a whole, undamaged backup that this checkout
# can do something with; its backup.env is in WHAT then.
check_seal() {
	local damaged
	[[ -d $1 ]] || die "there is no directory $1"
	[[ -f $1/backup.env && -f $1/SHA256SUMS ]] || die "$1 is not a backup of make backup"
	if ! damaged=$(cd -- "$1" && sha256sum --quiet --strict -c SHA256SUMS 2>&1); then
		printf '%s\n' "$damaged" | sed 's/^/  | /' >&2
		die "$1 is damaged or not all there"
	fi
	WHAT=()
	load_env "$1/backup.env" WHAT
	[[ ${WHAT[MIGRATION]-} =~ ^[0-9]{3}$ ]] || die "$1/backup.env does not say what is in it"
	[[ ! ${WHAT[MIGRATION]} > $(newest_migration) ]] ||
	    die "$1 is of a newer souk (migration ${WHAT[MIGRATION]}), this one has $(newest_migration): check that one out"
}
