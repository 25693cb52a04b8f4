/*
 * Those who make the load: wrk for requests, pgbench for statements.
 */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));

export function execute(command, args, options = {}) {
	return new Promise((done, failed) => execFile(command, args,
	    { maxBuffer: 1 << 24, ...options }, (error, out, told) => error
		? failed(new Error(`${command} failed: ${(told || error.message).trim().slice(0, 800)}`))
		: done(out)));
}

/*
 * request: { url, method, path, headers, body, signed: see wrk.lua }; resolves to its rate, what
 * failed and the 50th and 99th percentile of its answers, in microseconds.
 */
export async function wrk(request, { connections = 16, seconds = 1 } = {}) {
	const { url, method = 'GET', path, headers = {}, body, signed } = request;
	const given = Object.entries(headers).map(([name, value]) => `${name}=${value}`);
	const out = await execute('wrk', ['-t1', `-c${connections}`, `-d${seconds}s`,
	    '-s', join(here, 'wrk.lua'), url, '--', method, path, ...given,
	    ...(body === undefined ? [] : [`body=${body}`]), ...(signed === undefined ? [] : [`signed=${signed}`])]);
	const counted = JSON.parse(out.trim().split('\n').at(-1));

	return {
		rate: counted.requests / counted.us * 1e6,
		requests: counted.requests,
		failed: counted.refused + counted.broken,
		p50: counted.p50,
		p99: counted.p99,
	};
}

/* Beside the newest server; Debian does not put it on the path. */
function findPgbench() {
	const root = '/usr/lib/postgresql';
	const versions = existsSync(root)
	    ? readdirSync(root).sort((a, b) => Number(b) - Number(a)) : [];

	for (const version of versions)
		if (existsSync(join(root, version, 'bin', 'pgbench')))
			return join(root, version, 'bin', 'pgbench');
	return 'pgbench';
}

/*
 * scripts: files; each transaction runs one of them, for so many seconds or,
 * by each client, so often.  Secrets by environment, for ps shows arguments.
 */
export async function pgbench(database, scripts, { clients, seconds = 1, transactions, variables = {} }) {
	const [, user, password = '', name, host] = /^postgresql:\/\/([^:@]+)(?::(.+))?@\/(.+)\?host=(.+)$/.exec(database);
	const env = { PATH: process.env.PATH, PGHOST: host, PGUSER: user, PGPASSWORD: password,
		PGDATABASE: name };
	const out = await execute(findPgbench(), ['-n', '-M', 'prepared', `-c${clients}`, '-j1',
	    transactions === undefined ? `-T${seconds}` : `-t${transactions}`, ...Object.entries(variables).map(([name, value]) => `-D${name}=${value}`),
	    ...scripts.flatMap((file) => ['-f', file])], { env });

	return {
		rate: Number(/^tps = ([\d.]+)/m.exec(out)[1]),
		requests: Number(/^number of transactions actually processed: (\d+)/m.exec(out)[1]),
		failed: 0,
	};
}
