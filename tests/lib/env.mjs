/*
 * What the harness exports.  A missing variable is an error that names it.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

export function need(name) {
	const value = process.env[name];
	if (!value)
		throw new Error(`${name} is not set: run the tests through deploy/local/with-stack`);
	return value;
}

/* The stack's own token-signing key, to make expired or misdirected tokens. */
export function signingKey() {
	const dir = join(need('SOUK_RUN'), 'keys', 'private');
	const file = readdirSync(dir).filter((name) => name.endsWith('.pem')).sort()[0];
	if (!file)
		throw new Error(`no private key in ${dir}`);
	return { kid: file.replace(/\.pem$/, ''), pem: readFileSync(join(dir, file)) };
}
