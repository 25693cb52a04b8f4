/* The running system under test. */
export const base = process.env.SOUK_URL;
if (!base)
	throw new Error('SOUK_URL is not set: run these through `make test`, or give it the gateway\'s address');

export const api = await fetch(new URL('/openapi.json', base)).then((answer) => answer.json());

/* An origin that may read what the shop answers. */
export const [ORIGIN] = (process.env.ALLOWED_ORIGINS ?? '').split(',');

export const METHODS = ['GET', 'POST', 'PUT', 'DELETE'];

/* Every path with its declared methods and something in place of parameters. */
export const paths = Object.entries(api.paths).map(([template, operations]) => ({
	template,
	path: template.replace('{key}', 'none.jpg').replace(/\{[^}]+\}/g, '1'),
	methods: Object.keys(operations).map((method) => method.toUpperCase()),
}));

/* As the fallback function has it: it answers OPTIONS for all of them. */
export function allowed(methods) {
	return [...methods.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method])), 'OPTIONS'].sort();
}

/* The path of a picture in the demonstration's catalog. */
export async function picture() {
	const { products } = await fetch(new URL('/api/products?search=shawl', base)).then((answer) => answer.json());
	const found = products.find(({ image_url: url }) => url !== null);
	if (!found)
		throw new Error('the demo catalog has no product with a picture');
	return new URL(found.image_url, base).pathname;
}
