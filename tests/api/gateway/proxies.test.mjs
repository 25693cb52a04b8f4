/*
 * Who the client is: the peer, unless that is a trusted proxy.  Limits, and
 * what only operators may read, go by it.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newAddress } from '../../lib/client.mjs';
import { cgi } from '../../lib/execute.mjs';

const LIMIT = 3;

/* What is left to whom that peer speaks for. */
async function left(peer, forwarded, more = {}) {
	const { status, headers } = await cgi('gateway-root', 'GET', '/', { address: peer, env: {
		RATE_LIMIT_GENERAL: String(LIMIT), TRUSTED_PROXIES: '10.0.0.0/8, fd00::/8',
		...forwarded === undefined ? {} : { HTTP_X_FORWARDED_FOR: forwarded }, ...more,
	} });
	assert.ok([200, 429].includes(status), String(status));
	return status === 429 ? -1 : Number(headers['ratelimit-remaining']);
}

test('a peer that is not trusted speaks for itself, whatever it says', async () => {
	const peer = newAddress();
	for (const [i, lie] of ['203.0.113.1', '10.0.0.1', '127.0.0.1, 10.0.0.1'].entries())
		assert.equal(await left(peer, lie), LIMIT - 1 - i);
	assert.equal(await left(peer, '203.0.113.4'), -1);
	assert.equal(await left(peer), -1);
});

test('behind a trusted proxy each client has a limit of its own', async () => {
	const [one, other] = [newAddress(), newAddress()];
	for (const remaining of [2, 1, 0, -1])
		assert.equal(await left('10.0.0.1', one), remaining);
	assert.equal(await left('10.0.0.1', other), 2);
	/* The same client, over another proxy, or directly. */
	assert.equal(await left('fd00::1', `${one}, 10.9.9.9`), -1);
	assert.equal(await left(one), -1);
});

test('what the client wrote in front of the proxy\'s own word changes nothing', async () => {
	const client = newAddress();
	for (const [i, lie] of ['127.0.0.1', '203.0.113.9, 10.0.0.9', 'junk', ''].entries())
		assert.equal(await left('10.0.0.1', `${lie}, ${client}`), Math.max(-1, LIMIT - 1 - i));
});

test('garbage, ports and IPv6 in the header', async () => {
	const client = newAddress();
	assert.equal(await left('10.0.0.1', `${client}:4711`), 2);
	assert.equal(await left('10.0.0.1', ` ${client}\t, 10.0.0.7:80`), 1);
	assert.equal(await left('10.0.0.1', `[::ffff:${client}]:4711`), 0, 'another spelling of the same client');

	const subnet = Math.floor(Math.random() * 65536).toString(16);
	assert.equal(await left('10.0.0.1', `2001:db8:${subnet}:1::1`), 2);
	assert.equal(await left('10.0.0.1', `[2001:db8:${subnet}:1::2]:443`), 1);
	assert.equal(await left('10.0.0.1', `2001:db8:${subnet}:2::1`), 2);

	/* Not an address: then it is the proxy that asks. */
	const proxy = `10.${1 + Math.floor(Math.random() * 250)}.${Math.floor(Math.random() * 250)}.9`;
	for (const [i, junk] of ['unknown', '_hidden', `${client}:`, `${client} ${client}`, '1.2.3', `,,,`, `\u00e9`, 'a'.repeat(5000)].entries())
		assert.equal(await left(proxy, junk), Math.max(-1, LIMIT - 1 - i), junk.slice(0, 20));
});

/* Two headers that become one variable: X-Forwarded-For and X_Forwarded_For.
 * A proxy that sets the first may pass a client's second on. */
test('only operators read the counters, and nobody becomes one by a header', async () => {
	const metrics = async (address, env) => (await cgi('gateway-metrics', 'GET', '/metrics', { address,
		env: { TRUSTED_PROXIES: '10.0.0.0/8', OPS_ALLOW: '127.0.0.1', ...env } })).status;

	assert.equal(await metrics('127.0.0.1', {}), 200);
	assert.equal(await metrics('10.0.0.1', { HTTP_X_FORWARDED_FOR: '127.0.0.1' }), 200);
	assert.equal(await metrics('203.0.113.1', { HTTP_X_FORWARDED_FOR: '127.0.0.1' }), 403);
	assert.equal(await metrics('10.0.0.1', { HTTP_X_FORWARDED_FOR: '127.0.0.1, 203.0.113.1' }), 403);
	assert.equal(await metrics('10.0.0.1', { HTTP_X_REAL_IP: '127.0.0.1', HTTP_FORWARDED: 'for=127.0.0.1' }), 403);
});
