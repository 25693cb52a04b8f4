/*
 * Everybody who might knock at an endpoint, and what each would have to send.
 */
import { randomUUID } from 'node:crypto';
import { newAddress } from '../lib/client.mjs';
import { need } from '../lib/env.mjs';
import { deadEvent, deadJob, sagaOf } from '../lib/operator.mjs';
import { ADDRESS, category, customer, freshEmail, lines, login, newAdmin, place, product, seller, unique } from '../lib/shop.mjs';
import { decode, sign } from '../lib/token.mjs';

export async function everybody() {
	const [buyer, otherBuyer, vendor, otherVendor, boss] = await Promise.all(
	    [customer(), customer(), seller(), seller(), newAdmin()]);
	return { buyer, otherBuyer, vendor, otherVendor, boss };
}

export function expired(token) {
	const { header, claims } = decode(token);
	const now = Math.floor(Date.now() / 1000);
	return sign(header, { ...claims, iat: now - 1000, exp: now - 100 });
}

/* Callers by what access knows of them: a token, a role, a person. */
export function callers({ buyer, otherBuyer, vendor, otherVendor, boss }) {
	const as = (name, person) => ({ name, person, role: person.user.role, token: person.token, address: person.address });

	boss.user.role = 'admin';
	return [
		{ name: 'nobody' },
		{ name: 'a garbage token', token: 'garbage.garbage.garbage' },
		{ name: 'an expired token', token: expired(buyer.token) },
		{ name: 'the service token', token: need('SERVICE_TOKEN'), service: true },
		as('the customer', buyer),
		as('another customer', otherBuyer),
		as('the seller', vendor),
		as('another seller', otherVendor),
		as('an admin', boss),
	].map((caller) => ({ address: newAddress(), ...caller }));
}

/*
 * How to make what an id names, belonging to the buyer or the vendor; a path
 * by its beginning.  An endpoint with an id that is not here fails the matrix.
 */
const aProduct = async ({ vendor }) => (await product(vendor)).id;
const anOrder = async (people) => (await place(people.buyer, lines([await aProduct(people), 1]))).id;
const aCategory = async ({ boss }) => (await category(boss)).id;
const aUser = async () => (await customer()).id;
const aSaga = async (people) => (await sagaOf(await anOrder(people))).id;
const aJob = () => deadJob();
const anEvent = () => deadEvent();
const aSession = async ({ buyer }) => decode((await login(buyer.email, buyer.password)).accessToken).claims.sid;


/* A picture of one pixel. */
const PIXEL = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64');
const BOUNDARY = 'a-boundary-of-the-souk';

function multipart(parts) {
	const head = (name, more) => `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"${more}\r\n\r\n`;

	return {
		type: `multipart/form-data; boundary=${BOUNDARY}`,
		body: Buffer.concat([...Object.entries(parts).flatMap(([name, value]) => Buffer.isBuffer(value)
		    ? [head(name, '; filename="x.png"\r\nContent-Type: image/png'), value, '\r\n']
		    : [head(name, ''), String(value), '\r\n']), `--${BOUNDARY}--\r\n`].map((piece) => Buffer.from(piece))),
	};
}

async function aReview({ buyer, vendor }) {
	const id = await aProduct({ vendor });
	const { json } = await buyer.call('POST', `/api/products/${id}/reviews`, { json: { rating: 5, comment: 'Good' }, expect: 201 });
	return { id, review_id: json.id };
}

async function anImage({ vendor }) {
	const id = await aProduct({ vendor });
	await vendor.call('POST', `/api/products/${id}/upload-image`, { ...multipart({ image: PIXEL }), expect: 200 });
	return { id, image_id: (await vendor.get(`/api/products/${id}/images`))[0].id };
}

/* One of its own: those of the demo shop are files of the gateway's, which no function
 * answers for. */
async function aPicture(people) {
	const { id } = await anImage(people);
	return (await people.vendor.get(`/api/products/${id}`)).image_url.slice('/media/'.length);
}

