# A Postman collection (v2.1), from what the functions say of themselves: every
# endpoint with an example, by subject, and before them a flow that goes through
# the shop as its people do.

include "api" {search: "./"};

def capital: (.[:1] | ascii_upcase) + .[1:];

def auth:
	{user: "customerToken", seller: "sellerToken", admin: "adminToken", service: "serviceToken"}[.access]
	| if . == null then {type: "noauth"}
	else {type: "bearer", bearer: [{key: "token", value: "{{\(.)}}", type: "string"}]} end;

def segments: ltrimstr("/") | split("/") | map(if startswith("{") then ":\(.[1:-1])" else . end);

# $values: what goes in place of the path's parameters and into the query.
def url($values):
	(.path | segments) as $path
	| (.input | inputs("query") | map({
		key: .name, value: ($values[.name] // sample | tostring), description: .doc,
		disabled: ((.required or $values[.name] != null) | not)
	})) as $query
	| ($query | map(select(.disabled | not) | "\(.key)=\(.value)") | join("&")) as $sent
	| {
		raw: ("{{baseUrl}}/\($path | join("/"))" + if $sent == "" then "" else "?\($sent)" end),
		host: ["{{baseUrl}}"],
		path: $path
	}
	+ (if $query == [] then {} else {query: $query} end)
	+ (.input | inputs("path")
		| map({key: .name, value: ($values[.name] // sample | tostring), description: .doc})
		| if . == [] then {} else {variable: .} end);

# A string "{{#name}}" becomes the variable without quotes: a number.
def json_text: tojson | gsub("\"\\{\\{#(?<name>[A-Za-z]+)\\}\\}\""; "{{\(.name)}}");

def body($content):
	if .body == "json" then
		{body: {mode: "raw", raw: ($content // sample_body | json_text), options: {raw: {language: "json"}}}}
	elif .body == "form" then
		{body: {mode: "urlencoded", urlencoded: ($content // sample_body | to_entries
			| map({key, value: (.value | tostring)}))}}
	elif .body == "multipart" then
		{body: {mode: "formdata", formdata: (.input | inputs("body") | map(
			{key: .name, description: .doc}
			+ if .type == "file" then {type: "file", src: ""} else {type: "text", value: (sample | tostring)} end))}}
	elif .body == "raw" then
		{body: {mode: "raw", raw: (.raw_example // {} | tojson), options: {raw: {language: "json"}}}}
	else {} end;

def headers($key):
	(if .body == "json" or .body == "raw" then [{key: "Content-Type", value: "application/json"}] else [] end)
	+ (if .idempotent then [{key: "Idempotency-Key", value: $key}] else [] end)
	+ (if .access == "signed" then [{key: "Stripe-Signature", value: "{{stripeSignature}}"}] else [] end);

def request($step):
	{
		method, header: headers($step.key // "{{$guid}}"), auth: ($step.auth // auth), url: url($step.values // {}),
		description: "For \(who)."
	}
	+ body($step.body);

def script($when; $lines): {listen: $when, script: {type: "text/javascript", exec: $lines}};

def success: if (.success // 0) == 0 then 200 else .success end;

# What a folder's example may be answered.  As input it is good, unless only the
# caller has what it takes: a file, a signature.
def documented:
	([success, .errors[].status] | unique) as $statuses
	| script("test"; [
		"pm.test('is answered as documented', () => pm.expect(pm.response.code).to.be.oneOf(\($statuses)));",
		(select(.access != "signed" and .body != "multipart")
			| "pm.test('is understood', () => pm.expect(pm.response.text()).to.not.match(/\"code\":\"(malformed_request|invalid_input)\"/));")]);

def example($shapes):
	sample_answer($shapes) as $answer
	| if $answer == null then []
	else [{
		name: "\(success)", originalRequest: request({}), code: success,
		status: ({"200": "OK", "201": "Created", "202": "Accepted"}["\(success)"] // ""),
		header: [{key: "Content-Type", value: "application/json"}],
		_postman_previewlanguage: "json", body: ($answer | tojson)
	}] end;

def item($shapes):
	{name: .summary, event: [documented], request: request({}), response: example($shapes)};

# The flow: who does what, what is kept of the answer, what it must say.
# Values are as in json_text; keys of .keep and .expect are paths in the answer.
def by($who): {type: "bearer", bearer: [{key: "token", value: "{{\($who)Token}}", type: "string"}]};

def account($who; $role): [
	{of: "register_account", name: "The \($who) signs up",
		body: {email: "{{\($who)Email}}", password: "{{password}}", first_name: ($who | capital), last_name: "Postman", role: $role},
		expect: {"user.email": "{{\($who)Email}}", "user.role": $role}},
	{of: "login", name: "The \($who) signs in", body: {email: "{{\($who)Email}}", password: "{{password}}"},
		expect: {tokenType: "Bearer"}, keep: {("\($who)Token"): "accessToken", ("\($who)RefreshToken"): "refreshToken"}}
];

def flow: [
	{of: "show_root", name: "What is this?", expect: {status: "running"}},
	account("seller"; "seller")[],
	account("customer"; "customer")[],
	{of: "list_categories", name: "The shelves"},
	{of: "create_product", name: "The seller puts something up for sale",
		body: {name: "{{productName}}", price: "19.99", stock_quantity: 10, tags: ["postman"]},
		expect: {price: "19.99", stock_quantity: 10}, keep: {productId: "id"}},
	{of: "list_products", name: "The customer browses", values: {search: "{{productName}}"},
		expect: {"products[0].id": "{{#productId}}", "pagination.page": 1}},
	{of: "get_product", name: "... and looks at it", values: {id: "{{productId}}"}, expect: {id: "{{#productId}}", is_active: true}},
	{of: "place_order", name: "The customer orders two", key: "order-{{runId}}",
		body: {items: [{productId: "{{#productId}}", quantity: 2}], shippingAddress: "12 Rue des Epices", shippingCity: "Fes", shippingCountry: "MA"},
		expect: {status: "confirmed", payment_status: "pending", subtotal: "39.98", total_amount: "53.98"},
		keep: {orderId: "id", paymentIntentId: "payment.paymentIntentId", clientSecret: "payment.clientSecret"}},
	{of: "place_order", name: "... asks again, and has still one order", key: "order-{{runId}}",
		body: {items: [{productId: "{{#productId}}", quantity: 2}], shippingAddress: "12 Rue des Epices", shippingCity: "Fes", shippingCountry: "MA"},
		expect: {id: "{{#orderId}}"}, header: {"Idempotent-Replayed": "true"}},
	{of: "get_product", name: "The seller has two less to sell", values: {id: "{{productId}}"}, auth: by("seller"), expect: {stock_quantity: 8}},
	{of: "create_intent", name: "How to pay?", body: {orderId: "{{#orderId}}"},
		expect: {paymentIntentId: "{{paymentIntentId}}", amount: "53.98", status: "pending"}},
	{name: "The customer pays, at Stripe", expect: {status: "succeeded"}, request: {
		method: "POST", header: [], auth: {type: "basic", basic: [
			{key: "username", value: "{{publishableKey}}", type: "string"}, {key: "password", value: "", type: "string"}]},
		url: {raw: "{{simulatorUrl}}/v1/payment_intents/{{paymentIntentId}}/confirm",
			host: ["{{simulatorUrl}}"], path: ["v1", "payment_intents", "{{paymentIntentId}}", "confirm"]},
		body: {mode: "urlencoded", urlencoded: [
			{key: "payment_method", value: "pm_card_visa"}, {key: "client_secret", value: "{{clientSecret}}"},
			{key: "return_url", value: "https://shop.example/done"}]}}},
	{of: "payment_status", name: "The shop knows", values: {orderId: "{{orderId}}"}, expect: {status: "succeeded", order_id: "{{#orderId}}"}},
	{of: "get_order", name: "The order is paid", values: {id: "{{orderId}}"},
		expect: {status: "paid", payment_status: "succeeded", "items[0].product_id": "{{#productId}}"}},
	{of: "get_history", name: "... and tells how it came to that", values: {id: "{{orderId}}"}, expect: {"[0].new_status": "pending", "[2].new_status": "paid"}},
	{of: "list_orders", name: "The customer's orders", expect: {"orders[0].id": "{{#orderId}}", "pagination.total": 1}},
	{of: "list_orders", name: "The seller's", values: {seller: "me"}, auth: by("seller"), expect: {"orders[0].id": "{{#orderId}}"}},
	{of: "get_profile", name: "Who am I?", expect: {email: "{{customerEmail}}"}},
	{of: "update_profile", name: "Somebody else from now on", body: {first_name: "Amina"}, expect: {"user.first_name": "Amina"}},
	{of: "refresh", name: "Signed in for longer", body: {refreshToken: "{{customerRefreshToken}}"},
		keep: {customerToken: "accessToken", customerRefreshToken: "refreshToken"}},
	{of: "get_profile", name: "The new token is as good", expect: {email: "{{customerEmail}}"}},
	{of: "logout", name: "The customer signs out", body: {refreshToken: "{{customerRefreshToken}}"}},
	{of: "get_profile", name: "... and is signed out", status: 401, expect: {code: "unauthenticated"}},
	account("customer"; "customer")[1]
];

def accessor: if startswith("[") then . else ".\(.)" end;

# In a script a variable's text is the value itself, or a number's.
def expected:
	if type == "string" and test("^\\{\\{#") then "Number(pm.variables.get('\(.[3:-2])'))"
	elif type == "string" then "pm.variables.replaceIn(\(tojson))"
	else tojson end;

def checks($status):
	["pm.test('answers \($status)', () => pm.expect(pm.response.code, pm.response.text()).to.equal(\($status)));"]
	+ ((.header // {}) | to_entries
		| map("pm.test('\(.key) is \(.value)', () => pm.expect(pm.response.headers.get('\(.key)')).to.equal('\(.value)'));"))
	+ (if .expect == null and .keep == null then [] else ["const answer = pm.response.json();"] end)
	+ ((.expect // {}) | to_entries
		| map("pm.test('\(.key) is as expected', () => pm.expect(answer\(.key | accessor)).to.equal(\(.value | expected)));"))
	+ ((.keep // {}) | to_entries
		| map("pm.collectionVariables.set('\(.key)', answer\(.value | accessor));"));

def once: [
	"const id = pm.variables.replaceIn('{{$randomUUID}}');",
	"pm.collectionVariables.set('runId', id);",
	"pm.collectionVariables.set('productName', `Lamp of ${id.replace(/[^a-f]/g, '')}`);",
	"pm.collectionVariables.set('customerEmail', `customer-${id}@souk.example`);",
	"pm.collectionVariables.set('sellerEmail', `seller-${id}@souk.example`);"
];

def flow_item($endpoints):
	. as $step
	| (if .of == null then {success: 200} else first(($endpoints[] | select(.name == $step.of)), error("the flow has no \(.of)")) end) as $endpoint
	| {
		name,
		event: [script("test"; checks(.status // ($endpoint | success)))],
		request: (.request // ($endpoint | request($step))),
		response: []
	};

endpoints as $endpoints
| shapes as $shapes
| subjects_of($endpoints) as $subjects
| {
	info: {
		name: "Souk",
		description: "Derived from the functions by `make derive`: do not edit. Start with the folder Flow: it makes its own people and keeps their tokens for the others.",
		schema: "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
	},
	item: ([{
		name: "Flow",
		description: "Sign up, sell, order, pay, sign out: in this order.",
		item: (flow | map(flow_item($endpoints)) | .[0].event += [script("prerequest"; once)])
	}] + ($subjects | map(. as $subject | {
		name: (.name | capital),
		description,
		item: ($endpoints | map(select(subject == $subject.name)) | sort_by([.path, .method]) | map(item($shapes)))
	}))),
	variable: [{key: "password", value: "saffron and mint"}]
}
