/*
 * Lists, filters and searches of catalogues of a thousand, a hundred thousand
 * and a million products, each answer made anew: Redis is stopped, so nothing
 * is cached and nothing limited.
 *
 *   SIZES="1000 100000 1000000" SECONDS=5 CLIENTS=16 PLANS=file CASES="search|suggest"
 *
 * Prints p50 and p99 of each, whether the targets are met, and writes the plan
 * of each query to PLANS.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { need } from '../lib/env.mjs';
import { raw, run, value } from '../lib/sql.mjs';
import { stopRedis } from '../lib/stack.mjs';
import { execute, wrk } from './load.mjs';
import { asked, quick, sized } from './size.mjs';
import { table } from './table.mjs';
import { fileURLToPath } from 'node:url';
import { dirname, join } from 'node:path';

const sizes = (process.env.SIZES ?? sized('1000 100000 1000000', '500')).split(' ').map(Number);
const seconds = asked('SECONDS', 5, 1);
const connections = asked('CLIENTS', 16, 2);
const only = new RegExp(process.env.CASES ?? '');
const PAGE = 20, DEEP = 10000;
const here = dirname(fileURLToPath(import.meta.url));
const say = (text) => console.error(`bench-scale: ${text}`);
const ms = (us) => (us / 1000).toFixed(1);

async function fill(size) {
	const there = await value`SELECT count(*) FROM catalog.product WHERE slug LIKE 'item-%'`;
	if (there !== 0)
		throw new Error(`there are ${there} products of the bench already: it needs a stack of its own`);
	await execute('psql', ['-X', '-q', '-v', `products=${size}`, '-f', join(here, 'million.sql'),
		need('ADMIN_DATABASE_URL')]);
}

async function empty() {
	await run`TRUNCATE catalog.product, catalog.tagged, catalog.stock, catalog.inventory_log CASCADE`;
	await run`DELETE FROM catalog.category WHERE slug ~ '^shelf-'`;
	await run`DELETE FROM catalog.category WHERE slug ~ '^section-'`;
}

/* The cursor that page `page` of the order begins behind. */
const cursorOf = (order, last, page) => value`
	SELECT ${raw(last)} FROM catalog.product WHERE is_active
	 ORDER BY ${raw(order)} OFFSET ${raw(String((page - 1) * PAGE - 1))} LIMIT 1`;

async function cases() {
	const total = await value`SELECT count(*) FROM catalog.product WHERE is_active`;
	const deep = Math.min(DEEP, Math.floor(total / PAGE) - 1);
	const newest = await cursorOf('id DESC', "'0_' || id", deep);
	const cheap = await cursorOf('price, id', "price || '_' || id", deep);

	return [
		{ name: 'list, page 1', path: '/api/products', target: 50 },
		{ name: `list, page ${deep} by cursor`, path: `/api/products?cursor=${newest}`, target: 50, beside: 'list, page 1' },
		{ name: 'by price, page 1', path: '/api/products?sortBy=price_asc', target: 50 },
		{ name: `by price, page ${deep} by cursor`, path: `/api/products?sortBy=price_asc&cursor=${cheap}`, target: 50, beside: 'by price, page 1' },
		{ name: 'most sold', path: '/api/products?sortBy=popular', target: 50 },
		{ name: 'large category', path: '/api/products?category=shelf-1', target: 50 },
		{ name: 'small category, by price', path: '/api/products?category=shelf-380&sortBy=price_desc', target: 50 },
		{ name: 'category tree', path: '/api/products?category=section-2', target: 50 },
		{ name: 'price range, in stock', path: '/api/products?minPrice=20.00&maxPrice=40.00&inStock=true', target: 50 },
		{ name: 'tag, featured', path: '/api/products?tags=gift&featured=true', target: 50 },
		{ name: 'a seller', path: `/api/products?seller=${await value`SELECT max(seller_id) - 5 FROM catalog.product`}`, target: 50 },
		{ name: 'search, common word', path: '/api/products?search=%{copper,linen,silk}', target: 150 },
		{ name: 'search, common word, ranked', path: '/api/products?search=%{copper,linen,silk}&sortBy=relevance', target: 150 },
		{ name: 'search, two words, ranked', path: '/api/products?search=%{copper+kettle,linen+shawl}&sortBy=relevance', target: 150 },
		{ name: 'search, rare words', path: '/api/products?search=%{gilded+alabaster+oud+tangier,jade+onyx+lute+yazd}', target: 150 },
		{ name: 'search, a typo', path: '/api/products?search=%{coper+ketle,cashmeer}', target: 150 },
		{ name: 'suggest', path: '/api/products/suggest?q=%{cop,linen+sh,ta}', target: 150 },
	].filter(({ name }) => only.test(name));
}

