/*
 * Three times as many requests as can be served, from clients that do not wait
 * for each other's answers and give up after a while: what of it is served in
 * time (goodput), against what is at once the capacity.
 *
 *   SECONDS=8   for each load
 */
import http from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { call } from '../lib/client.mjs';
import * as sql from '../lib/sql.mjs';
import { asked, sized } from './size.mjs';
import { setStage } from './stage.mjs';
import { wrk } from './load.mjs';
import { table } from './table.mjs';
import { signIn } from './turns.mjs';

const SECONDS = asked('SECONDS', 8, 1);
const PATIENCE_MS = sized(2000, 500);		/* of a client; then it hangs up */
const say = (text) => console.error(`bench: ${text}`);

/* One request; what became of it, and after how long. */
function send(agent, { url, method = 'GET', path, headers = {}, body }, told) {
	const begun = performance.now();
	const end = (outcome) => {
		clearTimeout(timer);
		told.push({ outcome, ms: performance.now() - begun });
	};
	const request = http.request(`${url}${path}`, { method, agent,
		headers: { ...headers, ...body === undefined ? {} : { 'Content-Length': Buffer.byteLength(body) } } }, (response) => {
		response.resume();
		response.on('end', () => end(response.statusCode < 300 ? 'good' : response.statusCode === 503 &&
		    response.headers['retry-after'] !== undefined ? 'turned away' : `${response.statusCode}`));
		response.on('error', () => {});
	});
	const timer = setTimeout(() => {
		end('given up');
		request.removeAllListeners();
		request.on('error', () => {});
		request.destroy();
	}, PATIENCE_MS);

	request.on('error', (error) => end(error.code ?? error.message));
	request.end(body);
}

/* So many a second, evenly, whatever comes back. */
async function offer(request, rate) {
	const agent = new http.Agent({ keepAlive: true, maxSockets: Infinity });
	const told = [];
	const begun = performance.now();
	let sent = 0;

	for (let now = 0; now < SECONDS * 1000; now = performance.now() - begun) {
		for (; sent < now * rate / 1000; sent++)
			send(agent, request, told);
		await pause(2);
	}
	while (told.length < sent)
		await pause(20);
	agent.destroy();
	return { sent, told };
}

function figures({ sent, told }) {
	const of = (outcome) => told.filter((each) => each.outcome === outcome);
	const good = of('good').map(({ ms }) => ms).sort((a, b) => a - b);
	const at = (part) => good.length === 0 ? '' : good[Math.floor((good.length - 1) * part)].toFixed(0);
	const other = told.length - good.length - of('turned away').length - of('given up').length;

	return { goodput: good.length / SECONDS,
		row: [(sent / SECONDS).toFixed(0), (good.length / SECONDS).toFixed(0), of('turned away').length,
			of('given up').length, other, at(0.5), at(0.99)] };
}

async function compare(what, request) {
	say(`${what}: capacity`);
	await wrk(request, { connections: 16, seconds: sized(2, 1) });
	const { rate } = await wrk(request, { connections: 16, seconds: sized(4, 1) });
	const rows = [];
	let once1;

	for (const times of [1, 3, 1]) {
		say(`${what}: ${times} x ${rate.toFixed(0)}`);
		const { goodput, row } = figures(await offer(request, rate * times));
		once1 ??= goodput;
		rows.push([`${what}, ${times} x`, ...row, `${(goodput / once1 * 100).toFixed(0)} %`]);
		await pause(sized(1000, 100));
	}
	return rows;
}

const token = await signIn();
const [{ id }] = await sql.rows`SELECT id FROM catalog.product WHERE is_active ORDER BY id LIMIT 1`;
await sql.run`UPDATE catalog.stock SET received = received + 10000000, available = available + 10000000 WHERE product_id = ${id}`;
const list = await call('GET', '/api/products', { expect: 200 });
const stage = await setStage(list.bytes);

try {
	const rows = [
		...await compare('a function that waits 20 ms', { url: stage.url, path: '/bench/sleep?ms=20' }),
		...await compare('POST order', { url: stage.url, method: 'POST', path: '/api/orders',
			headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
			body: `{"items":[{"productId":${id},"quantity":1}],"shippingAddress":"1 Market Street",`
			    + '"shippingCity":"Riga","shippingZip":"LV-1010","shippingCountry":"LV"}' }),
	];
	console.log(`\nOverload: ${SECONDS} s of each load, clients that give up after ${PATIENCE_MS / 1000} s.\n`);
	console.log(table([['', 'offered a second', 'goodput', 'turned away', 'given up', 'else', 'p50 ms', 'p99 ms', 'of 1 x'], ...rows]));
} finally {
	await stage.close();
}
