# The page at /docs, from what the functions say of themselves: for people,
# without scripts, styled by www/docs.css.

include "api" {search: "./"};

def h: tostring | @html;

def code: "<code>\(h)</code>";

# Lets long paths break where they may.
def path: h | gsub("/"; "/<wbr>");

def plural($one; $many): if . == 1 then "1 \($one)" else "\(.) \($many)" end;

# 0 to 0 is no bound.
def range($unit):
	(.min // 0) as $min | (.max // 0) as $max
	| if $min == 0 and $max == 0 then empty
	elif $min == $max then "exactly \($max | plural($unit; $unit + "s"))"
	elif $min == 0 and $unit != "" then "up to \($max | plural($unit; $unit + "s"))"
	elif $max > 9007199254740992 then "from \($min)"
	else "\($min) to \($max)\(if $unit == "" then "" else " \($unit)s" end)"
	end;

def type_words: {
	str: "text", email: "e-mail address", choice: "one of", int: "whole number",
	id: "id", bool: "true or false", money: "money", number: "number",
	strs: "list of texts", ids: "list of ids", list: "list of objects", file: "file", time: "time", json: "JSON",
	map: "texts by name"
};

def input_type:
	if .type == "choice" then .choices | map(code) | join(" ")
	else
		[type_words[.type],
		if .type == "file" then "up to \(.max) bytes"
		elif .type == "str" or .type == "email" then range(if .bytes then "byte" else "character" end)
		elif .type == "int" or .type == "number" then range("")
		elif .type == "strs" or .type == "ids" or .type == "list" then range("entry") | gsub("entrys"; "entries")
		else empty end]
		| join(", ") | h
	end;

def output_type:
	if .type == "object" then
		"<a href=\"#shape-\(.shape | h)\">\(.shape | h)</a>"
	elif .choices != null then .choices | map(code) | join(" ")
	else type_words[.type] | h
	end;

def table($class; $rows):
	if $rows == [] then ""
	else "<table class=\"\($class)\"><tbody>\n\($rows | join("\n"))\n</tbody></table>\n"
	end;

def input_rows($prefix):
	"<tr><th scope=\"row\"><code>\($prefix + .name | h)</code>\(if .required then " <em>required</em>" else "" end)</th>"
	+ "<td><span class=\"type\">\(input_type)</span> \(.doc | h)"
	+ (default | if . == null then "" else " Default: \(code)." end)
	+ "</td></tr>",
	(.name as $name | .item // [] | .[] | input_rows("\($prefix)\($name)[]."));

def output_rows:
	. as $field
	| "<tr><th scope=\"row\">\(.name | code)</th><td><span class=\"type\">"
	+ output_type
	+ (if $field.many then ", several" else "" end)
	+ (if $field.nullable then ", or null" else "" end)
	+ "</span> \($field.doc | h)</td></tr>";

def inputs_table($where; $title):
	.input | inputs($where) | if . == [] then ""
	else "<h4>\($title)</h4>\n\(table("fields"; map(input_rows(""))))" end;

def body:
	if .body == "raw" then "<h4>Body</h4>\n<p>Read as it is.</p>\n"
	elif .body == "event" then "<h4>Body</h4>\n<p>A CloudEvent 1.0 in binary or structured mode, or nothing. The same source and id have the same answer.</p>\n"
	else inputs_table("body"; "Body (\({form: "form", multipart: "multipart/form-data"}[.body] // "JSON"))")
	end;

def status: if (.success // 0) == 0 then 200 else .success end;

def answer:
	"<h4>Answer <span class=\"status good\">\(status)</span></h4>\n"
	+ if .answer != null then
		"<p>\(if .many then "An array of " else "" end)<a href=\"#shape-\(.answer | h)\">\(.answer | h)</a></p>\n"
	elif .output != null then
		(if .many then "<p>An array of:</p>\n" else "" end) + table("fields"; .output | map(output_rows))
	else ""
	end;

# What a field of an answer may look like; no object twice inside itself.
def answer_sample($shapes; $within):
	. as $field
	| if .type == "object" then
		if $within | index($field.shape) then null
		else $shapes[.shape].fields | map({(.name): answer_sample($shapes; $within + [$field.shape])}) | add
		end
	elif .type == "json" then .example
	else sample
	end
	| if $field.many and $field.example == null then [.] else . end;

def answer_example($shapes):
	. as $endpoint
	| if .answer != null then {type: "object", shape: .answer} | answer_sample($shapes; [])
	elif .output != null then .output | map({(.name): answer_sample($shapes; [])}) | add
	else null end
	| if . != null and $endpoint.many then [.] else . end;

# JSON as a person would set it: short things on one line.
def set($margin):
	tojson as $line
	| if ($line | length) < 60 or type == "string" then $line
	elif type == "array" then "[\n" + (map("\($margin)  \(set($margin + "  "))") | join(",\n")) + "\n\($margin)]"
	else "{\n" + (to_entries | map("\($margin)  \(.key | tojson): \(.value | set($margin + "  "))") | join(",\n")) + "\n\($margin)}"
	end;

def example($shapes):
	answer_example($shapes)
	| if . == null then ""
	else "<details><summary>An example</summary>\n<pre>\(set("") | h)</pre>\n</details>\n" end;

def errors:
	if .errors == [] then ""
	else "<h4>Errors</h4>\n" + table("errors";
		.errors | unique_by([.status, .code])
		| map("<tr><th scope=\"row\"><span class=\"status\">\(.status)</span> \(.code | code)</th><td>\(.text | h)</td></tr>"))
	end;

# In single quotes a shell reads nothing but the quote itself.
def quoted: "'" + gsub("'"; "'\\''") + "'";

def query_example:
	.input | inputs("query") | map(select(.required or .example != null))
	| if . == [] then "" else "?" + (map("\(.name)=\(sample | tostring | @uri)") | join("&")) end;

def path_example:
	reduce (.input | inputs("path") | .[]) as $field (.path;
		gsub("\\{\($field.name)\\}"; $field | sample | tostring | @uri));

def curl:
	[
		"curl" + (if .method == "GET" then "" else " -X \(.method)" end)
			+ " " + ("http://127.0.0.1:8080\(path_example)\(query_example)" | if test("[?&{}]") then quoted else . end),
		({user: "$TOKEN", seller: "$TOKEN", admin: "$TOKEN", service: "$SERVICE_TOKEN"}[.access]
			| select(. != null) | "-H \"Authorization: Bearer \(.)\""),
		(select(.access == "signed") | "-H \"Stripe-Signature: $SIGNATURE\""),
		(select(.idempotent) | "-H \"Idempotency-Key: $(uuidgen)\""),
		(if .body == "json" then "-H 'Content-Type: application/json'", "-d \(sample_body | tojson | quoted)"
		elif .body == "form" then
			(sample_body | to_entries[] | "--data-urlencode \("\(.key)=\(.value)" | quoted)")
		elif .body == "multipart" then
			(.input | inputs("body") | map(select(.required or .example != null))[]
				| "-F \("\(.name)=\(if .type == "file" then "@a-file" else sample end)" | quoted)")
		elif .body == "raw" then "-H 'Content-Type: application/json' -d '{}'"
		elif .method == "POST" then "-d ''"
		else empty end)
	] | join(" \\\n  ");

def facts:
	["For \(who)",
	if .rate != "none" then "\(.rate) rate limit" else empty end,
	if .cache != null then "kept for \(.cache.seconds) s, ETag" else empty end,
	if .idempotent then "takes an Idempotency-Key" else empty end,
	if .repeatable != null then "safe to repeat" else empty end,
	if (.every_s // 0) > 0 then
		"runs every \(.every_s) s\(if .woken_by != null then ", or when there is something to do" else "" end)"
	else empty end]
	| map("<li>\(h)</li>") | join("");

def method_badge: "<b class=\"method \(.method | ascii_downcase)\">\(.method)</b>";

def article($shapes):
	"<article id=\"\(.name | h)\">\n"
	+ "<h3>\(method_badge) <code>\(.path | path)</code></h3>\n"
	+ "<p class=\"summary\">\(.summary | h)</p>\n<ul class=\"facts\">\(facts)</ul>\n"
	+ inputs_table("path"; "Path") + inputs_table("query"; "Query") + body
	+ answer + example($shapes) + errors
	+ "<h4>Try it</h4>\n<pre>\(curl | h)</pre>\n</article>\n";

def section($subject; $shapes):
	"<section id=\"subject-\($subject.name | h)\">\n<h2>\($subject.name | h)</h2>\n<p>\($subject.description | h)</p>\n"
	+ (map(article($shapes)) | join("\n")) + "</section>\n";

def links($subject):
	"<li><a href=\"#subject-\($subject.name | h)\">\($subject.name | h)</a>\n<ul>\n"
	+ (map("<li><a href=\"#\(.name | h)\">\(method_badge) \(.summary | h)</a></li>") | join("\n"))
	+ "\n</ul></li>\n";

def shape_article:
	"<article id=\"shape-\(.key | h)\">\n<h3>\(.key | h)</h3>\n<p class=\"summary\">\(.value.doc | h)</p>\n"
	+ table("fields"; .value.fields | map(output_rows)) + "</article>\n";

def refusal: {
	type: "/problems/invalid_input", title: "Some fields are missing or not acceptable", status: 400,
	detail: "items[0].quantity: Must be from 1 to 10000", error: "items[0].quantity: Must be from 1 to 10000",
	code: "invalid_input", request_id: "019ab1e3-7c1d-7d52-9d1e-0b54a7c0f1aa",
	errors: [{field: "items[0].quantity", code: "out_of_range", message: "Must be from 1 to 10000"}]
};

endpoints as $endpoints
| refusal as $refusal
| ($endpoints[] | select(.name == "login") | "TOKEN=$(\(curl) |\n  jq -r .accessToken)") as $sign_in
| shapes as $shapes
| subjects_of($endpoints) as $subjects
| ($endpoints | in_order($subjects | map(.name))) as $ordered
| ($subjects | map(. as $s | {subject: $s, endpoints: ($ordered | map(select(subject == $s.name)))})) as $sections
| ($shapes | to_entries | sort_by(.key)) as $objects
| "<!DOCTYPE html>
<html lang=\"en\">
<head>
<meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">
<title>Souk: the API</title>
<link rel=\"stylesheet\" href=\"/docs.css\">
</head>
<body>
<nav aria-label=\"Endpoints\">
<ul>
<li><a href=\"#conventions\">conventions</a></li>
\($sections | map(. as $s | .endpoints | links($s.subject)) | join(""))<li><a href=\"#shapes\">objects</a>
<ul>
\($objects | map("<li><a href=\"#shape-\(.key | h)\">\(.key | h)</a></li>") | join("\n"))
</ul></li>
</ul>
</nav>
<main>
<header id=\"conventions\">
<h1>Souk <span>the API</span></h1>
<p>A commerce backend of small functions: \($endpoints | length) endpoints, one program each. For programs this page is <a href=\"/openapi.json\">openapi.json</a>.</p>
<dl>
<dt>Bodies</dt><dd>JSON in UTF-8, at most 1 MiB where nothing else is said. A field that an endpoint does not know is refused.</dd>
<dt>Signing in</dt><dd><code>Authorization: Bearer</code> and the <code>accessToken</code> of <a href=\"#login\">a sign-in</a>:
<pre>\($sign_in | h)</pre></dd>
<dt>Money</dt><dd>A decimal string with the currency's own number of digits, <code>\"1999.99\"</code>; accepted as a number too.</dd>
<dt>Time</dt><dd>RFC 3339 in UTC, <code>2026-11-23T01:46:00.000Z</code>.</dd>
<dt>Errors</dt><dd><code>application/problem+json</code> with a stable <code>code</code>, the <code>request_id</code> that is in the logs and, for bad input, every bad field in <code>errors</code>:
<pre>\($refusal | set("") | h)</pre></dd>
<dt>Trying again</dt><dd>With the same <code>Idempotency-Key</code> and body a request takes effect once and is answered the same.</dd>
<dt>Limits</dt><dd><code>RateLimit-Remaining</code> says what is left; 429 and 503 say in <code>Retry-After</code> how long to wait.</dd>
<dt>Caching</dt><dd>What anybody may read has an <code>ETag</code>: sent back in <code>If-None-Match</code> it is answered 304 until it changes. It is compressed for who takes gzip.</dd>
<dt>Browsers</dt><dd>Pages of the origins in <code>ALLOWED_ORIGINS</code> may call; without it only those of this origin.</dd>
<dt>Methods</dt><dd>A GET answers HEAD too. Another method than a path has is 405, with <code>Allow</code>.</dd>
</dl>
</header>
\($sections | map(. as $s | .endpoints | section($s.subject; $shapes)) | join("\n"))
<section id=\"shapes\">
<h2>objects</h2>
<p>What several endpoints answer with.</p>
\($objects | map(shape_article) | join("\n"))</section>
</main>
</body>
</html>"
