/*
 * Tokens that were good a moment ago: every function has seen them, and Redis
 * remembers that their sessions live.
 */
import assert from 'node:assert/strict';
import { call, refuse } from './client.mjs';
import { decode } from './token.mjs';
import { redis } from './stack.mjs';

/* One of each context that knows users; none of them changes anything. */
const ASKED = [['GET', '/api/users/profile'], ['GET', '/api/users/sessions'], ['GET', '/api/orders'],
    ['GET', '/api/payments/order/1'], ['PUT', '/api/users/profile']];

export const sessionOf = (token) => decode(token).claims.sid;

async function ask(method, path, token) {
	return call(method, path, { token, json: method === 'PUT' ? {} : undefined });
}

/* Asks each until every worker of it may have remembered the token. */
export async function warm(...tokens) {
	for (const token of tokens) {
		for (let i = 0; i < 4; i++)
			for (const [method, path] of ASKED)
				assert.notEqual((await ask(method, path, token)).status, 401, `${path} knows the token`);
		assert.match(await redis(`GET session:${sessionOf(token)}`), /live/);
	}
}

/* The very next request of each is refused. */
export async function assertEnded(...tokens) {
	for (const token of tokens)
		for (const [method, path] of ASKED)
			await refuse(401, 'unauthenticated', method, path,
			    { token, json: method === 'PUT' ? {} : undefined });
}

export async function assertLive(...tokens) {
	for (const token of tokens)
		for (const [method, path] of ASKED)
			assert.notEqual((await ask(method, path, token)).status, 401, path);
}
