/*
 * node mutant.mjs NAME: beside a stack that is the mutant, or becomes it here;
 * says CAUGHT and by what, or SURVIVED.
 */
import { spawnSync } from 'node:child_process';
import { raw, run, value } from '../lib/sql.mjs';
import { chaos } from './chaos.mjs';
import { MUTANTS, mutate } from './mutants.mjs';

/* More than one seed before it is believed to survive. */
const SEEDS = [1, 2, 3];

const mutant = MUTANTS.find(({ name }) => name === process.argv[2]);

async function become() {
	const [schema, name] = mutant.sql.split('.');
	const sql = await value`SELECT pg_get_functiondef(p.oid) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
	                         WHERE n.nspname = ${schema} AND p.proname = ${name}`;
	await run`${raw(mutate(sql, mutant))}`;
}

/* The first test that fails, by name. */
function byTest() {
	const { stdout, status } = spawnSync(process.execPath, ['--test-reporter', 'tap', mutant.by], { encoding: 'utf8', timeout: 200000 });
	const failed = /^\s*not ok \d+ - (.*)$/m.exec(stdout);
	return status === 0 ? null : `${mutant.by}: ${failed?.[1] ?? `exit ${status}`}`;
}

async function byChaos() {
	for (const seed of SEEDS) {
		const { violations } = await chaos({ n: 150, seed, all: false, most: 1, patience: 40 });
		if (violations.length > 0)
			return `chaos: ${violations[0].split('\n')[0].slice(0, 110)}`;
	}
	return null;
}

if (mutant.sql)
	await become();
const by = mutant.by ? byTest() : await byChaos();
console.log(by === null ? 'SURVIVED' : `CAUGHT ${by}`);
process.exit(0);
