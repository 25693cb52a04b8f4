# Every dashboard: deploy/monitoring/grafana/render writes them to dashboards/.
#
#   jq -n -f dashboards.jq    one object, a dashboard by each file's name

def target($expr; $legend): {expr: $expr, legendFormat: $legend};

# Of one query, or several as [[expr, legend], ...].
def targets($queries):
	[$queries | to_entries[] | target(.value[0]; .value[1]) + {refId: ([65 + .key] | implode)}];

def panel($type; $title; $unit; $queries; $help):
	{type: $type, title: $title, description: $help,
	 datasource: {type: "prometheus", uid: "${datasource}"},
	 fieldConfig: {defaults: ({unit: $unit, min: 0} + if $type == "stat" then {} else {
		custom: {fillOpacity: 10, lineWidth: 1, showPoints: "never", spanNulls: true}} end), overrides: []},
	 targets: targets($queries)}
	+ if $type == "stat" then {options: {reduceOptions: {calcs: ["lastNotNull"]}, colorMode: "value"}}
	  else {options: {legend: {showLegend: true, displayMode: "table", placement: "bottom", calcs: ["lastNotNull", "max"]},
			  tooltip: {mode: "multi", sort: "desc"}}} end;
def graph($title; $unit; $queries; $help): panel("timeseries"; $title; $unit; $queries; $help);
# Grafana's own limits are green, and red from 80 on, whatever it is of.
def figure($title; $unit; $expr; $help): panel("stat"; $title; $unit; [[$expr, ""]]; $help)
	| .fieldConfig.defaults.color = {mode: "fixed", fixedColor: "text"};

def coloured($steps): .fieldConfig.defaults |= (del(.color)
	| .thresholds = {mode: "absolute", steps: [$steps[] | {color: .[0], value: .[1]}]});
# Well, until there is as much as this; or not before.
def well_under($limit): coloured([["green", null], ["red", $limit]]);
def well_from($limit): coloured([["red", null], ["green", $limit]]);

# Zero is well, anything else is somebody's work.
def zero($title; $expr; $help): figure($title; "short"; $expr; $help) | well_under(1);

# Figures are four to a row, graphs two.
def placed:
	reduce .[] as $p ({x: 0, y: 0, rows: 0, out: []};
		($p.type == "stat") as $small | (if $small then 6 else 12 end) as $w | (if $small then 4 else 8 end) as $h
		| if .x + $w > 24 or (.x > 0 and .rows != $h) then .y += .rows | .x = 0 else . end
		| .rows = $h
		| .out += [$p + {id: (.out | length + 1), gridPos: {x: .x, y: .y, w: $w, h: $h}}]
		| .x += $w)
	| .out;

def dashboard($uid; $title; $panels):
	{uid: "souk-\($uid)", title: "Souk: \($title)", tags: ["souk"], schemaVersion: 37, version: 1,
	 editable: false, refresh: "30s", time: {from: "now-6h", to: "now"}, timezone: "utc",
	 templating: {list: [{name: "datasource", type: "datasource", query: "prometheus", label: "Prometheus"}]},
	 links: [{type: "dashboards", title: "Souk", tags: ["souk"], asDropdown: true, keepTime: true,
		includeVars: true, targetBlank: false, icon: "", tooltip: "The other dashboards"}],
	 panels: ($panels | placed)};

def quantiles($metric; $by):
	[("0.5", "0.95", "0.99") | ["histogram_quantile(\(.), sum by (le) (rate(\($metric)_bucket\($by)[$__rate_interval])))", "p\(tonumber * 100)"]];
def by($name; $expr): [["sum by (\($name)) (\($expr))", "{{\($name)}}"]];
def count($expr): "increase(\($expr)[$__range])";