export const PATH_OBJECTS = {
	'/api/admin/events/{id}': anEvent,
	'/api/admin/jobs/{id}': aJob,
	'/api/admin/sagas/{id}': aSaga,
	'/api/categories/{id}': aCategory,
	'/api/orders/{id}': anOrder,
	'/api/payments/order/{orderId}': anOrder,
	'/api/products/{id}': aProduct,
	'/api/products/{id}/images/{image_id}': anImage,
	'/api/products/{id}/reviews/{review_id}': aReview,
	'/api/users/{id}': aUser,
	'/api/users/sessions/{id}': aSession,
	'/media/{key}': aPicture,
};
const BODY_OBJECTS = { orderId: anOrder, productId: aProduct, category_id: aCategory, parent_id: aCategory };

export const pathFields = (endpoint) => (endpoint.input ?? []).filter((field) => field.in === 'path');
export const bodyFields = (endpoint) => (endpoint.input ?? []).filter((field) => field.in === 'body');
export const orderInBody = (endpoint) => bodyFields(endpoint).some((field) => field.name === 'orderId');

export function objectOf(endpoint) {
	const count = pathFields(endpoint).length;
	const key = Object.keys(PATH_OBJECTS).find((path) => path.split('{').length - 1 === count &&
	    (endpoint.path === path || endpoint.path.startsWith(`${path}/`)));

	if (count > 0 && key === undefined)
		throw new Error(`${endpoint.method} ${endpoint.path}: say in tests/security/people.mjs how its object is made`);
	return count > 0 ? PATH_OBJECTS[key] : orderInBody(endpoint) ? anOrder : null;
}

/* An id of the same form that nothing has; of several, the last is so. */
export function missing(id) {
	if (typeof id !== 'object')
		return typeof id === 'number' ? 987654321987654 : randomUUID();
	const last = Object.keys(id).at(-1);
	return { ...id, [last]: missing(id[last]) };
}

/* A path with its ids: one for all there are, or each by its name. */
export const fill = (path, id) => path.replaceAll(/\{([^}]+)\}/g, (_, name) => encodeURIComponent(id?.[name] ?? id))
    .replaceAll('%2F', '/').replace('/*', '/nothing-here');

/* Values that fit, by the name where the type does not say enough. */
async function valueOf(field, people, person, id) {
	const byName = {
		email: () => person.email, password: () => person.password, currentPassword: () => person.password,
		newPassword: () => `new ${unique()} password`, refreshToken: () => person.refreshToken,
		orderId: () => id, stock: () => 1, items: async () => lines([await aProduct(people), 1]),
		slug: () => `slug-${unique()}`, sku: () => unique(), name: () => `Thing ${unique()}`,
	};

	if (byName[field.name])
		return byName[field.name]();
	if (field.type === 'id') {
		if (!BODY_OBJECTS[field.name])
			throw new Error(`say in tests/security/people.mjs what ${field.name} is the id of`);
		return BODY_OBJECTS[field.name](people);
	}
	if (field.example !== null)
		return field.example;
	switch (field.type) {
	case 'choice': return field.choices[0];
	case 'int': return Math.max(1, field.min);
	case 'bool': return true;
	case 'money': case 'number': return '1.50';
	case 'strs': return Array.from({ length: Math.max(1, field.min) }, () => 'word');
	default: return 'x'.repeat(Math.max(8, field.min));
	}
}

async function values(endpoint, people, person, id) {
	const fields = bodyFields(endpoint);
	const required = fields.filter((field) => field.required);
	const sent = {};

	for (const field of required.length > 0 ? required : fields.slice(0, 1))
		sent[field.name] = field.type === 'file' ? PIXEL : await valueOf(field, people, person, id);
	if (endpoint.name === 'register_account')
		sent.email = freshEmail();
	if (endpoint.name === 'place_order')
		Object.assign(sent, ADDRESS);
	return sent;
}

/* A JSON body with what is required, or where nothing is, the first that may be. */
export async function bodyFor(endpoint, people, person, id) {
	return endpoint.body === 'json' && bodyFields(endpoint).length > 0 ? values(endpoint, people, person, id) : undefined;
}

/* The same for any kind of body, as options of call(). */
export async function sendFor(endpoint, people, person, id) {
	if (endpoint.body === 'multipart')
		return multipart(await values(endpoint, people, person, id));
	return { json: await bodyFor(endpoint, people, person, id) };
}
