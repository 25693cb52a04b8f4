/*
 * What orders come to: orders.totals_of() and the wire format against big
 * integers here, for a million random orders and all that is extreme.  A
 * million takes half a minute; N=1000 makes it fewer, SEED=1234 the same ones.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { need } from '../lib/env.mjs';
import { rows, run, value } from '../lib/sql.mjs';

const N = Number(process.env.N ?? 1000000);
const SEED = Number(process.env.SEED ?? Date.now() % 2 ** 32);
const BATCH = 25000;
const RULE = 'tax_on_subtotal_half_up';
const MOST_PRICE = 1e13, MOST_QUANTITY = 10000, MOST_LINES = 100, MOST_RATE = 10000;
const DIGITS = { USD: 2, EUR: 2, JPY: 0, KRW: 0, KWD: 3, TND: 3 };
const CURRENCIES = Object.keys(DIGITS);

/* sfc32: numbers that a seed repeats. */
function randomness(seed) {
	let a = seed | 0, b = 0x9e3779b9, c = 0x243f6a88, counter = 1;
	const next = () => {
		const t = (a + b + counter++) | 0;
		a = b ^ (b >>> 9);
		b = (c + (c << 3)) | 0;
		c = ((c << 21) | (c >>> 11)) + t | 0;
		return (t >>> 0) / 2 ** 32;
	};
	for (let i = 0; i < 12; i++)
		next();
	const below = (n) => Math.floor(next() * n);
	return { next, below, of: (list) => list[below(list.length)] };
}

/* As many small amounts as large ones, and now and then the largest. */
function amount({ next, below }, most) {
	const kind = below(20);
	return kind === 0 ? 0 : kind === 1 ? most : Math.min(most, Math.floor(10 ** (next() * Math.log10(most + 1))));
}

/* [quantities, prices, rate, shipping, discount, currency] */
function randomOrder(random) {
	const { below, of } = random;
	const currency = of(CURRENCIES);
	const kind = below(100);

	/* A price whose tax ends in a half, or just beside one. */
	if (kind < 30) {
		const rate = of([1, 2, 4, 5, 10, 40, 125, 250, 500, 1000, 2500, 5000, 9999]);
		const half = Math.floor(5000 / rate) + Math.floor(10000 / rate) * below(1000);
		return [[1], [half + below(3) - 1], rate, 0, 0, currency];
	}
	const count = kind < 31 ? MOST_LINES : kind < 34 ? 1 + below(MOST_LINES) : kind < 50 ? 4 + below(7) : 1 + below(3);
	const most = of([100, 10000, 1000000, MOST_PRICE]);
	const rate = of([0, 1, 725, 1000, 1900, MOST_RATE, below(MOST_RATE + 1)]);
	const lines = Array.from({ length: count }, () => [Math.max(1, amount(random, MOST_QUANTITY)), amount(random, most)]);
	return [lines.map(([quantity]) => quantity), lines.map(([, price]) => price), rate,
	    amount(random, most), below(4) === 0 ? amount(random, most) : 0, currency];
}

const EXTREMES = [
	...CURRENCIES.flatMap((currency) => [0, 1, 9999, MOST_RATE].map((rate) => [
		Array(MOST_LINES).fill(MOST_QUANTITY), Array(MOST_LINES).fill(MOST_PRICE), rate, MOST_PRICE, 0, currency])),
	...CURRENCIES.map((currency) => [[1], [0], MOST_RATE, 0, 0, currency]),
	...CURRENCIES.map((currency) => [[1], [1], 5000, 0, 2, currency]),
	[[1], [1], 4999, 0, 0, 'JPY'], [[1], [1], 5000, 0, 0, 'JPY'], [[3], [5], 1000, 0, 0, 'KWD'],
];

/* Of whole minor units, also less than none. */
function decimal(minor, digits) {
	const plain = String(minor < 0n ? -minor : minor).padStart(digits + 1, '0');
	const point = plain.length - digits;
	return (minor < 0n ? '-' : '') + plain.slice(0, point) + (digits ? `.${plain.slice(point)}` : '');
}

/* What an order comes to, computed as the rule says it and in no other way. */
function oracle([quantities, prices, rate, shipping, discount, currency]) {
	let subtotal = 0n;
	for (let i = 0; i < prices.length; i++)
		subtotal += BigInt(quantities[i]) * BigInt(prices[i]);
	const scaled = subtotal * BigInt(rate);
	const tax = scaled / 10000n + (scaled % 10000n >= 5000n ? 1n : 0n);
	const total = subtotal + tax + BigInt(shipping) - BigInt(discount);
	const wire = total < 2n ** 62n
	    ? [subtotal, tax, total].map((minor) => decimal(minor, DIGITS[currency])).join(' ') : '-';
	return `${subtotal} ${tax} ${total} ${wire}`;
}

const WIRE = ['subtotal', 'tax_amount', 'total_amount']
    .map((name) => `ops.wire_money((t).${name}::bigint, currency)`).join(", ' ', ");
/* OFFSET 0: computed once for each. */
const ask = (computed) => `COPY (SELECT concat(n, ' ', (t).subtotal, ' ', (t).tax_amount, ' ', (t).total_amount, ' ',
	CASE WHEN (t).total_amount < 4611686018427387904 THEN concat(${WIRE}) ELSE '-' END)
	FROM random_order CROSS JOIN LATERAL (SELECT ${computed} AS t OFFSET 0) c) TO STDOUT`.replace(/\s+/g, ' ');
const OURS = `orders.totals_of('${RULE}', quantities, prices, rate, shipping, discount)`;

