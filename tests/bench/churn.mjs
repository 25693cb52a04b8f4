/*
 * What days of trade leave behind: how much each table and index grows by an
 * order, and whether what comes and goes stays bounded.
 *
 *   CUSTOMERS=4000  a day
 *   DAYS=4
 *
 * A day passes in seconds, so autovacuum looks around every second and not
 * every minute; and what is kept for a day goes an eighth of a day at a time,
 * by the deletions of the purging functions, but by that age.  At the end
 * everything is written anew, to tell what was air.
 */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { need } from '../lib/env.mjs';
import { always } from '../lib/invariants.mjs';
import { raw, rows, run, value } from '../lib/sql.mjs';
import { until } from '../lib/wait.mjs';
import { pgbench } from './load.mjs';
import { asked } from './size.mjs';
import { table } from './table.mjs';

const CUSTOMERS = asked('CUSTOMERS', 4000, 64);
const DAYS = asked('DAYS', 4, 2);
const CLIENTS = 4, SLICES = 8;
const here = dirname(fileURLToPath(import.meta.url));
const say = (text) => console.error(`bench: ${text}`);
const KEPT_A_DAY = {
	'ops.job': "state = 'done' AND finished_at < ",
	'ops.idempotency': 'created_at < ',
	'users.refresh_token': 'created_at < ',
	'users.session': 'created_at < ',
};
/* How much more than what it holds a table may take, and an index; of what is
 * deleted as fast as it comes, twice as much.  Small ones may be anything. */
const SMALL = 256 * 1024, MOST_AIR = 0.5, MOST_AIR_IN_INDEXES = 1;

const sizes = async () => Object.fromEntries((await rows`
	SELECT relid::regclass::text AS name, pg_table_size(relid) AS heap, pg_indexes_size(relid) AS indexes,
	       n_live_tup AS live, n_dead_tup AS dead, n_tup_upd AS updated, n_tup_hot_upd AS hot, autovacuum_count AS vacuumed
	  FROM pg_stat_user_tables WHERE schemaname IN ('users', 'catalog', 'orders', 'payments', 'ops') ORDER BY 1`)
    .map(({ name, ...size }) => [name, size]));
const indexes = async () => Object.fromEntries((await rows`
	SELECT indexrelid::regclass::text AS name, pg_relation_size(indexrelid) AS size FROM pg_stat_user_indexes
	 WHERE schemaname IN ('users', 'catalog', 'orders', 'payments', 'ops') ORDER BY 1`)
    .map(({ name, size }) => [name, size]));

async function settings(...pairs) {
	for (const [name, text] of pairs)
		await run`ALTER SYSTEM SET ${raw(name)} = ${text}`;
	await run`SELECT pg_reload_conf()`;
}

const begun = [];

async function forget() {
	if (begun.length < SLICES)
		return;
	const since = begun.at(-SLICES);
	for (const [name, old] of Object.entries(KEPT_A_DAY))
		while (await value`SELECT count(*) FROM ${raw(name)} WHERE ${raw(old)} ${since}::timestamptz` > 0)
			await run`DELETE FROM ${raw(name)} WHERE ctid = ANY (ARRAY(
				SELECT ctid FROM ${raw(name)} WHERE ${raw(old)} ${since}::timestamptz LIMIT 1000))`;
}

async function trade(day, user, products) {
	say(`day ${day} of ${DAYS}: ${CUSTOMERS} customers`);
	for (let slice = 0; slice < SLICES; slice++) {
		begun.push(await value`SELECT clock_timestamp()::text`);
		await pgbench(need('ADMIN_DATABASE_URL'), [join(here, 'churn.sql')], { clients: CLIENTS,
			transactions: Math.ceil(CUSTOMERS / SLICES / CLIENTS),
			variables: { turn: 0, day: begun.length, user, product: products[0], products: products.length } });
		await forget();
	}
	/* What is left of the day's work of autovacuum. */
	await until('autovacuum has caught up', async () => 0 === await value`
		SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'autovacuum worker'`, { seconds: 60, every: 500 });
}

await settings(['autovacuum_naptime', '1s'], ['autovacuum_vacuum_cost_delay', '0']);
const user = await value`SELECT id FROM users.account WHERE role = 'customer' ORDER BY id LIMIT 1`;
const products = (await rows`SELECT id FROM catalog.product WHERE is_active ORDER BY id LIMIT 8`).map(({ id }) => id);
if (products.some((id, i) => id !== products[0] + i))
	throw new Error('the demonstration\'s products are not numbered one after another');
for (const id of products)
	await run`SELECT catalog.adjust_stock(${id}, 1000000, 'bench', NULL)`;

const empty = await sizes();
const days = [];
for (let day = 1; day <= DAYS; day++) {
	await trade(day, user, products);
	days.push(await sizes());
}
await always();
const before = await indexes();
say('writing everything anew');
for (const name of Object.keys(empty))
	await run`VACUUM (FULL) ${raw(name)}`;
const anew = await sizes();
const after = await indexes();

const last = days.at(-1);
const kib = (bytes) => (bytes / 1024).toFixed(0);
const whole = ({ heap, indexes: beside }) => heap + beside;
const percent = (n) => Number.isFinite(n) ? `${(n * 100).toFixed(0)} %` : '';
const air = (now, then) => Math.max(0, now - Math.max(then, SMALL)) / Math.max(then, SMALL);
const grown = Object.keys(empty).filter((name) => whole(last[name]) > whole(empty[name]) || last[name].updated > empty[name].updated);

console.log(`\n${DAYS} days of ${CUSTOMERS} customers, an order each, in KiB; what comes and goes is *.`
    + ' Air: what is gone when everything is written anew. HOT: updates that left the indexes alone.\n');
console.log(table([
	['', ...days.map((_, i) => `day ${i + 1}`), 'bytes an order', 'live', 'dead', 'vacuumed', 'HOT', 'air', 'in indexes'],
	...grown.map((name) => {
		const { live, dead, vacuumed, updated, hot } = last[name];
		return [KEPT_A_DAY[name] ? `${name} *` : name, ...days.map((day) => kib(whole(day[name]))),
		    KEPT_A_DAY[name] ? '' : ((whole(anew[name]) - whole(empty[name])) / CUSTOMERS / DAYS).toFixed(0),
		    live, dead, vacuumed, percent(hot / updated), percent(air(last[name].heap, anew[name].heap)),
		    percent(air(last[name].indexes, anew[name].indexes))];
	}),
]));
console.log();
const large = Object.keys(before).filter((name) => before[name] > SMALL);
console.log(table([
	['index', 'KiB', 'written anew', 'air'],
	...large.map((name) => [name, kib(before[name]), kib(after[name]), percent(air(before[name], after[name]))]),
]));

const fleeting = (name) => Object.keys(KEPT_A_DAY).some((one) => name.startsWith(one)) ? 2 : 1;
const growing = grown.filter((name) => whole(last[name]) > whole(days[0][name]));
const unbounded = [
	...growing.filter((name) => air(last[name].heap, anew[name].heap) > MOST_AIR * fleeting(name)).map((name) => `${name} is mostly air`),
	...large.filter((name) => air(before[name], after[name]) > MOST_AIR_IN_INDEXES * fleeting(name)).map((name) => `${name} is mostly air`),
	...Object.keys(KEPT_A_DAY).filter((name) => whole(last[name]) > 1.5 * whole(days[1][name])).map((name) => `${name} still grows`),
];
console.log(`\nbloat bounded: ${unbounded.length === 0 ? 'met' : `NOT MET: ${unbounded.join('; ')}`}`);
