# lighttpd's rules, from what the functions say of themselves.
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

# A function gives up by itself and says why; only if it cannot, lighttpd does.
def to_function:
	"\(.method | method_condition) {\n"
	+ "\t\tfastcgi.server = ( \"/\" => ( function + ("
	+ " \"socket\" => run + \"/fn/\(.binary).sock\","
	+ " \"read-timeout\" => \(.timeout_s + 5) ) ) )\n\t}";

def to_fallback:
	(map(.method | methods) | add | join(", ")) as $allow
	| "{\n\t\tsetenv.add-environment = ( \"SOUK_ALLOW\" => \"\($allow)\" )\n\t}";

def rule:
	"\(.[0].path | condition) {\n\t"
	+ ([(.[] | to_function), to_fallback] | join("\n\telse "))
	+ "\n}";

"# Derived from the functions by `make derive`: do not edit.\n",
(endpoints
	| group_by(.path)
	| map(sort_by(.method))
	| sort_by([
		(.[0].path | path_parameters),
		all(.cache == null),
		(.[0].path | gsub("\\{[^}]*\\}"; "~"))])
	| map(rule)
	| join("\nelse "))