/* Has Postgres compute each order; resolves to [how many differ, the first]. */
async function differ(orders, computed = OURS) {
	const psql = spawn('psql', ['-XqAt', '-v', 'ON_ERROR_STOP=1', need('ADMIN_DATABASE_URL')], { stdio: 'pipe' });
	const ended = once(psql, 'close');
	const expected = new Map();
	let wrong = 0, first, told = 0, n = 0, problem = '';
	const read = (async () => {
		for await (const line of createInterface({ input: psql.stdout })) {
			const space = line.indexOf(' ');
			const order = expected.get(line.slice(0, space));
			expected.delete(line.slice(0, space));
			told++;
			if (order?.comes === line.slice(space + 1))
				continue;
			wrong++;
			first ??= `${JSON.stringify(order)} but Postgres says ${line}`;
		}
	})();
	const write = async (text) => psql.stdin.write(text) || once(psql.stdin, 'drain');

	psql.stdin.on('error', () => { /* told by its exit status */ });
	psql.stderr.on('data', (text) => { problem += text; });
	await write(`CREATE TEMP TABLE random_order (n integer, quantities bigint[], prices bigint[], rate integer,
		shipping bigint, discount bigint, currency text);\n`);
	for (let batch = []; ;) {
		const { value: order, done } = orders.next();
		if (!done) {
			const [quantities, prices, ...rest] = order;
			batch.push([n, `{${quantities}}`, `{${prices}}`, ...rest].join('\t'));
			expected.set(String(n++), { order, comes: oracle(order) });
		}
		if (batch.length > 0 && (done || batch.length === BATCH)) {
			await write(`COPY random_order FROM STDIN;\n${batch.join('\n')}\n\\.\n${ask(computed)};\nTRUNCATE random_order;\n`);
			batch = [];
		}
		if (done)
			break;
	}
	psql.stdin.end();
	await read;
	assert.equal((await ended)[0], 0, problem);
	assert.equal(told, n, 'every order was computed');
	return [wrong, first];
}

function* randomOrders(count, seed = SEED) {
	const random = randomness(seed);
	for (let i = 0; i < count; i++)
		yield randomOrder(random);
}

test(`${N} random orders come to what big integers say, SEED=${SEED}`, async () => {
	const [wrong, first] = await differ(randomOrders(N));
	assert.equal(wrong, 0, `${wrong} differ, SEED=${SEED}: ${first}`);
});

test('so do the largest, the smallest, and those at a half', async () => {
	assert.deepEqual(await differ(EXTREMES.values()), [0, undefined]);
});

/* The same, wrong: would anybody notice? */
const sum = 'SELECT sum(q::numeric * p) FROM unnest(quantities, prices) w (q, p)';
const wrongly = (subtotal, tax) => `(SELECT (s, x, s + x + shipping - discount)::orders.totals
	FROM (SELECT s, ${tax} AS x FROM (SELECT (${subtotal}) AS s) a) b)`;
for (const [what, subtotal, tax] of [
	['cut instead of rounded', sum, 'div(s * rate, 10000)'],
	['rounded half down', sum, 'div(s * rate + 4999, 10000)'],
	['rounded half to even', sum, 'round((s * rate / 10000)::float8)::numeric'],
	['rounded up', sum, 'ceil(s * rate / 10000)'],
	['rounded line by line', sum, '(SELECT sum(round(q::numeric * p * rate / 10000)) FROM unnest(quantities, prices) w (q, p))'],
	['summed in floating point', 'SELECT sum(q::float8 * p)::numeric FROM unnest(quantities, prices) w (q, p)', 'div(s * rate + 5000, 10000)'],
	['without the last line', 'SELECT coalesce(sum(q::numeric * p), 0) FROM unnest(quantities[2:], prices[2:]) w (q, p)', 'div(s * rate + 5000, 10000)'],
])
	test(`totals ${what} would be noticed`, async () => {
		const [wrong] = await differ(randomOrders(2000), wrongly(subtotal, tax));
		assert.ok(wrong > 0, 'nobody noticed');
	});

test('a rule that nobody knows computes nothing', async () => {
	for (const rule of ["'half_down'", "''", 'NULL'])
		await assert.rejects(differ(EXTREMES.values(), OURS.replace(`'${RULE}'`, rule)), /no rule of totals is called/);
});

test('an order keeps the rule, and no other tax than by it', async () => {
	const keep = (rule, tax, total) => run`
		INSERT INTO orders.orders (id, user_id, currency, subtotal, totals_rule, tax_rate_bps, tax_amount,
			shipping_cost, total_amount, shipping_address)
		VALUES (-1, 1, 'USD', 5, ${rule}, 1000, ${tax}, 0, ${total}, 'Here')`;

	await assert.rejects(keep(RULE, 0, 5), /tax_follows_rule/);
	await assert.rejects(keep('half_down', 0, 5), /tax_follows_rule/);
	await assert.rejects(keep(null, 1, 6), /totals_rule/);
	await assert.rejects(keep(RULE, 1, 7), /total_adds_up/);
	/* As it should be, but for its lines. */
	await assert.rejects(keep(RULE, 1, 6), /is not the sum of its lines/);
	assert.equal(await value`SELECT count(*) FROM orders.orders WHERE id = -1`, 0);
	assert.deepEqual(await rows`SELECT column_default FROM information_schema.columns
		WHERE table_schema = 'orders' AND table_name = 'orders' AND column_name = 'totals_rule'`,
	    [{ column_default: null }], 'whoever writes an order says by which rule');
});