{
traffic: dashboard("traffic"; "traffic"; [
	figure("Requests a second"; "reqps"; "sum(rate(http_requests_total{route=~\"/api/.+\"}[5m]))"; "Under /api"),
	figure("Functions up"; "short"; "sum(function_up)"; "Awake, or asleep until the next request"),
	zero("Functions down"; "count(function_up == 0) or vector(0)"; "FunctionDown in the runbook"),
	zero("Alerts firing"; "count(ALERTS{alertstate=\"firing\",severity!=\"none\"}) or vector(0)"; "Of any severity"),
	graph("Requests by status"; "reqps"; by("status"; "rate(http_requests_total{route=~\"/api/.+\"}[$__rate_interval])"); "What the shop answers"),
	graph("The ten busiest endpoints"; "reqps"; [["topk(10, route:http_requests:rate5m{route=~\"/api/.+\"})", "{{method}} {{route}}"]]; "By requests a second, over five minutes"),
	graph("Refused for a limit"; "reqps"; [["sum(rate(rate_limited_total[$__rate_interval]))", "429"]]; "More of these than usual is somebody who tries"),
	graph("Processor"; "percentunit"; [["1 - avg by (instance) (rate(node_cpu_seconds_total{mode=\"idle\"}[$__rate_interval]))", "{{instance}}"]]; "Of all cores"),
	graph("Memory available"; "bytes"; [["node_memory_MemAvailable_bytes", "{{instance}}"]]; "To programs, by the machine"),
	graph("Disk left"; "percentunit"; [["node_filesystem_avail_bytes{fstype!~\"tmpfs|ramfs|overlay|squashfs|fuse.*\"} / node_filesystem_size_bytes", "{{instance}} {{mountpoint}}"]]; "DiskFull and DiskFilling in the runbook")]),

latency: dashboard("latency"; "latency"; [
	(figure("Slow reads, last hour"; "percentunit"; "slo:bad:ratio_rate1h{slo=\"reads\"}"; "Of GET over 250 ms; 1 % may be") | well_under(0.01)),
	(figure("Slow writes, last hour"; "percentunit"; "slo:bad:ratio_rate1h{slo=\"writes\"}"; "Of the others over 1 s; 1 % may be") | well_under(0.01)),
	(figure("Budget of reads left"; "percentunit"; "1 - slo:bad:ratio_rate3d{slo=\"reads\"} / ignoring (slo) slo:budget:ratio{slo=\"reads\"}"; "At the pace of the last three days") | well_from(0)),
	(figure("Budget of writes left"; "percentunit"; "1 - slo:bad:ratio_rate3d{slo=\"writes\"} / ignoring (slo) slo:budget:ratio{slo=\"writes\"}"; "At the pace of the last three days") | well_from(0)),
	graph("Reads"; "s"; quantiles("http_request_duration_seconds"; "{route=~\"/api/.+\",method=\"GET\"}"); "GET under /api; a quarter of a second is the objective"),
	graph("Writes"; "s"; quantiles("http_request_duration_seconds"; "{route=~\"/api/.+\",method!=\"GET\"}"); "All others under /api; a second is the objective"),
	graph("The ten slowest endpoints, p99"; "s"; [["topk(10, route:http_request_duration_seconds:p99_5m{route=~\"/api/.+\"} > 0)", "{{method}} {{route}}"]]; "Over five minutes"),
	graph("Hashing passwords"; "s"; quantiles("password_hash_duration_seconds"; "") + [["histogram_quantile(0.99, sum by (le) (rate(password_hash_wait_seconds_bucket[$__rate_interval])))", "p99 of the wait for a turn"]]; "Cost is what it is for; a wait means that there are too many"),
	graph("Pictures"; "s"; quantiles("picture_duration_seconds"; ""); "Decoding and shrinking an upload"),
	graph("Object store"; "s"; quantiles("object_store_duration_seconds"; ""); "S3, where there is one")]),

errors: dashboard("errors"; "errors"; [
	(figure("Faults, last hour"; "percentunit"; "slo:bad:ratio_rate1h{slo=\"availability\"}"; "0.1 % may be") | well_under(0.001)),
	(figure("Budget left"; "percentunit"; "1 - slo:bad:ratio_rate3d{slo=\"availability\"} / ignoring (slo) slo:budget:ratio{slo=\"availability\"}"; "At the pace of the last three days") | well_from(0)),
	zero("Processes died"; "sum(\(count("function_worker_deaths_total")))"; "In the time shown; FunctionCrashing in the runbook"),
	zero("Counter files unreadable"; "sum(metrics_files_unreadable)"; "MetricsIncomplete in the runbook"),
	graph("Faults by endpoint"; "reqps"; [["route:http_errors:rate5m > 0", "{{method}} {{route}}"]]; "5xx"),
	graph("Refusals by status"; "reqps"; by("status"; "rate(http_requests_total{route=~\"/api/.+\",status=~\"4..\"}[$__rate_interval])"); "4xx: the caller's"),
	graph("Deaths by function"; "short"; [["increase(function_worker_deaths_total[$__rate_interval]) > 0", "{{function}}"]]; "Processes that ended and should not have"),
	graph("Functions that are down"; "short"; [["1 - function_up > 0", "{{function}}"]]; "1 is down; FunctionDown in the runbook"),
	graph("How fast the budget burns"; "short"; [["slo:bad:ratio_rate1h / slo:budget:ratio", "{{slo}}, an hour"], ["slo:bad:ratio_rate6h / slo:budget:ratio", "{{slo}}, six hours"]]; "1 is just in time; 14.4 for an hour pages"),
	graph("Sessions that could not be told ended"; "short"; [["increase(sessions_untold_total[$__rate_interval])", "sessions"]]; "Redis was away; their tokens end by themselves")]),

database: dashboard("database"; "database"; [
	(figure("Postgres"; "short"; "min(pg_up)"; "1 is up") | well_from(1)),
	(figure("Connections"; "percentunit"; "sum(pg_stat_activity_count) / sum(pg_settings_max_connections)"; "Of those it takes; PostgresConnections in the runbook") | well_under(0.8)),
	figure("Size"; "bytes"; "sum(pg_database_size_bytes)"; "Of all databases"),
	figure("Found in memory"; "percentunit"; "sum(rate(pg_stat_database_blks_hit[5m])) / (sum(rate(pg_stat_database_blks_hit[5m])) + sum(rate(pg_stat_database_blks_read[5m])))"; "Of the blocks that were needed"),
	(figure("Newest backup"; "s"; "time() - max(backup_taken_timestamp_seconds)"; "Its age; BackupOld in the runbook") | well_under(26 * 3600)),
	zero("Log that is not archived"; "sum(increase(pg_stat_archiver_failed_count[$__range]))"; "Failed tries in the time shown; WalArchiveFailing in the runbook"),
	graph("Statements of the functions"; "s"; quantiles("db_query_duration_seconds"; ""); "As they see it, with the way there"),
	graph("Statements a second"; "short"; [["sum(rate(db_query_duration_seconds_count[$__rate_interval]))", "statements"], ["sum(rate(db_reruns_total[$__rate_interval]))", "transactions run again"]]; "Again: after a serialization failure or a deadlock"),
	graph("Transactions"; "short"; [["sum by (datname) (rate(pg_stat_database_xact_commit[$__rate_interval]))", "{{datname}} committed"], ["sum by (datname) (rate(pg_stat_database_xact_rollback[$__rate_interval]))", "{{datname}} rolled back"]]; "A second, by the database"),
	graph("Connections by state"; "short"; by("state"; "pg_stat_activity_count"); "Idle ones are the functions' own, between requests"),
	graph("Locks"; "short"; [["sum by (mode) (pg_locks_count) > 0", "{{mode}}"]]; "Held or waited for, by their mode"),
	graph("Deadlocks"; "short"; [["sum by (datname) (increase(pg_stat_database_deadlocks[$__rate_interval]))", "{{datname}}"]]; "One of the two is run again by its function")]),

cache: dashboard("cache"; "cache"; [
	(figure("Redis"; "short"; "min(redis_up)"; "1 is up") | well_from(1)),
	figure("Answered from the cache"; "percentunit"; "souk:cache_hits:ratio_rate5m"; "Of what may be"),
	figure("Memory"; "percentunit"; "redis_memory_used_bytes / redis_memory_max_bytes"; "Of what it may take; it forgets the oldest then"),
	zero("Purges failed"; "sum(\(count("cache_purges_failed_total")))"; "In the time shown; CacheNotPurged in the runbook"),
	graph("Hits and misses"; "reqps"; [["sum(rate(cache_hits_total[$__rate_interval]))", "hits"], ["sum(rate(cache_misses_total[$__rate_interval]))", "misses"]]; "Answers that could come from the cache"),
	graph("A round trip to Redis"; "s"; quantiles("redis_duration_seconds"; ""); "As the functions see it"),
	graph("Failures"; "short"; [["sum(rate(redis_failures_total[$__rate_interval]))", "failures"]]; "Of the functions with Redis"),
	graph("Evicted and expired"; "short"; [["rate(redis_evicted_keys_total[$__rate_interval])", "evicted"], ["rate(redis_expired_keys_total[$__rate_interval])", "expired"]]; "Keys a second; evicted: there was no room for them"),
	graph("Clients"; "short"; [["redis_connected_clients", "{{instance}}"]]; "Connections, by the server"),
	graph("Commands"; "ops"; [["rate(redis_commands_processed_total[$__rate_interval])", "{{instance}}"]]; "A second, by the server")]),

saga: dashboard("saga"; "the saga's funnel"; [
	figure("Placed"; "short"; "sum(\(count("http_requests_total{method=\"POST\",route=\"/api/orders\",status=\"201\"}")))"; "In the time shown"),
	figure("Intent made"; "short"; "sum(\(count("saga_steps_total{step=\"create_intent\",outcome=\"done\"}")))"; "Orders that Stripe knows of, in the time shown"),
	figure("Paid"; "short"; "sum(\(count("saga_steps_total{step=\"await_payment\",outcome=\"done\"}")))"; "In the time shown"),
	figure("Undone"; "short"; "sum(\(count("saga_steps_total{step=\"create_intent\",outcome=\"compensated\"}")))"; "Not paid in time, refused, or cancelled"),
	zero("Dead"; "sum(sagas_stopped{state=\"dead\"})"; "SagaDead in the runbook"),
	zero("Paused"; "sum(sagas_stopped{state=\"paused\"})"; "SagaPaused in the runbook"),
	(figure("Longest overdue"; "s"; "max(saga_oldest_overdue_seconds)"; "SagaStuck in the runbook") | well_under(120)),
	figure("Refunded"; "short"; "sum(\(count("saga_steps_total{step=\"refund_payment\",outcome=\"done\"}")))"; "In the time shown"),
	graph("Where they stand"; "short"; [["sum by (kind, step, state) (sagas_live)", "{{kind}} {{step}} {{state}}"], ["max(sagas_unknown)", "due, at a step of another release"]]; "Sagas that have not ended"),
	graph("Steps by how they ended"; "short"; [["sum by (step, outcome) (rate(saga_steps_total[$__rate_interval]))", "{{step}} {{outcome}}"]]; "A second"),
	graph("How long a try takes, p95"; "s"; [["histogram_quantile(0.95, sum by (kind, step, state, le) (rate(saga_step_duration_seconds_bucket[$__rate_interval])))", "{{kind}} {{step}} {{state}}"]]; "By step, with what it waits for"),
	graph("Trouble"; "short"; [["sum(increase(saga_retries_total[$__rate_interval]))", "tried again"], ["sum(increase(saga_fenced_total[$__rate_interval]))", "fenced"], ["sum(increase(saga_unknown_total[$__rate_interval]))", "of a step not known"], ["sum(increase(saga_dead_total[$__rate_interval]))", "given up"]]; "Fenced: a driver that was thought dead came back too late")]),

