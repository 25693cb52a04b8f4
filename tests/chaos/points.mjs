/*
 * Every place where an order's way can be cut: found in the sources, so that
 * what is added later is cut too.
 *
 *   saga.claim_due.before    a statement, before it is sent and after its answer
 *   stripe.post.refunds.after    a call to Stripe likewise
 *   recover_after_claim      a place that a fault_point() names
 */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(fileURLToPath(import.meta.url), '..', '..', '..');

/* All of orders and payments that changes anything, and what drives them. */
const SOURCES = ['shared/saga*.c', 'shared/jobs.c', 'shared/outbox.c', 'shared/mail.c', 'functions/payments/*.c', 'functions/orders/*.c',
    'shared/reconcile*.c', 'shared/stripe_walk*.c', 'functions/cron/payments*.c', 'functions/cron/saga_recover.c', 'functions/cron/reservations_expire.c', 'functions/cron/jobs_run.c',
    'runtime/dispatch.c', 'runtime/db.c'];

/* What chaos cannot bring about, and where it is shown instead. */
const ELSEWHERE = [
	[/^saga\.stop_saga\./, 'a saga that needs an operator: tests/saga/stripe'],
	[/^saga_refund\.refund_anew\./, 'an operator tries a refund again: tests/api/payments'],
	[/^(saga_(retry|skip|compensate|act)\.|saga\.give_back\.|operator_|stripe\.get\.%s\.)/, 'what operators do, and programs of another version: tests/api, tests/saga'],
	[/^saga_order\.payment_processing\./, 'the simulator has no card that is still processing: tests/api/payments'],
	[/^jobs\.give_up\./, 'a job that is given up: tests/mail'],
];

function files() {
	return SOURCES.flatMap((source) => {
		const [directory, begins, ends] = [dirname(source), ...basename(source).split('*'), ''];
		return !source.includes('*') ? [source] : readdirSync(join(root, directory))
		    .filter((name) => name.startsWith(begins) && name.endsWith(ends)).map((name) => join(directory, name));
	});
}

/* "/v1/payment_intents/%s/cancel" is payment_intents.id.cancel. */
const called = (path) => path.split('/').slice(2).map((part, i) => i % 2 ? 'id' : part).join('.');

function pointsOf(file) {
	const text = readFileSync(join(root, file), 'utf8');
	const found = [...text.matchAll(/\bfault_point\("([a-z_.]+)"\)/g)].map(([, name]) => name);

	if (/\.method\s*= HTTP_GET/.test(text))
		return found;
	for (const [, name] of text.matchAll(/^QUERY\((\w+),/gm))
		for (const when of ['before', 'after'])
			found.push(`${basename(file, '.c')}.${name}.${when}`);
	for (const [, method, path] of text.matchAll(/\bstripe_(post|get)\(rq,\s*(?:fmt\(rq,\s*)?"(\/v1\/[^"?]+)/g))
		for (const when of ['before', 'after'])
			found.push(`stripe.${method}.${called(path)}.${when}`);
	return found;
}

export function points() {
	return [...new Set(files().flatMap(pointsOf))].filter((name) => !ELSEWHERE.some(([what]) => what.test(name))).sort();
}
