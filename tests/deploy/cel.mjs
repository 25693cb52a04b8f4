/* The rules that custom resources' definitions have beyond their shape, in CEL. */
import { evaluate } from '@marcbachmann/cel-js';
import { definitionOf } from './schema.mjs';

/* As CEL has numbers; a copy, for defaults to be put in. */
function celValue(value) {
	if (Array.isArray(value))
		return value.map(celValue);
	if (value !== null && typeof value === 'object')
		return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, celValue(each)]));
	return Number.isInteger(value) ? BigInt(value) : value;
}

/* The server puts defaults in before it looks at rules. */
function putDefaults(schema, value) {
	if (Array.isArray(value)) {
		for (const each of value)
			putDefaults(schema.items ?? {}, each);
	} else if (value !== null && typeof value === 'object') {
		for (const [name, field] of Object.entries(schema.properties ?? {})) {
			if (value[name] === undefined && field.default !== undefined)
				value[name] = celValue(field.default);
			if (value[name] !== undefined)
				putDefaults(field, value[name]);
		}
	}
}

/* To the server too a rule that cannot be evaluated is broken. */
function holds(rule, self) {
	try {
		return evaluate(rule, { self }) === true;
	} catch {
		return false;
	}
}

function visit(schema, value, at, found) {
	if (value === undefined || value === null)
		return;
	for (const { rule, message, messageExpression } of schema['x-kubernetes-validations'] ?? []) {
		/* Of changes; there is nothing before. */
		if (/\boldSelf\b/.test(rule))
			continue;
		found.evaluated++;
		if (!holds(rule, value))
			found.broken.push(`${at || '/'} ${message ?? messageExpression}`);
	}
	if (Array.isArray(value)) {
		value.forEach((each, i) => visit(schema.items ?? {}, each, `${at}/${i}`, found));
	} else if (typeof value === 'object') {
		for (const [name, each] of Object.entries(value))
			visit(schema.properties?.[name] ?? schema.additionalProperties ?? {}, each, `${at}/${name}`, found);
	}
}

/* How many rules were looked at, and which are broken. */
export function rulesOf(document) {
	const found = { evaluated: 0, broken: [] };
	const schema = definitionOf(document);

	if (schema !== undefined) {
		const value = celValue(document);
		putDefaults(schema, value);
		visit(schema, value, '', found);
	}
	return found;
}
