/*
 * All that a database holds, as text to be compared.
 */
import { program } from '../lib/monitoring.mjs';

const sql = (url, ...args) => program('psql', ['-XqAt', '-v', 'ON_ERROR_STOP=1', url, ...args]);

async function lines(url, query) {
	return (await sql(url, '-c', query)).split('\n').filter(Boolean);
}

/* [name, every row]: of each table; of the sequences, which are rows too; and of
 * what is said about roles and the database. */
export async function contents(url) {
	const tables = await lines(url, `SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
		WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1`);
	const sequences = await lines(url, `SELECT format('%I.%I', schemaname, sequencename) FROM pg_sequences ORDER BY 1`);
	const queries = [
		...tables.map((name) => [name, `SELECT t::text FROM ${name} t ORDER BY 1`]),
		...sequences.map((name) => [name, `SELECT last_value || ' ' || is_called FROM ${name}`]),
		['roles', `SELECT rolname, rolsuper, rolinherit, rolcanlogin, rolconfig FROM pg_roles WHERE rolname LIKE 'souk%' ORDER BY 1`],
		['the database', `SELECT datdba::regrole, datacl, datcollate FROM pg_database WHERE datname = 'souk'`],
	];
	const out = await sql(url, ...queries.flatMap(([, query], n) => ['-c', `SELECT '== ${n}'`, '-c', query]));
	const held = new Map(queries.map(([name]) => [name, []]));
	let rows;

	for (const line of out.split('\n')) {
		const mark = /^== (\d+)$/.exec(line);
		if (mark)
			held.set(queries[mark[1]][0], rows = []);
		else if (line !== '')
			rows.push(line);
	}
	return { held, tables, sequences };
}

/* The tables, views, functions and grants, as pg_dump writes them: but of what was
 * read from such a text once, it writes fewer parentheses and more names. */
export const shape = async (url) => (await program('pg_dump', ['--schema-only', url]))
    .replace(/^\\(un)?restrict .*$/gm, '').replace(/[()]/g, '').replace(/::text AS text\b/g, '::text').split('\n');