jobs: dashboard("jobs"; "jobs and events"; [
	(figure("Longest due"; "s"; "max(jobs_oldest_due_seconds)"; "JobBacklog in the runbook") | well_under(300)),
	zero("Dead jobs"; "sum(jobs_open{state=\"dead\"})"; "JobDead in the runbook"),
	(figure("Oldest event"; "s"; "max(outbox_oldest_waiting_seconds)"; "OutboxBacklog in the runbook") | well_under(300)),
	zero("Dead events"; "sum(outbox_dead_events)"; "OutboxDead in the runbook"),
	graph("Jobs that have not ended"; "short"; [["sum by (kind, state) (jobs_open)", "{{kind}} {{state}}"], ["max(jobs_unknown)", "due, of a kind of another release"]]; "By kind and state"),
	graph("Tries by what became of them"; "short"; by("outcome"; "rate(jobs_total[$__rate_interval])"); "A second"),
	graph("How late a job begins"; "s"; quantiles("job_late_seconds"; ""); "After it was due"),
	graph("Mails"; "short"; by("outcome"; "rate(mails_total[$__rate_interval])"); "A second"),
	graph("Handing a mail over"; "s"; quantiles("mail_send_duration_seconds"; ""); "To the SMTP server"),
	graph("Events that wait"; "short"; [["sum(outbox_waiting_events)", "events"]]; "To be sent to the sink"),
	graph("Events by what became of a try"; "short"; by("outcome"; "rate(events_total[$__rate_interval])"); "A second"),
	graph("How old an event is when it is taken"; "s"; quantiles("event_age_seconds"; ""); "By the sink")]),

