/*
 * The shop of a restored stack: a session from before goes on, orders from before
 * are there, and new ones are placed and paid.  TRADE: { token, refreshToken,
 * orders, gone } as JSON.
 */
import assert from 'node:assert/strict';
import { call } from '../lib/client.mjs';
import { always, rest } from '../lib/invariants.mjs';
import { Story } from '../lib/story.mjs';

const { token, refreshToken, orders, gone } = JSON.parse(process.env.TRADE);

for (const id of orders)
	assert.equal((await call('GET', `/api/orders/${id}`, { token, expect: 200 })).json.status, 'paid');
for (const id of gone)
	await call('GET', `/api/orders/${id}`, { token, expect: 404 });
await call('POST', '/api/auth/refresh', { json: { refreshToken }, expect: 200 });

const story = await Story.begin();
const placed = await story.place();
await story.pay(placed.id);
await story.until(placed.id, 'paid');
await rest([placed.id]);
await always();
