# shellcheck shell=bash
# deploy/local/settings.sh: secrets, keys, and what each context is told.
#
# The functions say in --describe which settings they read.  A context's file
# holds those and no others, so no secret lies where it is not used.  Any such
# setting in the caller's environment wins over the stack's own value.

declare -A SECRETS=()

# secret NAME [PREFIX]: made once, kept for the life of the run directory.
secret() {
	[[ -z ${SECRETS[$1]-} ]] || return 0
	SECRETS[$1]=${2-}$(openssl rand -hex 24)
	SECRETS_CHANGED=yes
}

# The roles that schema/roles.sql has, as the variables of their passwords.
role_passwords() {
	sed -n -E 's/^\\getenv [a-z_]+ (SOUK_[A-Z_]+_PASSWORD)$/\1/p' "$REPO/schema/roles.sql"
}

make_secrets() {
	local name
	SECRETS_CHANGED=
	load_env "$RUN/env/secrets" SECRETS
	for name in $(role_passwords); do
		secret "$name"
	done
	secret REFRESH_TOKEN_SECRET
	secret FINGERPRINT_SECRET
	secret SERVICE_TOKEN
	secret STRIPE_SECRET_KEY sk_test_souk
	secret STRIPE_WEBHOOK_SECRET whsec_
	[[ -z $SECRETS_CHANGED ]] || save_env "$RUN/env/secrets" SECRETS
}

# The accounts of schema/demo.  Two passwords are public knowledge; the admin's
# is ADMIN_PASSWORD or made up, shown once, and then only its hash remains.
# shellcheck disable=SC2034 # the sourcing commands use them
name_accounts() {
	CUSTOMER_EMAIL=customer@souk.example
	CUSTOMER_PASSWORD=a-customer-of-the-souk
	SELLER_EMAIL=seller@souk.example
	SELLER_PASSWORD=a-seller-in-the-souk
	ADMIN_EMAIL=admin@souk.example
}

# In a file until it has been shown: a start that fails later must not lose it.
make_admin_password() {
	local file=$RUN/env/admin-password
	if [[ ! -s $file ]]; then
		printf '%s\n' "${ADMIN_PASSWORD:-$(openssl rand -base64 18)}" >"$file"
	fi
	ADMIN_PASSWORD=$(<"$file")
}

# The key that signs access tokens; its name is its key id.  The newest signs,
# all in keys/public are believed.
find_signing_key() {
	SIGNING_KEY=$(find "$RUN/keys/private" -name '*.pem' -printf '%T@ %p\n' | sort -n | tail -n 1)
	SIGNING_KEY=${SIGNING_KEY#* }
}

# A new one, its public part first: nobody must meet a token that nobody knows
# the key of.  Each appears whole, by being renamed.
new_signing_key() {
	local keys=$RUN/keys kid
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 \
	    -out "$keys/new.pem" 2>/dev/null || die 'openssl cannot make a P-256 key'
	kid=$(openssl pkey -in "$keys/new.pem" -pubout -outform DER | sha256sum | cut -c 1-16)
	openssl pkey -in "$keys/new.pem" -pubout -out "$keys/new-public.pem"
	mv -- "$keys/new-public.pem" "$keys/public/$kid.pem"
	SIGNING_KEY=$keys/private/$kid.pem
	mv -- "$keys/new.pem" "$SIGNING_KEY"
}

make_signing_key() {
	find_signing_key
	[[ $SIGNING_KEY ]] || new_signing_key
}

# database_url ROLE
database_url() {
	local password=SOUK_${1^^}_PASSWORD
	[[ ${SECRETS[$password]-} ]] ||
	    die "schema/roles.sql has no role souk_$1, which functions/ has a context for"
	printf 'postgresql://souk_%s:%s@/souk?host=%s' "$1" "${SECRETS[$password]}" "$RUN/pgsock"
}

# superuser_url DATABASE
superuser_url() {
	printf 'postgresql://souk_super@/%s?host=%s' "$1" "$RUN/pgsock"
}

role_of() {
	case $1 in
	auth) echo users ;;
	*) printf '%s' "${1//-/_}" ;;
	esac
}

