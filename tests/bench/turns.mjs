/*
 * Everything whose rates are compared: who asks whom for what.
 *
 * A turn's `run` measures for a second; `pays` names the processes that worked
 * for it, by kind; `before` prepares it, and `after` tidies up behind it.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { call } from '../lib/client.mjs';
import { need } from '../lib/env.mjs';
import * as sql from '../lib/sql.mjs';
import { mainPid, workers as workersOfStack } from '../lib/stack.mjs';
import { execute, pgbench, wrk } from './load.mjs';
import { signature } from '../lib/webhook.mjs';
import { children, workers } from './processes.mjs';
import { environmentOf } from './stage.mjs';
import { giveIntents, paidEvents, placeStalled } from './stalled.mjs';

const PRODUCTS = 16;		/* that orders are for */
const WORKERS = 2;		/* of a function, each with its connection to Postgres */
const WAITING_WORKERS = 6;	/* of one that waits for Stripe */

/* The statement as the function has it. */
async function statement(binary, name) {
	const { queries } = JSON.parse(await execute(join(need('SOUK_BIN'), binary), ['--describe']));
	return queries.find((query) => query.name === name).sql;
}

const quote = (value) => value === null ? 'NULL' : value.sql ?? `'${String(value).replaceAll("'", "''")}'`;
const fillIn = (text, values) => text.replace(/\$(\d+)/g, (_, n) => quote(values[n - 1]));

/* Prepared once a connection, as the function does. */
async function listScript(directory) {
	const file = join(directory, 'list.sql');
	const parameters = ['newest', null, null, null, null, null, null, null, null, null, '20', '0', '1'];

	writeFileSync(file, `\\if :ready = 0
PREPARE list AS ${await statement('catalog-list', 'list')};
\\set ready 1
\\endif
EXECUTE list(${parameters.map(quote).join(', ')});
`);
	return [file];
}

/* The two transactions of an order, the very statements that the function
 * sends; a script for each product. */
async function orderScripts(directory, buyer, ids) {
	const place = await statement('orders-place', 'place');
	const checkpoint = await statement('orders-place', 'checkpoint');
	const shipping = JSON.stringify({ address: '1 Market Street', city: 'Riga', zip: 'LV-1010', country: 'LV' });
	const intent = { sql: "('pi_pgbench' || :id::text)" };

	return ids.map((id) => {
		const file = join(directory, `order-${id}.sql`);
		const items = JSON.stringify([{ productId: String(id), quantity: '1' }]);

		writeFileSync(file, `${fillIn(place, [buyer, items, shipping, 'USD', '1000', '1000',
			'pgbench', '30', '1800', null, 'fingerprint'])} \\gset
${fillIn(checkpoint, [{ sql: ':id' }, { sql: ':epoch' }, intent, intent, '60', null])};
`);
		return file;
	});
}

/*
 * Events that orders were paid, each of an order of its own: signed in a file,
 * as Stripe would send them, and in a table, where pgbench finds them.
 */
const EVENTS = 2000;		/* more than anybody takes in a second */

async function webhookScript(directory) {
	const file = join(directory, 'webhook.sql');
	const ingest = await statement('payments-webhook', 'ingest');

	await sql.run`CREATE SCHEMA bench`;
	await sql.run`CREATE TABLE bench.event (n integer PRIMARY KEY, id text, type text, payload text)`;
	await sql.run`GRANT USAGE ON SCHEMA bench TO souk_payments`;
	await sql.run`GRANT SELECT ON bench.event TO souk_payments`;
	writeFileSync(file, `\\set turn :turn + 1
\\set n :turn * :clients + :client_id
${fillIn(ingest, ['id', 'type', 'payload::json'].map((column) => ({ sql: column })))} FROM bench.event WHERE n = :n;
`);
	return [file];
}

function eventsFor(directory, user, product) {
	const signed = join(directory, 'webhooks');
	const fresh = async () => {
		const ids = await placeStalled(EVENTS, user, product);
		await giveIntents(ids);
		return (await paidEvents(ids)).map((event) => ({ ...event, text: JSON.stringify(event) }));
	};

	return {
		signed,
		async sign() {
			writeFileSync(signed, (await fresh()).map(({ text }) => `${signature(text)}\t${text}\n`).join(''));
		},
		async store() {
			await sql.run`TRUNCATE bench.event`;
			await sql.run`INSERT INTO bench.event SELECT (e ->> 'n')::integer, e ->> 'id', e ->> 'type', e ->> 'text'
				FROM json_array_elements(${JSON.stringify((await fresh()).map(({ id, type, text }, n) => ({ n, id, type, text })))}) e`;
		},
		/* All were about an order, and none was left when time was up. */
		async check() {
			const { paid, stored } = await sql.one`SELECT count(*) FILTER (WHERE outcome = 'paid') AS paid, count(*) AS stored
				FROM payments.webhook_event WHERE id LIKE 'evt\\_bench%'`;
			const waiting = await sql.value`SELECT count(*) FROM orders.saga WHERE state = 'waiting' AND owner IS NULL
				AND order_id > (SELECT max(id) - ${EVENTS} FROM orders.orders)`;
			if (paid !== stored || waiting === 0)
				throw new Error(`of ${stored} webhooks ${paid} were applied; ${waiting} orders were left to pay`);
		},
	};
}

/* What orders are for, enough of it for all of them. */
async function stockUp() {
	const found = await sql.rows`SELECT id FROM catalog.product WHERE is_active ORDER BY id LIMIT ${PRODUCTS}`;
	const ids = found.map(({ id }) => id);

	await sql.run`UPDATE catalog.stock SET received = received + 10000000, available = available + 10000000
	               WHERE product_id IN (${sql.raw(ids.join(', '))})`;
	return ids;
}

