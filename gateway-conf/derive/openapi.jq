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

def decimal_pattern: "^[0-9]+(\\.[0-9]{1,3})?$";

def or_null:
	if has("type") then
		.type |= ([.] | flatten + ["null"])
		| if has("enum") then .enum += [null] else . end
	elif . == {} then .
	else {anyOf: [., {type: "null"}]}
	end;

# What a client may send.  Bytes are not characters: of a length in bytes only
# the upper bound is true of characters too.  In a body null is as good as
# absent, or clears.
def input_schema:
	def member:
		(.required or .not_null) as $needed
		| input_schema | if $needed then . else or_null end;
	def object:
		{type: "object", additionalProperties: false,
			properties: (map({(.name): member}) | add // {})}
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
	elif .type == "money" or .type == "number" then
		{type: ["string", "number"], pattern: decimal_pattern, minimum: 0}
	elif .type == "strs" then
		{type: "array", items: {type: "string", minLength: 1, maxLength: 100}} + bounds("minItems"; "maxItems")
	elif .type == "ids" then
		{type: "array", items: {type: "integer", format: "int64", minimum: 1}} + bounds("minItems"; "maxItems")
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
	elif .type == "map" then
		{type: "object", additionalProperties: ({type: "string"}
			+ if .choices != null then {enum: .choices} else {} end)}
	elif .type == "time" then {type: "string", format: "date-time"}
	elif .type == "money" or .type == "number" then {type: "string", pattern: decimal_pattern}
	elif .type == "int" then {type: "integer", format: "int64"}
	elif .type == "id" then {type: "integer", format: "int64", minimum: 1}
	elif .type == "bool" then {type: "boolean"}
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
	| if $field.nullable then or_null else . end
	| . + {description: $field.doc}
	| if $field.example != null then . + {examples: [$field.example]} else . end;

def output_object:
	{type: "object", properties: (map({(.name): output_field}) | add // {})}
	+ (map(select(.optional | not) | .name) | if . == [] then {} else {required: .} end);

def answer_schema:
	(if .answer != null then {"$ref": "#/components/schemas/\(.answer)"}
	elif .output != null then .output | output_object
	else null
	end) as $one
	| if $one != null and .many then {type: "array", items: $one} else $one end;

def headers: map({(.): {"$ref": "#/components/headers/\(.)"}}) | add;

# Of whatever a function answers, and of what lighttpd does by itself.
def always: ["X-Request-ID", "X-Correlation-ID", "Cache-Control"];

def limit_headers: ["RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"];

def success_response($shapes):
	. as $endpoint
	| answer_schema as $schema
	| {
		description: .summary,
		headers: (always
			+ if .rate != "none" then limit_headers else [] end
			+ if .cache != null then ["ETag", "X-Cache"] else [] end
			+ if .if_match and .answer != null then ["ETag"] else [] end
			+ if .idempotent then ["Idempotent-Replayed"] else [] end
			| headers)
	}
	+ if $schema != null then
		{content: {"application/json": {schema: $schema, example: ($endpoint | sample_answer($shapes))}}}
	elif .media_type != null then
		{content: {(.media_type): {schema: {type: "string"}}}}
	else {}
	end;

# The same refusals for the same reasons are one component, unless the endpoint
# tells more of them.
def refusals:
	.name as $name
	| .errors | group_by(.status)
	| map({
		status: .[0].status,
		errors: unique_by(.code),
		owner: (if any(.[]; .details != null) then [$name] else [] end)
	});

def refusal_name: (.owner + (.errors | map(.code))) | join(".");

def problem_example($status; $shapes):
	.code as $code
	| (if .code == "invalid_input" then "email: Is required" else .text end) as $detail
	| {
		type: "/problems/\($code)", title: .text, status: $status,
		detail: $detail, error: $detail, code: $code,
		request_id: "019ab7c2-6a10-7c4e-9f5d-0b1a2c3d4e5f"
	}
	+ if $code == "invalid_input" then
		{errors: [{field: "email", code: "required", message: "Is required"}]}
	else {} end
	+ ((.details // []) | answered_object($shapes));

def refusal_response($shapes):
	.status as $status
	| (.errors | map(.details // []) | add) as $details
	| {
		description: (.errors | map(.text) | join("; ")),
		headers: (always
			+ if $status == 401 then ["WWW-Authenticate"]
			  elif $status == 429 then ["Retry-After"] + limit_headers
			  elif $status == 503 or any(.errors[]; .code == "request_in_progress") then ["Retry-After"]
			  else [] end
			| headers),
		content: {"application/problem+json": {
			schema: {
				allOf: [{"$ref": "#/components/schemas/Problem"}],
				type: "object",
				properties: ({status: {const: $status}, code: {enum: (.errors | map(.code))}}
					+ ($details | map({(.name): output_field}) | add // {}))
			},
			examples: (.errors | map({(.code): {
				summary: .text, value: problem_example($status; $shapes)}}) | add)
		}}
	};

def any_other: {
	"4XX": {"$ref": "#/components/responses/refused"},
	"5XX": {"$ref": "#/components/responses/unavailable_now"}
};

def responses($shapes):
	{"\(if (.success // 0) == 0 then 200 else .success end)": success_response($shapes)}
	+ if .otherwise != 0 then
		{"\(.otherwise)": (success_response($shapes) | .headers += (["Retry-After"] | headers))}
	else {} end
	+ if .cache != null then {"304": {"$ref": "#/components/responses/not_modified"}} else {} end
	+ (refusals | map({"\(.status)": {"$ref": "#/components/responses/\(refusal_name)"}}) | add // {})
	+ any_other;

def parameter:
	{
		name, in, required: (.in == "path" or .required), description: .doc,
		schema: (input_schema | del(.description, .examples)),
		example: sample
	};

def parameters:
	(.input | (inputs("path") + inputs("query")) | map(parameter))
	+ if .idempotent then [{"$ref": "#/components/parameters/Idempotency-Key"}] else [] end
	+ if .if_match then [{"$ref": "#/components/parameters/If-Match"}] else [] end
	+ if .cache != null then [{"$ref": "#/components/parameters/If-None-Match"}] else [] end;

def request_body:
	(.input | inputs("body")) as $fields
	| if .body == "none" then {}
	elif .body == "raw" then
		{requestBody: {
			description: "Read as it is.",
			required: (.raw_example != null),
			content: {"application/json": {schema: {type: "object"}, example: (.raw_example // {})}}
		}}
	elif .body == "event" then
		{requestBody: {
			description: "A CloudEvent 1.0, in structured mode; in binary mode its attributes are ce- headers. Or nothing. The same source and id have the same answer.",
			content: {"application/cloudevents+json": {
				schema: {type: "object", required: ["specversion", "id", "source", "type"], properties: (
					["specversion", "id", "source", "type", "subject", "time"]
					| map({(.): {type: "string", minLength: 1}}) | add)},
				example: {specversion: "1.0", id: "b3f1", source: "/apis/v1/namespaces/souk/pingsources/tick",
					type: "dev.knative.sources.ping"}}}
		}}
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
	["\(.summary). For \(who).",
	if .rate != "none" then "Counts against the \(.rate) rate limit." else empty end,
	if .cache != null then "May be kept for \(.cache.seconds) s." else empty end,
	if .idempotent then "With an Idempotency-Key it takes effect once, however often it is sent." else empty end,
	if .repeatable != null then "May be sent again: \(.repeatable | .[:1] | ascii_downcase)\(.repeatable | .[1:])." else empty end,
	if (.every_s // 0) > 0 then
		"Runs by itself every \(.every_s) s\(if .woken_by != null then ", or when there is something to do" else "" end)."
	else empty end]
	| join(" ");

def operation($shapes):
	{
		tags: [subject],
		operationId: .name,
		summary,
		description: description,
		security: security
	}
	+ (parameters | if . == [] then {} else {parameters: .} end)
	+ request_body
	+ {responses: responses($shapes)};

# What lighttpd serves by itself, or where a function tells it to.
def file($subject; $id; $summary; $description; $parameters; $content):
	{get: ({
		tags: [$subject], operationId: $id, summary: $summary, description: $description,
		security: []
	} + {parameters: ($parameters + [{"$ref": "#/components/parameters/If-None-Match"}])} + {
		responses: ({
			"200": {description: $summary, headers: (["ETag", "Cache-Control"] | headers), content: $content},
			"304": {"$ref": "#/components/responses/file_not_modified"}
		} + any_other)
	})};

def files: {
	"/docs": file("gateway"; "docs"; "The API for people"; "A page over this document."; [];
		{"text/html": {schema: {type: "string"}}}),
	"/docs.css": file("gateway"; "docs_style"; "How that page looks"; "Its style sheet."; [];
		{"text/css": {schema: {type: "string"}}}),
	"/media/{key}": (file("catalog"; "show_media"; "A picture";
		"In whole or, with Range, in part. A picture's name changes with it, so it may be kept for ever.";
		[{name: "key", in: "path", required: true, description: "As in an imageUrl or the url of a rendition; the demo shop's have a slash.",
			schema: {type: "string"}, example: "0123456789abcdef0123456789abcdef-1-1200.jpg"},
		 {name: "Range", in: "header", required: false, description: "The bytes that are wanted.",
			schema: {type: "string"}, example: "bytes=0-1023"}];
		{"image/jpeg": {}, "image/png": {}, "image/webp": {}})
		| .get.responses["206"] = {description: "The bytes asked for",
			headers: (["ETag", "Cache-Control", "Content-Range"] | headers),
			content: {"image/jpeg": {}, "image/png": {}, "image/webp": {}}}),
	"/openapi.json": file("gateway"; "openapi"; "This document"; "OpenAPI 3.1."; [];
		{"application/json": {schema: {type: "object"}, example: {openapi: "3.1.0"}}})
};

def header($description; $schema; $example):
	{description: $description, schema: $schema, example: $example};

# There whenever it is declared.
def sure: . + {required: true};

def components($shapes):
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
				schema: {type: "string", minLength: 1, maxLength: 255},
				example: "6f1c9e5e-2a43-4d0e-9a53-0f6f2d1b7c11"},
			"If-Match": {name: "If-Match", in: "header", required: false,
				description: "The ETag of what is to be changed, as it was read: 412 when it has changed since.",
				schema: {type: "string"}, example: "\"5f1d7a84db00d2fc\""},
			"If-None-Match": {name: "If-None-Match", in: "header", required: false,
				description: "The ETag of the answer already held: 304 when it is still good.",
				schema: {type: "string"}, example: "\"5f1d7a84db00d2fc\""}
		},
		headers: {
			"X-Request-ID": (header("Names the request in logs and errors; taken over from the request's.";
				{type: "string", pattern: "^[A-Za-z0-9._-]{1,128}$"}; "019ab7c2-6a10-7c4e-9f5d-0b1a2c3d4e5f") | sure),
			"X-Correlation-ID": (header("The same, by its old name.";
				{type: "string", pattern: "^[A-Za-z0-9._-]{1,128}$"}; "019ab7c2-6a10-7c4e-9f5d-0b1a2c3d4e5f") | sure),
			ETag: (header("Names this version of the answer."; {type: "string"}; "\"5f1d7a84db00d2fc\"") | sure),
			"Cache-Control": (header("How long the answer may be kept."; {type: "string"}; "no-store") | sure),
			"Content-Range": (header("Which bytes these are."; {type: "string"}; "bytes 0-1023/48102") | sure),
			"X-Cache": (header("Whether the answer came from the cache."; {type: "string", enum: ["HIT", "MISS"]}; "HIT") | sure),
			"Idempotent-Replayed": header("The stored answer of the first such request."; {type: "string", const: "true"}; "true"),
			"RateLimit-Limit": header("Requests allowed in the window."; {type: "integer", minimum: 1}; 300),
			"RateLimit-Remaining": header("Requests left in it."; {type: "integer", minimum: 0}; 299),
			"RateLimit-Reset": header("Seconds until it starts anew."; {type: "integer", minimum: 0}; 42),
			"Retry-After": header("Seconds to wait before trying again."; {type: "integer", minimum: 0}; 1),
			"WWW-Authenticate": (header("What to sign in with."; {type: "string"}; "Bearer realm=\"souk\"") | sure),
			Allow: header("With 405: the methods that the path has."; {type: "string"}; "GET, HEAD, OPTIONS")
		},
		responses: ({
			refused: {
				description: "Any other refusal of what was sent: 405 with Allow, 413, 431 and the like",
				headers: (["Allow"] | headers),
				content: {"application/problem+json": {
					schema: {"$ref": "#/components/schemas/Problem"},
					example: ({code: "malformed_request", text: "The request could not be understood"} | problem_example(400; {}))
				}}
			},
			unavailable_now: {
				description: "Nobody answers at the moment; with Retry-After where trying again is of use",
				headers: (["Retry-After"] | headers),
				content: {"application/problem+json": {
					schema: {"$ref": "#/components/schemas/Problem"},
					example: ({code: "unavailable", text: "Try again shortly"} | problem_example(503; {}))
				}}
			},
			file_not_modified: {description: "What If-None-Match names is still good", headers: (["ETag"] | headers)},
			not_modified: {description: "What If-None-Match names is still good",
				headers: (always + ["ETag", "X-Cache"] | headers)}
		} + (endpoints | map(refusals[] | {(refusal_name): refusal_response($shapes)}) | add // {})),
		schemas: ({
			Problem: {
				type: "object",
				description: "Why a request was refused (RFC 9457).",
				properties: {
					type: {type: "string", description: "Names the kind of problem.",
						pattern: "^/problems/[a-z0-9_]+$", examples: ["/problems/not_found"]},
					title: {type: "string", description: "What kind of problem it is, for people."},
					status: {type: "integer", minimum: 400, maximum: 599},
					detail: {type: "string", description: "What is wrong, for people."},
					error: {type: "string", description: "The same text as detail."},
					code: {type: "string", description: "What is wrong, for programs.", pattern: "^[a-z0-9_]+$"},
					request_id: {type: ["string", "null"], description: "Of a request that reached a function."},
					errors: {
						type: "array", description: "Every field that is not acceptable.", minItems: 1,
						items: {
							type: "object",
							properties: {
								field: {type: "string", examples: ["items[0].quantity"]},
								code: {type: "string", examples: ["out_of_range"]},
								message: {type: "string", examples: ["Must be from 1 to 10000"]}
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
| shapes as $shapes
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
			.[$e.path][$e.method | ascii_downcase] = ($e | operation($shapes))))
		* files),
	components: components($shapes)
}