# The real Stripe: a key of the caller's own, and no other base given.
real_stripe() {
	[[ ${STRIPE_SECRET_KEY-} && -z ${STRIPE_API_BASE-} ]]
}

# What the stack decides about settings, for the chosen ports.
# shellcheck disable=SC2034 # read through a nameref
stack_settings() {
	local -n value=$1
	value=(
		[REDIS_URL]=unix://$RUN/redis/redis.sock
		[FN_STATE_DIR]=$RUN/state
		[FN_SOCKETS_DIR]=$RUN/fn
		[FN_SLEEP_S]=60
		[MEDIA_CACHE_DIR]=$RUN/media
		[PICTURE_PROGRAM]=$TOOLS/picture
		[JWT_PUBLIC_KEYS_DIR]=$RUN/keys/public
		[JWT_PRIVATE_KEY_FILE]=$SIGNING_KEY
		[REFRESH_TOKEN_SECRET]=${SECRETS[REFRESH_TOKEN_SECRET]}
		[FINGERPRINT_SECRET]=${SECRETS[FINGERPRINT_SECRET]}
		[SERVICE_TOKEN]=${SECRETS[SERVICE_TOKEN]}
		[STRIPE_SECRET_KEY]=${SECRETS[STRIPE_SECRET_KEY]}
		[STRIPE_API_BASE]=http://127.0.0.1:$SIM_PORT
		[STRIPE_WEBHOOK_SECRET]=${SECRETS[STRIPE_WEBHOOK_SECRET]}
		[MAIL_DIR]=$RUN/mail
		[VERIFY_EMAIL_URL]="http://127.0.0.1:$PORT/docs#verify-email:{token}"
		[RESET_PASSWORD_URL]="http://127.0.0.1:$PORT/docs#reset-password:{token}"
		[SIM_SECRET_KEY]=${SECRETS[STRIPE_SECRET_KEY]}
		[FAULT_DIR]=$RUN/faults	# only FAULTS=1 builds declare it
	)
	if real_stripe; then
		unset 'value[STRIPE_API_BASE]'
	fi
}

# Where things are is not for the caller to say.
fixed() {
	case $1 in
	DATABASE_URL | REDIS_URL | FN_STATE_DIR | FN_SOCKETS_DIR | FN_SCHEDULE) ;;
	JWT_PUBLIC_KEYS_DIR | JWT_PRIVATE_KEY_FILE | SIM_SECRET_KEY | MEDIA_CACHE_DIR) ;;
	*) return 1 ;;
	esac
}

# "context setting required" of every function.
declared_settings() {
	local bin
	for bin in "$BIN"/*; do
		"$bin" --describe || die "$bin --describe failed: build again"
	done | jq -r '.context as $context | .settings[] | "\($context) \(.name) \(.required)"' | sort -u
}

# write_settings: env/common.env and env/<context>.env
# shellcheck disable=SC2034 # `file` is read through a nameref
write_settings() {
	local context name required value declared
	local -A ours=() contexts=() file=()

	stack_settings ours
	rm -f -- "$RUN"/env/*.env
	for name in REDIS_URL FN_STATE_DIR FN_SOCKETS_DIR; do
		file[$name]=${ours[$name]}
	done
	save_env "$RUN/env/common.env" file

	declared=$(declared_settings)
	while read -r context name required; do
		value=${ours[$name]-}
		if ! fixed "$name" && [[ ${!name-} ]]; then
			value=${!name}
		fi
		case $name in
		DATABASE_URL) value=$(database_url "$(role_of "$context")") ;;
		FN_SCHEDULE) value=1 ;;	# of use only to what has a schedule
		esac
		if [[ -z $value ]]; then
			[[ $required != true ]] ||
			    die "the $context functions need $name: set it in the environment"
			continue
		fi
		contexts[$context]+="$name=$value"$'\n'
	done <<<"$declared"

	[[ ${#contexts[@]} -gt 0 ]] || die "no functions in $BIN: run make"
	for context in "${!contexts[@]}"; do
		printf '%s' "${contexts[$context]}" >"$RUN/env/$context.env"
	done
}
