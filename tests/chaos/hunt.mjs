/*
 * node hunt.mjs [NAME...]: beside a stack that runs from a copy of the sources
 * (mutants.mjs makes both), one mutant after the other: what noticed it?
 */
import { spawn } from 'node:child_process';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { need } from '../lib/env.mjs';
import { raw, run, value } from '../lib/sql.mjs';
import { gone, kill, master } from '../lib/stack.mjs';
import { tenaciously } from './clients.mjs';
import { MUTANTS, mutate } from './mutants.mjs';

const here = resolve(fileURLToPath(import.meta.url), '..');
const root = resolve(here, '..', '..');
const LONGEST_MS = 300000;

/* Resolves to what it printed, and whether it succeeded. */
function execute(command, args, cwd) {
	return new Promise((done) => {
		const child = spawn(command, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
		const timer = setTimeout(() => child.kill('SIGTERM'), LONGEST_MS);
		let output = '';
		child.stdout.on('data', (chunk) => { output += chunk; });
		child.stderr.on('data', (chunk) => { output += chunk; });
		child.on('close', (code) => {
			clearTimeout(timer);
			done({ code, output });
		});
	});
}

/* Orders, payments and goods of the mutant before are no concern of this one. */
const forget = () => run`DO $$
BEGIN
	EXECUTE (SELECT 'TRUNCATE ' || string_agg(format('%I.%I', schemaname, tablename), ', ') || ' CASCADE'
	           FROM pg_tables
	          WHERE schemaname IN ('orders', 'payments')
	             OR schemaname = 'catalog' AND tablename <> 'category'
	             OR schemaname = 'ops' AND tablename IN ('job', 'idempotency', 'event')
	             OR schemaname = 'stripe_sim' AND tablename NOT IN ('card', 'expandable', 'webhook_endpoint'));
END $$`;

const functionText = (name) => value`
	SELECT pg_get_functiondef(p.oid) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
	 WHERE n.nspname || '.' || p.proname = ${name}`;

/* The functions that hold the file are built anew, and start again. */
async function rebuild(file) {
	const named = file.startsWith('functions/') ? [file.slice('functions/'.length, -2).replace('/', '-')]
	    : readdirSync(need('SOUK_BIN')).filter((name) => /^orders-(place|cancel|status)|^payments-(create|refund|status)|^cron-(saga|reserv|payments)/.test(name));
	const { code, output } = await execute('make', ['-j2', 'B=build/faults', 'FAULTS=1',
	    ...named.map((name) => `build/faults/bin/${name}`)], need('MUTANTS'));
	if (code !== 0)
		throw new Error(`the mutant does not build: ${output.slice(-2000)}`);
	for (const pid of named.map(master).filter(Boolean)) {
		kill(pid);
		await gone(pid);
	}
}

/* The tests that shall notice, and their verdict. */
const ask = ({ by, only }) => execute(process.execPath,
    by ? ['--test-reporter', 'tap', '--test-name-pattern', only, by] : [join(here, 'mutant.mjs')], root);

/* A test that fails without the mutant says nothing. */
const sound = new Set();
async function checkSoundness(mutant) {
	const what = `${mutant.by}: ${mutant.only}`;
	if (mutant.by === undefined || sound.has(what))
		return;
	/* Functions that were built anew are still starting, perhaps. */
	let code, output;
	for (let tries = 0; tries < 3 && code !== 0; tries++)
		({ code, output } = await ask(mutant));
	if (code !== 0 || !/^ok \d+ - (?!.*# SKIP)/m.test(output))
		throw new Error(`${what} does not pass without a mutant: ${output.slice(-3000)}`);
	sound.add(what);
}

async function hunt(mutant) {
	const file = mutant.file && join(need('MUTANTS'), mutant.file);
	/* Chaos has killed our connection too. */
	const whole = file ? readFileSync(file, 'utf8') : await tenaciously(mutant.sql, () => functionText(mutant.sql));
	const become = async (text) => {
		if (!file)
			return tenaciously(mutant.sql, () => run`${raw(text)}`);
		writeFileSync(file, text);
		return rebuild(mutant.file);
	};

	await tenaciously('a clean shop', forget);
	await checkSoundness(mutant);
	let code, output;
	try {
		await become(mutate(whole, mutant));
		({ code, output } = await ask(mutant));
	} finally {
		await become(whole);
	}
	const found = mutant.by ? /^\s*not ok \d+ - (.*)$/m.exec(output) : /^(?:CAUGHT|VIOLATION) (.*)$/m.exec(output);
	if (found === null && code !== 0)
		throw new Error(`"${mutant.name}": neither caught nor not (${code}): ${output.slice(-3000)}`);
	return found && `${basename(mutant.by ?? 'chaos', '.test.mjs')}: ${found[1].slice(0, 100)}`;
}

const chosen = MUTANTS.filter(({ name }) => process.argv.length < 3 || process.argv.includes(name));
let survived = 0;
for (const mutant of chosen) {
	try {
		const by = await hunt(mutant);
		survived += by === null ? 1 : 0;
		console.log(`${by === null ? 'SURVIVED' : 'killed  '}  ${mutant.name.padEnd(52)}  ${by ?? ''}`);
	} catch (error) {
		/* One that cannot be judged was not killed. */
		survived++;
		console.log(`UNJUDGED  ${mutant.name.padEnd(52)}  ${error.message}`);
	}
}
const killed = chosen.length - survived;
console.log(`${killed} of ${chosen.length} mutants killed (${(100 * killed / chosen.length).toFixed(0)} %)`);
process.exit(killed / chosen.length >= 0.95 ? 0 : 1);