stripe: dashboard("stripe"; "Stripe"; [
	(figure("Calls without an answer"; "percentunit"; "sum(rate(stripe_requests_total{outcome=~\"away|breaker_open\"}[5m])) / sum(rate(stripe_requests_total[5m]))"; "StripeUnreachable in the runbook") | well_under(0.2)),
	zero("Bad signatures"; "sum(\(count("stripe_webhooks_total{outcome=\"bad_signature\"}")))"; "In the time shown; WebhookSignatures in the runbook"),
	zero("Differences"; "sum(payments_drift)"; "Between Stripe's books and ours; PaymentsDrift in the runbook"),
	(figure("Oldest event without effect"; "s"; "max(webhooks_oldest_unapplied_seconds)"; "WebhookBacklog in the runbook") | well_under(900)),
	graph("Calls by outcome"; "reqps"; by("outcome"; "rate(stripe_requests_total[$__rate_interval])"); "refused: Stripe's no, which is an answer"),
	graph("How long a call takes"; "s"; quantiles("stripe_request_duration_seconds"; ""); "To Stripe, with its answer"),
	graph("Webhooks by what they did"; "short"; by("outcome"; "rate(stripe_webhooks_total[$__rate_interval])"); "A second"),
	graph("Events without effect"; "short"; [["sum(webhooks_unapplied)", "events"]]; "Of Stripe's; WebhookBacklog in the runbook"),
	graph("Found by looking"; "short"; by("what"; "increase(payments_reconciled_total[$__rate_interval])"); "What webhooks had lost"),
	graph("Differences left"; "short"; [["sum(payments_drift)", "differences"]]; "PaymentsDrift in the runbook")]),