/* What Postgres does for each case, as auto_explain tells it: of the last request
 * the statements that look for products and count them, and the one around. */
async function plans(list) {
	const log = `${need('SOUK_RUN')}/log/postgres.log`;
	const settings = { 'session_preload_libraries': "'auto_explain'", 'auto_explain.log_min_duration': '0',
		'auto_explain.log_analyze': 'on', 'auto_explain.log_buffers': 'on',
		'auto_explain.log_timing': 'off', 'auto_explain.log_nested_statements': 'on' };
	const change = async (how) => {
		for (const [name, setting] of Object.entries(settings))
			await run`ALTER ROLE souk_catalog ${raw(how(name, setting))}`;
		await run`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'souk_catalog'`;
	};
	const told = [];

	await change((name, setting) => `SET ${name} = ${setting}`);
	for (const { name, path } of list) {
		const from = readFileSync(log, 'utf8').length;
		await wrk({ url: need('SOUK_URL'), path }, { connections: 1, seconds: 1 });
		const seen = readFileSync(log, 'utf8').slice(from).split(/^(?=\d{4}-\d\d-\d\d )/m)
		    .filter((entry) => entry.includes('Query Text: '));
		const whole = (entry) => entry.includes('json_build_object');
		const last = seen.findLastIndex(whole);
		const before = seen.slice(0, last).findLastIndex(whole);
		told.push(`## ${name}\n${path}\n`, ...seen.slice(before + 1, last + 1)
		    .filter((entry) => whole(entry) || /array_agg\(n\.id\)|LIMIT 10001/.test(entry))
		    .map((entry) => entry.slice(entry.indexOf('\tQuery Text: '))));
	}
	await change((name) => `RESET ${name}`);
	return told.join('\n');
}

const measured = new Map();
let kept = '';

await stopRedis();
for (const size of sizes) {
	say(`filling ${size} products`);
	await fill(size);
	const list = await cases();
	const measure = async ({ name, path, ...rest }) => {
		if (!quick)
			await wrk({ url: need('SOUK_URL'), path }, { connections, seconds: 1 });
		const found = await wrk({ url: need('SOUK_URL'), path }, { connections, seconds });
		const plain = name.replace(/page \d+ by/, 'deep by');
		say(`${name}: p50 ${ms(found.p50)} p99 ${ms(found.p99)} ms, ${Math.round(found.rate)}/s, ${found.failed} failed`);
		measured.set(plain, { ...measured.get(plain), ...rest, [size]: found });
	};
	if (quick)
		await Promise.all(list.map(measure));
	else
		for (const each of list)
			await measure(each);
	if (size === sizes.at(-1) && process.env.PLANS)
		kept = await plans(list);
	if (size !== sizes.at(-1))
		await empty();
}
if (kept) {
	writeFileSync(process.env.PLANS, kept);
	say(`the plans are in ${process.env.PLANS}`);
}

const largest = sizes.at(-1);
const verdict = ({ target, beside, [largest]: found }) => {
	const told = [found.p99 < target * 1000 ? `p99 < ${target}` : `NOT MET: p99 < ${target}`];
	if (beside && measured.has(beside)) {
		const ratio = found.p50 / measured.get(beside)[largest].p50;
		told.push(`${ratio <= 1.5 ? '' : 'NOT MET: '}${ratio.toFixed(2)} x page 1`);
	}
	if (found.failed)
		told.push(`${found.failed} FAILED`);
	return told.join('; ');
};

console.log(table([
	['p50 / p99 in ms', ...sizes.map((size) => size.toLocaleString('en')), 'a second', 'target'],
	...[...measured].map(([name, all]) => [name,
		...sizes.map((size) => `${ms(all[size].p50)} / ${ms(all[size].p99)}`),
		Math.round(all[largest].rate), verdict(all)]),
], [0, sizes.length + 2]));
console.log(`${connections} clients, nothing cached, ${seconds} s each`);