/* Else the sagas of the orders would come for their payments while others are
 * measured. */
const letSagasSleep = () => sql.run`UPDATE orders.saga SET wake_at = now() + interval '1 day'
	WHERE state = 'waiting' AND wake_at < now() + interval '1 hour'`;

const sagasBegun = () => sql.value`SELECT count(*) AS n FROM orders.saga WHERE state = 'running'`;

/* The demonstration's customer; resolves to an access token. */
export async function signIn() {
	const { json } = await call('POST', '/api/auth/login', { expect: 200,
		json: { email: process.env.CUSTOMER_EMAIL, password: process.env.CUSTOMER_PASSWORD } });
	return json.accessToken;
}

export async function prepareTurns(stage, token) {
	const user = (await call('GET', '/api/users/profile', { token, expect: 200 })).json;
	const signedIn = { Authorization: `Bearer ${token}` };
	const ids = await stockUp();
	const list = await listScript(stage.directory);
	const orders = await orderScripts(stage.directory, user.id, ids);
	const webhook = await webhookScript(stage.directory);
	const events = eventsFor(stage.directory, user.id, ids[0]);

	const redis = [mainPid('redis')];
	const postgres = () => [mainPid('postgres'), ...children(mainPid('postgres'))];
	const mine = (name) => () => workers(stage.supervisor, name);
	const stacks = (name) => () => workersOfStack(name);
	const paid = (who, more = {}) => ({ gateway: () => [stage.gateway], function: who, ...more });
	const get = (path, headers) => () => wrk({ url: stage.url, path, headers });
	const post = (url) => () => wrk({ url, method: 'POST', path: '/api/orders',
		headers: { ...signedIn, 'Content-Type': 'application/json' },
		body: `{"items":[{"productId":%{${ids.join(',')}},"quantity":1}],`
		    + '"shippingAddress":"1 Market Street","shippingCity":"Riga",'
		    + '"shippingZip":"LV-1010","shippingCountry":"LV"}' });

	const placing = (clients) => () => pgbench(environmentOf('orders').DATABASE_URL, orders,
	    { clients });
	const settle = async () => {
		const left = await sagasBegun();

		if (left > 0)
			throw new Error(`${left} orders are without their second transaction`);
		await letSagasSleep();
	};

	return {
		static: { what: 'a static file of lighttpd, as large as the list', run: get('/bench/static'),
			pays: { gateway: () => [stage.gateway] } },
		stock: { what: 'a function that does nothing, stock libfcgi', run: get('/bench/stock'),
			pays: paid(() => children(stage.stock)) },
		nothing: { what: 'a function that does nothing', run: get('/bench/nothing'),
			pays: paid(mine('bench-nothing')) },
		quiet: { what: 'the same without its log line', run: get('/bench/nothing?quiet'),
			pays: paid(mine('quiet-nothing')) },
		memory: { what: 'the bytes of the list, from memory', run: get('/bench/memory'),
			pays: paid(mine('bench-memory')) },
		cached: { what: 'product list, cached', run: get('/api/products'),
			pays: paid(stacks('catalog-list'), { redis: () => redis }) },
		byId: { what: 'product by id, cached', run: get(`/api/products/${ids[0]}`),
			pays: paid(stacks('catalog-get'), { redis: () => redis }) },
		profile: { what: 'profile, with a token', run: get('/api/users/profile', signedIn),
			pays: paid(stacks('users-profile'), { redis: () => redis, postgres }) },
		uncached: { what: 'product list, not cached', run: get('/api/products?cursor=0_%{n}'),
			pays: paid(stacks('catalog-list'), { redis: () => redis, postgres }) },
		listSql: { what: 'pgbench: the statement of the list',
			run: () => pgbench(environmentOf('catalog').DATABASE_URL, list,
			    { clients: WORKERS, variables: { ready: 0 } }),
			pays: { postgres } },
		order: { what: 'POST order, Stripe answers at once', run: post(stage.url),
			pays: paid(mine('orders-place'), { redis: () => redis, postgres, stripe: mine('stripe-sim') }),
			after: letSagasSleep },
		orderSql: { what: `pgbench: the transactions of an order, ${WAITING_WORKERS} clients`,
			run: placing(WAITING_WORKERS), pays: { postgres }, after: settle },
		orderSqlFew: { what: `pgbench: the same, ${WORKERS} clients`,
			run: placing(WORKERS), pays: { postgres }, after: settle },
		orderSimulated: { what: 'POST order, the simulator', run: post(need('SOUK_URL')),
			pays: { gateway: () => [mainPid('gateway')], function: stacks('orders-place'),
				redis: () => redis, postgres, stripe: stacks('stripe-sim') },
			after: letSagasSleep },
		webhook: { what: 'webhook: a payment succeeded', before: events.sign,
			run: () => wrk({ url: stage.url, method: 'POST', path: '/api/payments/webhook',
			    headers: { 'Content-Type': 'application/json' }, signed: events.signed }),
			pays: paid(stacks('payments-webhook'), { redis: () => redis, postgres }),
			after: events.check },
		webhookSql: { what: `pgbench: its transaction, ${WORKERS} clients`, before: events.store,
			run: () => pgbench(environmentOf('payments').DATABASE_URL, webhook,
			    { clients: WORKERS, variables: { turn: -1, clients: WORKERS } }),
			pays: { postgres }, after: events.check },
	};
}
