/*
 * Mutants: the saga with one thing wrong each.  A run of chaos, or the named
 * test, has to fail on every one; who does not notice has tested nothing.
 *
 *   node mutants.mjs [NAME...]      all of them, each beside a stack of its own
 *
 * `from` is what the mutant lacks, `to` what it has instead: in a file, of which
 * a copy is built, or in a SQL function, as the stack's database has it.
 */
import { execFileSync, spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(fileURLToPath(import.meta.url), '..', '..', '..');
const LEASES = 'tests/saga/leases.test.mjs';
const LONGEST_MS = 240000;

export const MUTANTS = [
	/* Leases and epochs. */
	{ name: 'no fencing', sql: 'orders.saga_lock', from: 's.epoch = p_epoch AND ', to: '', by: LEASES },
	{ name: 'no fencing of one who waits', sql: 'orders.saga_wait_v1', from: 'AND epoch = p_epoch ', to: '', by: LEASES },
	{ name: 'a claim raises no epoch', sql: 'orders.saga_claim_order', from: 'epoch = epoch + 1', to: 'epoch = epoch', by: LEASES },
	{ name: 'a sweep raises no epoch', sql: 'orders.saga_claim', from: 'epoch = epoch + 1', to: 'epoch = epoch', by: LEASES },
	{ name: 'no alarm at the start', sql: 'orders.place_v1', from: 'now() + make_interval(secs => p_lease_s)', to: "'infinity'" },
	{ name: 'no alarm while it waits', sql: 'orders.saga_intent_created_v1',
		from: 'least(deadline, now() + make_interval(secs => p_wake_s))', to: "'infinity'" },
	{ name: 'no alarm while it is undone', sql: 'orders.saga_compensate_v1',
		from: 'now() + make_interval(secs => p_lease_s)', to: "'infinity'" },

	/* What comes first. */
	{ name: 'stock is released before the intent is cancelled', sql: 'orders.saga_compensate_v1',
		from: "RETURN 'compensating'", to: "PERFORM orders.move_lines(s.order_id, 'released');\n\tRETURN 'compensating'" },
	{ name: 'undone without cancelling', file: 'shared/saga.c',
		from: 'fault_point("compensate_before_cancel");', to: 'return compensated(rq, s);' },
	{ name: 'a cancellation without an answer counts', file: 'shared/saga.c',
		from: 'if (one_of(status, "canceled") ||', to: 'if (r.outcome == STRIPE_AWAY || one_of(status, "canceled") ||' },
	{ name: 'a cancellation refused counts', file: 'shared/saga.c',
		from: 'if (one_of(status, "canceled") ||', to: 'if (one_of(status, "canceled", "succeeded") ||' },
	{ name: 'a step in doubt is not resolved', file: 'shared/saga.c',
		from: 'if (s->intent == NULL) {', to: 'if (s->intent == NULL) {\n\t\treturn compensated(rq, s);' },
	{ name: 'the refund is written down before it is made', file: 'shared/saga.c',
		from: 'fault_point("refund_before_call");',
		to: 'db_one(rq, &refund_made, s->id, s->epoch, fmt(rq, "re_%s", s->id), s->amount);\n\tfault_point("refund_before_call");' },

	/* Keys. */
	{ name: 'a fresh key for each try of an intent', file: 'shared/saga.c',
		from: 'fmt(rq, "intent-%s", s->generation)', to: 'fmt(rq, "intent-%llu", (unsigned long long)now_us())' },
	{ name: 'a new key without looking what the old one made', file: 'shared/saga.c',
		from: 'if (r.replayed && r.status >= 500 && (found = find_intent(rq, s)) != NULL)', to: 'if ((found = NULL) != NULL)' },
	{ name: 'a fault that Stripe keeps is asked for for ever', file: 'shared/saga.c',
		from: 'return retry(rq, s, &r, r.replayed && r.status >= 500);', to: 'return retry(rq, s, &r, false);' },
	{ name: 'an order without its key', sql: 'orders.place_v1', from: 'IF p_key IS NOT NULL THEN', to: 'IF false THEN' },
	{ name: 'what a key began is begun again', file: 'functions/orders/place.c',
		from: 'if (order != NULL) {', to: 'if (order == NULL) {' },

	/* Events. */
	{ name: 'a webhook is not deduplicated', sql: 'payments.webhook_ingest', from: "RETURN 'duplicate'", to: 'NULL',
		by: 'tests/api/payments/webhook.test.mjs' },
	{ name: 'a webhook is answered though it was not stored', file: 'functions/payments/webhook.c',
		from: 'outcome = row_text(db_one(rq, &ingest, id, type, fmt(rq, "%.*s", (int)n, body)),\n\t    "outcome");',
		to: 'outcome = "stored";' },
	{ name: 'a payment counts each time it is told', sql: 'orders.payment_succeeded_checked',
		from: 'IF p.captured_at IS NOT NULL THEN', to: 'IF false THEN' },
	{ name: 'nobody looks for a payment', file: 'shared/saga.c',
		from: 'struct stripe_reply r = look_up(rq, s->intent);\n\tconst char *status;',
		to: 'struct stripe_reply r = { .outcome = STRIPE_AWAY, .problem = "" };\n\tconst char *status;' },

	/* Money and goods. */
	{ name: 'the capture is not in the ledger', sql: 'orders.payment_succeeded_checked',
		from: "PERFORM payments.ledger_post(p_order, 'capture', p_intent, p_amount, p.currency);", to: '' },
	{ name: 'the refund is not in the ledger', sql: 'payments.ledger_post', from: 'ON CONFLICT', to: "WHERE p_kind <> 'refund' ON CONFLICT" },
	{ name: 'a late payment is kept', sql: 'orders.payment_succeeded_checked',
		from: "IF s.state = 'compensated' THEN", to: "IF s.state = 'compensated' THEN RETURN 'already';" },
	{ name: 'a late payment takes no stock again', sql: 'orders.payment_succeeded_checked',
		from: 'PERFORM catalog.hold(array_agg(product_id), array_agg(quantity))', to: 'PERFORM count(*)' },
	{ name: 'a stranger\'s payment is the order\'s', sql: 'orders.payment_succeeded_checked',
		from: 'IF p_intent <> coalesce(p.stripe_payment_intent_id, p_intent) THEN', to: 'IF false THEN' },
	{ name: 'an order is undone and its stock is not', sql: 'orders.saga_compensated_v1',
		from: "PERFORM orders.move_lines(s.order_id, 'released');", to: '' },
	{ name: 'goods are sold that were not held', sql: 'orders.move_lines', from: "AND reservation = 'held'", to: '' },
	{ name: 'stock is given back twice', sql: 'orders.saga_compensated_v1',
		from: "PERFORM orders.move_lines(s.order_id, 'released');",
		to: "PERFORM orders.move_lines(s.order_id, 'released'); PERFORM catalog.release(array_agg(product_id), array_agg(quantity)) FROM orders.item WHERE order_id = s.order_id;" },
];

/* Resolves to what it printed, and whether it succeeded. */
function execute(command, args, { cwd, env = {} }) {
	return new Promise((done) => {
		const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
		const timer = setTimeout(() => child.kill('SIGTERM'), LONGEST_MS);
		let output = '';
		child.stdout.on('data', (chunk) => { output += chunk; });
		child.stderr.on('data', (chunk) => { output += chunk; });
		child.on('close', (code) => {
			clearTimeout(timer);
			done({ code, output });
		});
	});
}

/* The sources as they are, and what was built of them. */
function copy() {
	const where = mkdtempSync(join(tmpdir(), 'mutant.'));
	for (const file of execFileSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8', maxBuffer: 1 << 26 }).split('\0').filter(Boolean))
		cpSync(join(root, file), join(where, file), { preserveTimestamps: true });
	cpSync(join(root, 'build', 'faults'), join(where, 'build', 'faults'), { recursive: true, preserveTimestamps: true });
	return where;
}

export function mutate(text, { name, from, to }) {
	if (text.split(from).length !== 2)
		throw new Error(`the mutant "${name}" does not apply: what it changes is there ${text.split(from).length - 1} times`);
	return text.replace(from, () => to);
}

async function build(where) {
	const { code, output } = await execute('make', ['-j2', 'B=build/faults', 'FAULTS=1', 'all'], { cwd: where });
	if (code !== 0)
		throw new Error(`a mutant does not build: ${output.slice(-2000)}`);
}

/* Beside a stack: what noticed, or null. */
async function hunt(mutant, where) {
	const { code, output } = await execute(join(root, 'tests/chaos/run'),
	    [process.execPath, join(root, 'tests/chaos/mutant.mjs'), mutant.name],
	    { cwd: root, env: { B: join(where, 'build', 'faults') } });
	const found = /^CAUGHT (.*)$/m.exec(output);
	if (found === null && !(code === 0 && /^SURVIVED$/m.test(output)))
		throw new Error(`"${mutant.name}": neither caught nor not (${code}): ${output.slice(-3000)}`);
	return found?.[1] ?? null;
}

async function main(names) {
	const chosen = MUTANTS.filter(({ name }) => names.length === 0 || names.includes(name));
	const where = copy();
	let survived = 0;

	try {
		for (const mutant of chosen) {
			const file = mutant.file && join(where, mutant.file);
			const whole = file && readFileSync(file, 'utf8');
			let by;
			if (file) {
				writeFileSync(file, mutate(whole, mutant));
				await build(where);
			}
			by = await hunt(mutant, where);
			if (file)
				writeFileSync(file, whole);
			if (file && chosen.indexOf(mutant) < chosen.length - 1 && !chosen[chosen.indexOf(mutant) + 1].file)
				await build(where);
			survived += by === null ? 1 : 0;
			console.log(`${by === null ? 'SURVIVED' : 'killed  '}  ${mutant.name.padEnd(52)}  ${by ?? ''}`);
		}
	} finally {
		rmSync(where, { recursive: true, force: true });
	}
	const killed = chosen.length - survived;
	console.log(`${killed} of ${chosen.length} mutants killed (${(100 * killed / chosen.length).toFixed(0)} %)`);
	return killed / chosen.length >= 0.95;
}

if (process.argv[1] === fileURLToPath(import.meta.url))
	process.exitCode = await main(process.argv.slice(2)) ? 0 : 1;
