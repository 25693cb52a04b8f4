/*
 * Every endpoint by every caller: what its declared access demands, and whose
 * object an id may name, against what is answered.  Generated from --describe:
 * a new endpoint is in it by existing.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { call, newAddress, outside } from '../lib/client.mjs';
import { endpoints, endpointsAt } from '../lib/described.mjs';
import { callers, everybody, fill, missing, objectOf, sendFor } from './people.mjs';

/*
 * Of those whose role is enough, who may touch the object.  What is public is
 * anyone's, and what is for admins is theirs, whoever made it; every other
 * endpoint with an id must be here.
 */
const ANYONE = null;
const OWNERS = {
	'GET /api/orders/{id}': ['the customer', 'the seller', 'an admin'],
	'GET /api/orders/{id}/history': ['the customer', 'the seller', 'an admin'],
	'POST /api/orders/{id}/cancel': ['the customer', 'an admin'],
	'PUT /api/orders/{id}/status': ['the seller', 'an admin'],
	'PUT /api/orders/{id}/tracking': ['the seller', 'an admin'],
	'POST /api/payments/create-intent': ['the customer'],
	'GET /api/payments/order/{orderId}': ['the customer', 'an admin'],
	'PUT /api/products/{id}': ['the seller', 'an admin'],
	'DELETE /api/products/{id}': ['the seller', 'an admin'],
	'POST /api/products/{id}/upload-image': ['the seller', 'an admin'],
	'POST /api/products/{id}/stock': ['the seller', 'an admin'],
	'GET /api/products/{id}/stock/history': ['the seller', 'an admin'],
	'PUT /api/products/{id}/images': ['the seller', 'an admin'],
	'DELETE /api/products/{id}/images/{image_id}': ['the seller', 'an admin'],
	'GET /api/products/{id}/stock': ['the seller', 'an admin'],
	'POST /api/products/{id}/reviews': ANYONE,
	'PUT /api/products/{id}/reviews/{review_id}': ['the customer'],
	'DELETE /api/products/{id}/reviews/{review_id}': ['the customer', 'an admin'],
	'DELETE /api/users/sessions/{id}': ['the customer'],
};

/* Those whom the business refuses what their role allows. */
const REFUSED = {
	'POST /api/products/{id}/reviews': ['the seller'],	/* praising one's own */
};

const RANK = { user: ['customer', 'seller', 'admin'], seller: ['seller', 'admin'], admin: ['admin'] };

function owners(endpoint) {
	const name = `${endpoint.method} ${endpoint.path}`;

	if (!['user', 'seller'].includes(endpoint.access) || objectOf(endpoint) === null)
		return ANYONE;
	assert.ok(name in OWNERS, `say in tests/security/matrix.test.mjs who may call ${name} for which object`);
	return OWNERS[name];
}

/* 401, 403, 404, or 0 for "let in". */
function expected(endpoint, caller) {
	switch (endpoint.access) {
	case 'public': case 'signed': case 'operator':
		return 0;
	case 'service':
		return caller.service ? 0 : 401;
	default:
		if (caller.role === undefined)
			return 401;
		if (!RANK[endpoint.access].includes(caller.role))
			return 403;
		if (REFUSED[`${endpoint.method} ${endpoint.path}`]?.includes(caller.name))
			return 403;
		return owners(endpoint)?.includes(caller.name) === false ? 404 : 0;
	}
}

const CODES = { 401: 'unauthenticated', 403: 'forbidden', 404: 'not_found' };

/* The problem, and what of its headers does not count or time. */
function comparable({ headers, json }) {
	const { request_id: _, ...problem } = json;
	const { date: _date, 'x-request-id': _id, 'x-correlation-id': _cid, 'ratelimit-remaining': _left,
	    'ratelimit-reset': _reset, 'content-length': _length, ...kept } = headers;
	return { problem, kept };
}

async function ask(endpoint, people, caller, id) {
	const who = caller.person ?? people.buyer;

	return call(endpoint.method, fill(endpoint.path, id), {
		token: caller.token,
		address: caller.address,
		...await sendFor(endpoint, people, who, id),
		headers: caller.headers,
	});
}

/* Says what is wrong about one cell of the matrix; nothing when all is well. */
async function wrong(endpoint, people, caller, ids) {
	const wanted = expected(endpoint, caller);
	const make = objectOf(endpoint);
	/* Whoever is let in may use up what there is. */
	const id = make === null ? undefined : wanted === 0 ? await make(people) : ids.shared ??= await make(people);
	const answer = await ask(endpoint, people, caller, id);
	const told = `${caller.name}: ${answer.status} ${answer.json?.code ?? ''}`;

	if (wanted === 0)
		return endpoint.path !== '/*' && ([401, 403, 404, 405].includes(answer.status) || answer.status >= 500)
		    ? [`${told}, not let in`] : [];
	if (answer.status !== wanted || answer.json.code !== CODES[wanted])
		return [`${told}, not ${wanted}`];
	if (wanted === 404)
		assert.deepEqual(comparable(answer), comparable(await ask(endpoint, people, caller, missing(id))),
		    `${endpoint.method} ${endpoint.path}: ${caller.name} can tell another's object from none`);
	return [];
}

for (const endpoint of endpoints)
	test(`${endpoint.method} ${endpoint.path} is for ${endpoint.access}: every caller`, async () => {
		const people = await everybody();
		const found = [];
		const ids = {};

		owners(endpoint);
		for (const caller of callers(people))
			found.push(...await wrong(endpoint, people, caller, ids));
		assert.deepEqual(found, []);
	});

for (const endpoint of endpoints.filter(({ access }) => access === 'operator'))
	test(`${endpoint.method} ${endpoint.path} is for operators' addresses, whatever the token`, async () => {
		for (const caller of callers(await everybody())) {
			const answer = await call(endpoint.method, endpoint.path, { token: caller.token, ...outside() });
			assert.equal(`${caller.name}: ${answer.status}`, `${caller.name}: 403`);
		}
	});

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'];
const paths = [...new Set(endpoints.map(({ path }) => path).filter((path) => path !== '/*'))];

for (const path of paths)
	test(`${path}: every method that is not declared is 405 for everybody`, async () => {
		const concrete = fill(path, 1);
		/* What is there by name hides what is there by any id. */
		const declared = new Set(endpointsAt(concrete).filter((each) => each.path === endpointsAt(concrete)[0].path).flatMap(({ method }) => method === 'GET' ? ['GET', 'HEAD'] : [method]));
		const everyone = callers(await people());

		for (const method of METHODS.filter((each) => !declared.has(each)))
			for (const caller of everyone) {
				const answer = await call(method, concrete, { token: caller.token, address: newAddress(),
				    json: ['GET', 'HEAD'].includes(method) ? undefined : {} });
				const told = `${method} by ${caller.name}`;
				assert.equal(`${told}: ${answer.status}`, `${told}: 405`);
				assert.deepEqual(answer.headers.allow.split(/, */).sort(), [...declared, 'OPTIONS'].sort(), told);
			}
	});

let all;
const people = () => all ??= everybody();
