/*
 * Looks for secrets where none may be: in every log of the stack, and in what
 * ps(1) shows of its processes.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { need } from './env.mjs';

const PATTERNS = {
	'a JSON Web Token': /eyJ[\w-]{8,}\.eyJ[\w-]{8,}\./,
	'a password hash': /\$2[aby]\$\d\d\$/,
	'a bearer token': /[Bb]earer [\w.~+/-]{16,}/,
	'a client secret': /_secret_[A-Za-z0-9]{6,}/,
	'a card number': /\b4242 ?4242 ?4242/,
	'a private key': /BEGIN [A-Z ]*PRIVATE KEY/,
	'a password in an address': /[a-z]+:\/\/[^\s:@/]*:[^\s:@/]+@/,
	'the password of the tests\' people': /Password123!/,
};

function stackSecrets() {
	const run = need('SOUK_RUN');
	const secrets = readFileSync(join(run, 'env', 'secrets'), 'utf8').split('\n').filter(Boolean)
	    .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]);
	return [...secrets, ['ADMIN_PASSWORD', need('ADMIN_PASSWORD')]];
}

function* logs() {
	const directory = join(need('SOUK_RUN'), 'log');

	for (const name of readdirSync(directory))
		yield [name, readFileSync(join(directory, name), 'utf8')];
}

function* commandLines() {
	for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name)))
		try {
			if (readlinkSync(`/proc/${pid}/cwd`).startsWith(need('SOUK_RUN')))
				yield [`the command line of ${pid}`, readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')];
		} catch (error) {
			if (!['ENOENT', 'ESRCH', 'EACCES'].includes(error.code))
				throw error;
		}
}

/* `more`: secrets of the caller's own, by name. */
export function noSecrets(more = {}) {
	const words = [...stackSecrets(), ...Object.entries(more)];
	const found = [];

	for (const [where, text] of [...logs(), ...commandLines()]) {
		for (const [name, word] of words)
			if (text.includes(word))
				found.push(`${name} in ${where}`);
		for (const [name, pattern] of Object.entries(PATTERNS))
			for (const line of text.split('\n'))
				if (pattern.test(line))
					found.push(`${name} in ${where}: ${line.slice(0, 300)}`);
	}
	assert.deepEqual(found.slice(0, 10), []);
}

/* Every line of the functions' log, as the object it must be. */
export function functionLines() {
	const text = readFileSync(join(need('SOUK_RUN'), 'log', 'functions.log'), 'utf8');

	return text.split('\n').filter(Boolean).map((line) => {
		let entry;
		try {
			entry = JSON.parse(line);
		} catch {
			/* told below */
		}
		assert.ok(entry !== null && typeof entry === 'object' && typeof entry.level === 'string' && typeof entry.time === 'string',
		    `not one JSON object: ${line.slice(0, 300)}`);
		return entry;
	});
}
