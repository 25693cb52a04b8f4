/*
 * What the tests of deploy/monitoring read from its files.
 */
import { execFile } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const repository = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..');
export const monitoring = join(repository, 'deploy', 'monitoring');
export const tests = join(repository, 'tests', 'monitoring');

export const read = (...path) => readFileSync(join(repository, ...path), 'utf8');

/* A program, to its end: resolves to what it printed, both ways. */
export function program(command, args, options = {}) {
	return new Promise((done, failed) => {
		execFile(command, args, { cwd: repository, maxBuffer: 1 << 26, ...options }, (error, out, told) => error
			? failed(new Error(`${command} ${args.join(' ')}: ${error.message}\n${out}${told}`)) : done(`${out}${told}`));
	});
}

/* [{ name, severity, runbook }], as written in rules/alerts.yml. */
export function alerts() {
	return read('deploy/monitoring/rules/alerts.yml').split(/^ +- alert: /m).slice(1).map((text) => ({
		name: /^\w+/.exec(text)[0],
		severity: /severity: (\w+)/.exec(text)[1],
		runbook: /runbook: (\S+)/.exec(text)[1],
	}));
}

/* { GatewayDown: 'text of the section', ... } */
export function runbook() {
	return Object.fromEntries(read('deploy/RUNBOOK.md').split(/^## /m).slice(1)
	    .map((text) => [text.slice(0, text.indexOf('\n')).trim(), text]));
}

/* The blocks of a text that are to be typed as they stand. */
export const commands = (text) => [...text.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, block]) => block);

/* [{ file, title, expr }] of every panel. */
export function panels() {
	const directory = join(monitoring, 'grafana', 'dashboards');

	return readdirSync(directory).flatMap((file) => JSON.parse(readFileSync(join(directory, file), 'utf8')).panels
	    .flatMap(({ title, targets }) => targets.map(({ expr }) => ({ file, title,
		    expr: expr.replaceAll('$__rate_interval', '1m').replaceAll('$__range', '5m') }))));
}

const WORDS = new Set(['and', 'or', 'unless', 'by', 'without', 'on', 'ignoring', 'bool', 'offset', 'inf', 'nan']);

/*
 * [{ name, matchers }] of each series that an expression reads.  What must not
 * match is left out of the matchers: those are for what has to be there.
 */
export function selectors(expr) {
	const plain = expr.replace(/\b(by|without|on|ignoring)\s*\([^)]*\)/g, ' ').replace(/\[[^\]]*\]/g, ' ');
	const found = [];

	for (const [, name, rest, inside] of plain.matchAll(/"(?:[^"\\]|\\.)*"|([a-zA-Z_:][\w:]*)(\s*\(|\{([^}]*)\})?/g))
		if (name && !rest?.trim().startsWith('(') && !WORDS.has(name))
			found.push({ name, matchers: [...(inside ?? '').matchAll(/\w+(=~|=|!=|!~)"[^"]*"/g)]
			    .filter(([, sign]) => !sign.startsWith('!')).map(([text]) => text).join(',') });
	return found;
}
