/*
 * Whether the bench can measure at all: quick.mjs PART...
 *
 * Each part as small as it goes (QUICK), beside the stack there is.  No figure is
 * judged; every row must be there, with figures in it.  The last line says how many
 * parts passed and failed.
 */
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
/* How many rows each table of a part has, at least. */
const ROWS = {
	bench: [16, 6, 18], recovery: [2], jobs: [3, 2], overload: [6], churn: [15, 0], scale: [17],
};

/* The rows of each table: what is under a line of dashes. */
function tables(text) {
	const found = [];
	let rows;

	for (const line of text.split('\n')) {
		if (/^-+( +-+)+$/.test(line))
			found.push(rows = []);
		else if (line === '')
			rows = undefined;
		else
			rows?.push(line);
	}
	return found;
}

function problem(part, { status, stdout, stderr }) {
	const found = tables(stdout);

	if (status !== 0)
		return `it ended with ${status}: ${stderr.trim().split('\n').slice(-12).join('\n')}`;
	if (found.length !== ROWS[part].length || found.some((rows, i) => rows.length < ROWS[part][i]))
		return `it has tables of ${found.map(({ length }) => length)} rows:\n${stdout}`;
	const bad = found.flat().find((row) => !/\d/.test(row) || /NaN|undefined|Infinity|null|FAILED/.test(row));
	return bad === undefined ? undefined : `a row without a figure: ${bad}`;
}

let failed = 0;
const parts = process.argv.slice(2);

for (const part of parts) {
	const begun = performance.now();
	const why = problem(part, spawnSync(process.execPath, [join(here, `${part}.mjs`)],
	    { encoding: 'utf8', env: { ...process.env, QUICK: 'yes' }, maxBuffer: 1 << 26 }));

	console.log(`${why === undefined ? 'ok     ' : 'FAILED '} bench ${part}, ${((performance.now() - begun) / 1000).toFixed(0)} s${why === undefined ? '' : `: ${why}`}`);
	failed += why !== undefined;
}
console.log(`${parts.length - failed} passed, ${failed} failed`);
