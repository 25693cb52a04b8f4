# What the renderers share: the API as one list, from what every binary says
# of itself.  The simulator's endpoints are Stripe's, and the fallback's path
# "/*" is whatever is nobody else's: neither is part of the API.

def functions: map(select(.context | endswith("-sim") | not));

def endpoints:
	functions | map(. as $function | .endpoints[] | select(.path != "/*")
		| . + {binary: $function.binary, context: $function.context,
			input: (.input // []), errors: (.errors // [])});

def shapes: functions | map(.shapes) | add // {};

def path_parameters: [scan("\\{[^}]*\\}")] | length;

# A GET answers HEAD too.
def methods: if . == "GET" then ["GET", "HEAD"] else [.] end;

def inputs($where): map(select(.in == $where));

# What an absent number is taken for.  A preset that could not be sent only
# tells the function that there was none.
def default:
	if .preset == null or .required or .preset < .min or .preset > .max then null
	else .preset
	end;

# Text of at least that many characters.
def filler($length): [range(($length + 3) / 4 | floor) | "text"] | join("");

# What a field may look like when its author gives no example.
def sample:
	if .example != null then .example
	elif default != null then default
	elif .choices != null and .type != "map" then .choices[0]
	elif .type == "list" then [.item | map({(.name): sample}) | add]
	else {
		str: filler([.min // 0, 4] | max), email: "you@example.com", id: 1, bool: true,
		money: "19.99", number: "1.5", strs: ["one", "two"], ids: [1, 2],
		time: "2026-11-23T01:46:00.000Z", map: {name: (.choices // ["text"])[0]},
		int: ([.min // 0, 1] | max), file: "..."
	}[.type]
	end;

# The same of what is answered: null where that may be and there is no example.
def answered($shapes):
	if .example != null then .example
	elif .type == "object" then
		($shapes[.shape].fields
			| map(select(.optional | not) | {(.name): answered($shapes)}) | add // {}) as $object
		| if .many then [$object] else $object end
	elif .nullable then null
	elif .many then [sample]
	else sample
	end;

def answered_object($shapes):
	map(select(.optional | not) | {(.name): answered($shapes)}) | add // {};

# The whole answer; null where it is not JSON.
def sample_answer($shapes):
	(if .answer != null then $shapes[.answer].fields else .output end) as $fields
	| if $fields == null then null
	else ($fields | answered_object($shapes)) as $one
		| if .many then [$one] else $one end
	end;

# A body worth sending: what must be there and what has an example.
def sample_body:
	.input | inputs("body") | map(select(.required or .example != null))
	| map({(.name): sample}) | add // {};

# Endpoints are read by subject, and those for machines come last.
def subject:
	if .path | startswith("/internal/") then "internal"
	elif .access == "operator" then "operations"
	else .context
	end;

def subjects: {
	auth:       "Accounts and sessions: sign up, sign in, stay signed in.",
	users:      "The signed-in user.",
	catalog:    "Products, categories, stock and reviews.",
	orders:     "Placing orders and following them.",
	payments:   "Paying for orders, through Stripe.",
	ops:        "Jobs, for admins: what is to be done, and what was given up.",
	gateway:    "What this is, and whether it is well.",
	operations: "For whoever runs it, from the addresses in OPS_ALLOW.",
	internal:   "Scheduled work and events, with the service token."
};

# The subjects there are, in that order, with any that it does not know last.
def subjects_of($endpoints):
	($endpoints | map(subject) | unique) as $used
	| (subjects | keys_unsorted | map(select(. as $s | $used | index($s)))) as $known
	| ($known + ($used - $known))
	| map({name: ., description: (subjects[.] // "")});

def in_order($names):
	sort_by([(subject as $s | $names | index($s)), .path, .method]);

def who: {
	public:   "anyone",
	user:     "a signed-in user",
	seller:   "a seller or an admin",
	admin:    "an admin",
	service:  "the holder of the service token",
	operator: "an address in OPS_ALLOW",
	signed:   "the holder of the secret that signs the request"
}[.access];