business: dashboard("business"; "business"; [
	figure("Paid in all, minor units"; "short"; "sum by (currency) (ledger_captured_minor_units)"; "Cents, of dollars; before refunds"),
	figure("Earned in the time shown"; "short"; "sum by (currency) (delta(ledger_captured_minor_units[$__range]) - delta(ledger_refunded_minor_units[$__range]))"; "Minor units, without what went back"),
	figure("Orders paid"; "short"; "sum(\(count("saga_steps_total{step=\"await_payment\",outcome=\"done\"}")))"; "In the time shown"),
	figure("Of orders placed"; "percentunit"; "sum(\(count("saga_steps_total{step=\"await_payment\",outcome=\"done\"}"))) / sum(\(count("http_requests_total{method=\"POST\",route=\"/api/orders\",status=\"201\"}")))"; "are paid"),
	zero("Ledgers that do not add up"; "sum(ledger_unbalanced_orders)"; "LedgerNotZero in the runbook"),
	zero("Products with lost units"; "sum(stock_unconserved_products)"; "StockNotConserved in the runbook"),
	figure("New accounts"; "short"; "sum(\(count("http_requests_total{method=\"POST\",route=\"/api/auth/register\",status=\"201\"}")))"; "In the time shown"),
	figure("Signed in"; "short"; "sum(\(count("http_requests_total{method=\"POST\",route=\"/api/auth/login\",status=\"200\"}")))"; "In the time shown"),
	graph("Orders"; "short"; [["sum(increase(http_requests_total{method=\"POST\",route=\"/api/orders\",status=\"201\"}[1h]))", "placed"], ["sum(increase(saga_steps_total{step=\"await_payment\",outcome=\"done\"}[1h]))", "paid"], ["sum(increase(saga_steps_total{step=\"create_intent\",outcome=\"compensated\"}[1h]))", "undone"], ["sum(increase(saga_steps_total{step=\"refund_payment\",outcome=\"done\"}[1h]))", "refunded"]]; "An hour"),
	graph("Takings"; "short"; [["sum by (currency) (delta(ledger_captured_minor_units[1h]))", "{{currency}} paid"], ["sum by (currency) (delta(ledger_refunded_minor_units[1h]))", "{{currency}} went back"]]; "An hour, in minor units"),
	graph("Orders refused"; "short"; by("status"; "increase(http_requests_total{method=\"POST\",route=\"/api/orders\",status=~\"4..\"}[1h])"); "An hour; 409 is sold out"),
	graph("Looked at and looked for"; "reqps"; [["sum by (route) (rate(http_requests_total{method=\"GET\",route=~\"/api/products.*\"}[$__rate_interval]))", "{{route}}"]]; "Products and searches, by the endpoint")])
}
