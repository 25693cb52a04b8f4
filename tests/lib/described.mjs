/*
 * What the functions of the shop say of themselves (--describe).
 */
import { readFileSync } from 'node:fs';
import { need } from './env.mjs';

/* Functions that are not behind the gateway of the shop. */
const NOT_OURS = ['stripe-sim'];

export const endpoints = JSON.parse(readFileSync(need('API_JSON'), 'utf8')).flat()
    .filter(({ context }) => !NOT_OURS.includes(context))
    .flatMap((binary) => binary.endpoints.map((endpoint) => ({ ...endpoint, binary: binary.binary })));

/* "/api/orders/{id}" as an expression; what is more exact goes first. */
const pattern = (path) => new RegExp(`^${path.replace(/[.*+?^$()|[\]\\]/g, '\\$&')
    .replace(/\{[^}]+\}/g, '[^/]+').replace(/\/\\\*$/, '/.*')}$`);
const vagueness = (path) => path.split('{').length + (path.endsWith('/*') ? 100 : 0);
const routes = endpoints.map((endpoint) => ({ endpoint, matches: pattern(endpoint.path) }))
    .sort((a, b) => vagueness(a.endpoint.path) - vagueness(b.endpoint.path));

/* All that is declared for a concrete path, the fallback aside; where one names
 * it word by word, nothing that only has an id there. */
export function endpointsAt(path) {
	const found = routes.map(({ endpoint, matches }) => endpoint.path !== '/*' && matches.test(path) && endpoint)
	    .filter(Boolean);
	return found.filter((endpoint) => vagueness(endpoint.path) === vagueness(found[0].path));
}

/* The endpoint that answers this: the fallback's, where no path or no method of
 * it is meant. */
export function endpointOf(method, path) {
	const fallback = endpoints.filter((endpoint) => endpoint.path === '/*');
	return [...endpointsAt(path), ...fallback].find((endpoint) => endpoint.method === method);
}
