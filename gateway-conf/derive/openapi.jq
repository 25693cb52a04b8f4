# OpenAPI 3.1, from what the functions say of themselves.

include "api" {search: "./"};

# jq counts in doubles: a bound it cannot hold is the type's own, int64.
def exact: select(. != null and . > -9007199254740992 and . < 9007199254740992);

# No bound is written as 0..0.
def bounded: (.min // 0) != 0 or (.max // 0) != 0;

def bounds($least; $most):
	if bounded then
		({($least): (.min | exact)} // {}) + ({($most): (.max | exact)} // {})
	else {}
	end;

def money_pattern: "^[0-9]+(\\.[0-9]{1,3})?$";

# What a client may send.  Bytes are not characters: of a length in bytes only
# the upper bound is true of characters too.
def input_schema:
	def object:
		{type: "object", additionalProperties: false,
			properties: (map({(.name): input_schema}) | add // {})}
		+ (map(select(.required) | .name) | if . == [] then {} else {required: .} end);
	def lengths:
		.bytes as $bytes
		| bounds("minLength"; "maxLength")
		| if $bytes or .minLength == 0 then del(.minLength) else . end;
	(if .type == "str" then {type: "string"} + lengths
	elif .type == "email" then {type: "string", format: "email"} + lengths
	elif .type == "choice" then {type: "string", enum: .choices}
	elif .type == "int" then {type: "integer", format: "int64"} + bounds("minimum"; "maximum")
	elif .type == "id" then {type: "integer", format: "int64", minimum: 1}
	elif .type == "bool" then {type: "boolean"}
	elif .type == "money" then {type: ["string", "number"], pattern: money_pattern, minimum: 0}
	elif .type == "number" then {type: "number"} + bounds("minimum"; "maximum")
	elif .type == "strs" then {type: "array", items: {type: "string"}} + bounds("minItems"; "maxItems")
	elif .type == "list" then {type: "array", items: (.item | object)} + bounds("minItems"; "maxItems")
	elif .type == "file" then {type: "string", format: "binary"}
	else error("\(.name): unknown input type \(.type)")
	end)
	+ {description: (.doc
		+ if .type == "file" then " (at most \(.max) bytes)"
		  elif .bytes and bounded then " (\(.min) to \(.max) bytes)"
		  else "" end)}
	+ (default | if . == null then {} else {default: .} end)
	+ if .example != null then {examples: [.example]} else {} end;

def input_object: {type: "list", item: ., doc: ""} | input_schema | .items;

# What a client gets.  An absent value is there as null.
def output_schema:
	if .type == "object" then {"$ref": "#/components/schemas/\(.shape)"}
	elif .type == "json" then {}
	elif .type == "time" then {type: "string", format: "date-time"}
	elif .type == "money" then {type: "string", pattern: money_pattern}
	elif .type == "int" then {type: "integer", format: "int64"}
	elif .type == "id" then {type: "integer", format: "int64", minimum: 1}
	elif .type == "bool" then {type: "boolean"}
	elif .type == "number" then {type: "number"}
	elif .type == "strs" then {type: "array", items: {type: "string"}}
	elif .type == "email" then {type: "string", format: "email"}
	elif .type == "str" or .type == "choice" then
		{type: "string"} + if .choices != null then {enum: .choices} else {} end
	else error("\(.name): unknown output type \(.type)")
	end;

def output_field:
	. as $field
	| output_schema
	| if $field.many then {type: "array", items: .} else . end
	| if $field.nullable | not then .
	  elif .type then .type |= [., "null"] | if .enum then .enum += [null] else . end
	  elif . == {} then .
	  else {anyOf: [., {type: "null"}]}
	  end
	| . + {description: $field.doc}
	| if $field.example != null then . + {examples: [$field.example]} else . end;

def output_object:
	{type: "object", properties: (map({(.name): output_field}) | add // {})}
	+ (map(select(.nullable | not) | .name) | if . == [] then {} else {required: .} end);

def answer_schema:
	(if .answer != null then {"$ref": "#/components/schemas/\(.answer)"}
	elif .output != null then .output | output_object
	else null
	end) as $one
	| if $one != null and .many then {type: "array", items: $one} else $one end;

def header_ref: {(.): {"$ref": "#/components/headers/\(.)"}};

def headers: map(header_ref) | add;

def limit_headers: ["RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"];

def success_response:
	answer_schema as $schema
	| {
		description: .summary,
		headers: (["X-Request-ID"]
			+ if .rate != "none" then limit_headers else [] end
			+ if .cache != null then ["ETag", "Cache-Control", "X-Cache"] else [] end
			+ if .idempotent then ["Idempotent-Replayed"] else [] end
			| headers)
	}
	+ if $schema == null then {} else {content: {"application/json": {schema: $schema}}} end;

# The same refusals for the same reasons are one component.
def refusals: .errors | group_by(.status) | map({status: .[0].status, errors: (unique_by(.code))});

def refusal_name: .errors | map(.code) | join(".");

def problem_example($status):
	{
		type: "/problems/\(.code)", title: .text, status: $status,
		detail: .text, error: .text, code,
		request_id: "019ab7c2-6a10-7c4e-9f5d-0b1a2c3d4e5f"
	};

def refusal_response:
	.status as $status
	| {
		description: (.errors | map(.text) | join("; ")),
		headers: (["X-Request-ID"]
			+ if $status == 401 then ["WWW-Authenticate"]
			  elif $status == 405 then ["Allow"]
			  elif $status == 429 then ["Retry-After"] + limit_headers
			  elif $status == 503 or any(.errors[]; .code == "request_in_progress") then ["Retry-After"]
			  else [] end
			| headers),
		content: {"application/problem+json": {
			schema: {
				allOf: [{"$ref": "#/components/schemas/Problem"}],
				properties: {status: {const: $status}, code: {enum: (.errors | map(.code))}}
			},
			examples: (.errors | map({(.code): {value: problem_example($status)}}) | add)
		}}
	};

def responses:
	{"\(if (.success // 0) == 0 then 200 else .success end)": success_response}
	+ if .cache != null then {"304": {"$ref": "#/components/responses/not_modified"}} else {} end
	+ (refusals | map({"\(.status)": {"$ref": "#/components/responses/\(refusal_name)"}}) | add // {})
	+ {default: {"$ref": "#/components/responses/problem"}};

def parameter:
	{
		name, in, required: (.in == "path" or .required), description: .doc,
		schema: (input_schema | del(.description))
	};

def parameters:
	(.input | (inputs("path") + inputs("query")) | map(parameter))
	+ if .idempotent then [{"$ref": "#/components/parameters/Idempotency-Key"}] else [] end
	+ if .cache != null then [{"$ref": "#/components/parameters/If-None-Match"}] else [] end;

def request_body:
	(.input | inputs("body")) as $fields
	| if .body == "none" then {}
	elif .body == "raw" then {requestBody: {content: {"application/json": {schema: {}}}}}
	else
		{requestBody: {
			required: any($fields[]; .required),
			content: {({form: "application/x-www-form-urlencoded", multipart: "multipart/form-data"}[.body]
				// "application/json"): (
				{schema: ($fields | input_object)}
				+ if .body == "multipart" then {} else {example: sample_body} end
			)}
		}}
	end;

def security: {
	public: [], operator: [],
	user: [{bearerAuth: []}], seller: [{bearerAuth: []}], admin: [{bearerAuth: []}],
	service: [{serviceToken: []}], signed: [{stripeSignature: []}]
}[.access];

def description:
	["For \(who).",
	if .rate != "none" then "Counts against the \(.rate) rate limit." else empty end,
	if .cache != null then "May be kept for \(.cache.seconds) s." else empty end,
	if (.every_s // 0) > 0 then "Runs by itself every \(.every_s) s." else empty end]
	| join(" ");

def operation:
	{
		tags: [subject],
		operationId: .name,
		summary,
		description: description,
		security: security
	}
	+ (parameters | if . == [] then {} else {parameters: .} end)
	+ request_body
	+ {responses: responses};

# What lighttpd serves by itself.
def file($subject; $id; $summary; $parameters; $content):
	{get: ({
		tags: [$subject], operationId: $id, summary: $summary, security: []
	} + if $parameters == [] then {} else {parameters: $parameters} end + {
		responses: {
			"200": {description: $summary, headers: (["ETag"] | headers), content: $content},
			"304": {"$ref": "#/components/responses/not_modified"},
			default: {"$ref": "#/components/responses/problem"}
		}
	})};

def files: {
	"/docs": file("gateway"; "docs"; "The API for people"; [];
		{"text/html": {schema: {type: "string"}}}),
	"/media/{key}": file("catalog"; "media"; "A picture, in whole or in ranges";
		[{name: "key", in: "path", required: true, description: "As in image_url, slashes included.", schema: {type: "string"}}];
		{"image/jpeg": {}, "image/png": {}, "image/webp": {}}),
	"/openapi.json": file("gateway"; "openapi"; "This document"; [];
		{"application/json": {schema: {type: "object"}}})
};

def header($description; $schema): {description: $description, schema: $schema};

def components:
	{
		securitySchemes: {
			bearerAuth: {type: "http", scheme: "bearer", bearerFormat: "JWT",
				description: "The accessToken of a sign-in."},
			serviceToken: {type: "http", scheme: "bearer",
				description: "The SERVICE_TOKEN that scheduled work and events are called with."},
			stripeSignature: {type: "apiKey", in: "header", name: "Stripe-Signature",
				description: "Stripe's signature over the body, with STRIPE_WEBHOOK_SECRET."}
		},
		parameters: {
			"Idempotency-Key": {name: "Idempotency-Key", in: "header", required: false,
				description: "Sent again with the same body it gets the first answer again, for 24 hours.",
				schema: {type: "string", minLength: 1, maxLength: 255}},
			"If-None-Match": {name: "If-None-Match", in: "header", required: false,
				description: "The ETag of the answer already held: 304 when it is still good.",
				schema: {type: "string"}}
		},
		headers: {
			"X-Request-ID": header("Names the request in logs and errors; taken over from the request's."; {type: "string"}),
			ETag: header("Names this version of the answer."; {type: "string"}),
			"Cache-Control": header("How long the answer may be kept."; {type: "string"}),
			"X-Cache": header("Whether the answer came from the cache."; {type: "string", enum: ["HIT", "MISS"]}),
			"Idempotent-Replayed": header("The stored answer of the first such request."; {type: "string", const: "true"}),
			"RateLimit-Limit": header("Requests allowed in the window."; {type: "integer"}),
			"RateLimit-Remaining": header("Requests left in it."; {type: "integer"}),
			"RateLimit-Reset": header("Seconds until it starts anew."; {type: "integer"}),
			"Retry-After": header("Seconds to wait before trying again."; {type: "integer"}),
			"WWW-Authenticate": header("What to sign in with."; {type: "string"}),
			Allow: header("The methods that the path has."; {type: "string"})
		},
		responses: ({
			problem: {
				description: "Any other refusal: 405 with Allow, 413, 431 and the like",
				headers: (["X-Request-ID", "Allow", "Retry-After"] | headers),
				content: {"application/problem+json": {schema: {"$ref": "#/components/schemas/Problem"}}}
			},
			not_modified: {description: "What If-None-Match names is still good", headers: (["ETag"] | headers)}
		} + (endpoints | map(refusals[] | {(refusal_name): refusal_response}) | add // {})),
		schemas: ({
			Problem: {
				type: "object",
				description: "Why a request was refused (RFC 9457).",
				properties: {
					type: {type: "string", description: "Names the kind of problem.", examples: ["/problems/not_found"]},
					title: {type: "string", description: "What kind of problem it is, for people."},
					status: {type: "integer", minimum: 400, maximum: 599},
					detail: {type: "string", description: "What is wrong, for people."},
					error: {type: "string", description: "The same text as detail."},
					code: {type: "string", description: "What is wrong, for programs.", pattern: "^[a-z0-9_]+$"},
					request_id: {type: ["string", "null"], description: "Of a request that reached a function."},
					errors: {
						type: "array", description: "Every field that is not acceptable.",
						items: {
							type: "object",
							properties: {
								field: {type: "string", examples: ["items[0].quantity"]},
								code: {type: "string"},
								message: {type: "string"}
							},
							required: ["field", "code", "message"]
						}
					}
				},
				required: ["type", "title", "status", "detail", "error", "code", "request_id"]
			}
		} + (shapes | map_values(.doc as $doc | .fields | output_object + {description: $doc})))
	}
	| map_values(to_entries | sort_by(.key) | from_entries);

subjects_of(endpoints) as $subjects
| ($subjects | map(.name)) as $names
| {
	openapi: "3.1.0",
	info: {
		title: "Souk",
		version: "1.0.0",
		summary: "A commerce backend of small functions",
		description: "Money is a decimal string with the currency's own number of digits, ids are whole numbers, times are RFC 3339 in UTC. Unknown fields in a body are refused. Errors are problem+json (RFC 9457) with a stable `code`. A GET answers HEAD too.",
		license: {name: "MIT", identifier: "MIT"}
	},
	servers: [{url: "/"}],
	tags: $subjects,
	paths: ((endpoints | in_order($names) | reduce .[] as $e ({};
			.[$e.path][$e.method | ascii_downcase] = ($e | operation)))
		+ files),
	components: components
}
