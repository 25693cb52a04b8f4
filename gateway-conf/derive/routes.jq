# lighttpd's rules, from what the functions say of themselves.
#
# With $to "sockets" every function is behind a FastCGI socket; with "knative"
# only the gateway's own are, and all others are reached by HTTP under a host
# name of their own, but for those that have a schedule: nobody calls them, or
# PingSources do, whose rules are those of "pings".
#
# A rule per path.  Exact paths come first, so that /api/orders/bulk is never
# somebody's {id}, and among equals those with a cache, being asked for most.
# A method that a path does not have is left to the fallback function, which
# is told the ones it has.

include "api" {search: "./"};

def condition:
	if path_parameters == 0 then "$HTTP[\"url\"] == \"\(.)\""
	else
		gsub("(?<c>[.+*?()|^$\\[\\]\\\\])"; "\\\(.c)")
		| gsub("\\{[^}]*\\}"; "[^/]+")
		| "$HTTP[\"url\"] =~ \"^\(.)$\""
	end;

def method_condition:
	if . == "GET" then "$HTTP[\"request-method\"] =~ \"^(?:GET|HEAD)$\""
	else "$HTTP[\"request-method\"] == \"\(.)\""
	end;

# Numbers of as many digits that are more.
def more:
	(.[:1] | tonumber) as $first
	| (length - 1) as $others
	| (if $first == 9 then empty else "[\($first + 1)-9][0-9]{\($others)}" end),
	if $others == 0 then empty else "\($first)\(.[1:] | more)" end;

# lighttpd.conf says what holds for bodies of up to 1 MiB.  One that is longer
# than its route takes gets no promise that trying again will help.
def body_limit:
	if .max_body <= 1048576 then ""
	else
		((.max_body + 1023) / 1024 | floor) as $kib
		| ($kib * 1024 | tostring) as $most
		| "\t\tserver.max-request-size = \($kib)\n"
		+ "\t\t$REQUEST_HEADER[\"Content-Length\"] !~ \"^(?:"
		+ (["[0-9]{\($most | length + 1)}", ($most | more)] | join("|"))
		+ ")\" {\n\t\t\tserver.error-handler = \"/-/unavailable\"\n\t\t}\n"
	end;

# A function gives up by itself and says why; only if it cannot, lighttpd does.
def by_socket:
	"\t\tfastcgi.server = ( \"/\" => ( function + ("
	+ " \"socket\" => run + \"/fn/\(.binary).sock\","
	+ " \"read-timeout\" => \(.timeout_s + 5) ) ) )\n";

def by_host:
	"\t\tfastcgi.server = ()\n"
	+ "\t\tproxy.server = ( \"\" => ( local_gateway + ( \"read-timeout\" => \(.timeout_s + 5) ) ) )\n"
	+ "\t\tproxy.header = ( \"map-host-request\" => ( \"-\" => \"\(.binary | gsub("_"; "-"))\" + cluster ) )\n"
	+ (if $to == "pings" then "\t\tsetenv.set-request-header = from_knative\n" else "" end);

def is_wanted:
	if $to == "sockets" then true else (.every_s > 0) == ($to == "pings") end;

def to_function:
	"\(.method | method_condition) {\n"
	+ body_limit
	+ (if $to == "sockets" or .context == "gateway" then by_socket else by_host end)
	+ "\t}";

def to_fallback:
	(map(.method | methods) | add | join(", ")) as $allow
	| "{\n\t\tsetenv.add-environment = ( \"SOUK_ALLOW\" => \"\($allow)\" )\n\t}";

def rule:
	"\(.[0].path | condition) {\n\t"
	+ ([(.[] | to_function), to_fallback] | join("\n\telse "))
	+ "\n}";

"# Derived from the functions by `make derive`: do not edit.\n",
(endpoints
	| map(select(is_wanted))
	| group_by(.path)
	| map(sort_by(.method))
	| sort_by([
		(.[0].path | path_parameters),
		all(.cache == null),
		(.[0].path | gsub("\\{[^}]*\\}"; "~"))])
	| map(rule)
	| join("\nelse "))
