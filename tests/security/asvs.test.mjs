/*
 * asvs.md against the standard's own list, and against what is here.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { endpoints } from '../lib/described.mjs';

const here = resolve(fileURLToPath(import.meta.url), '..');
const root = resolve(here, '..', '..');

/* OWASP ASVS 5.0.0: of each section the levels of its requirements, in order. */
const LEVELS = {
	1.1: '22', 1.2: '1111122223', 1.3: '112222222223', 1.4: '222', 1.5: '123',
	2.1: '122', 2.2: '112', 2.3: '12223', 2.4: '23',
	3.1: '3', 3.2: '113', 3.3: '12223', 3.4: '11222233', 3.5: '11122333', 3.6: '3', 3.7: '22333',
	4.1: '12233', 4.2: '23333', 4.3: '22', 4.4: '1222',
	5.1: '2', 5.2: '112333', 5.3: '113', 5.4: '222',
	6.1: '122', 6.2: '111111112222', 6.3: '11223333', 6.4: '112233', 6.5: '22222333', 6.6: '2223', 6.7: '33', 6.8: '2222',
	7.1: '222', 7.2: '1111', 7.3: '22', 7.4: '11222', 7.5: '223', 7.6: '22',
	8.1: '1233', 8.2: '1123', 8.3: '133', 8.4: '23',
	9.1: '111', 9.2: '1222',
	10.1: '22', 10.2: '223', 10.3: '22223', 10.4: '1111122222233333', 10.5: '22222', 10.6: '22', 10.7: '222',
	11.1: '2233', 11.2: '22233', 11.3: '11233', 11.4: '1222', 11.5: '23', 11.6: '23', 11.7: '33',
	12.1: '12233', 12.2: '11', 12.3: '22223',
	13.1: '2333', 13.2: '222223', 13.3: '2233', 13.4: '1222233',
	14.1: '22', 14.2: '12223333', 14.3: '122',
	15.1: '12233', 15.2: '12233', 15.3: '1222222', 15.4: '3333',
	16.1: '2', 16.2: '22222', 16.3: '2222', 16.4: '222', 16.5: '2223',
	17.1: '23', 17.2: '22223333', 17.3: '22',
};
const wanted = Object.entries(LEVELS).flatMap(([section, levels]) => [...levels]
    .map((level, i) => ({ number: `${section}.${i + 1}`, level })).filter(({ level }) => level !== '3'));

const rows = [...readFileSync(join(here, 'asvs.md'), 'utf8').matchAll(/^\| (\d+\.\d+\.\d+) \| (\d) \| (.+?) \| (.+?) \|$/gm)]
    .map(([, number, level, asked, shown]) => ({ number, level, asked, shown }));
const refused = (shown) => /^not (met|applicable): \S/.test(shown);

test('the list is the standard\'s: 70 of level 1, 183 of level 2', () => {
	assert.equal(wanted.filter(({ level }) => level === '1').length, 70);
	assert.equal(wanted.filter(({ level }) => level === '2').length, 183);
});

test('every requirement stands here once, with its level', () => {
	const key = ({ number, level }) => `${number} (${level})`;
	assert.deepEqual(rows.map(key).sort(), wanted.map(key).sort());
});

test('every requirement is shown, designed, not met or not applicable', () => {
	for (const { number, shown } of rows)
		assert.ok(refused(shown) || shown.includes('design: `') || /`tests\/[^`]+`: "/.test(shown), `${number}: ${shown}`);
});

test('every test file named has the test named, every other file is there', () => {
	let tests = 0;

	for (const { number, shown } of rows) {
		for (const [, file, name] of shown.matchAll(/`([\w./-]+)`: "([^"]+)"/g)) {
			assert.ok(existsSync(join(root, file)), `${number}: ${file}`);
			assert.ok(readFileSync(join(root, file), 'utf8').replaceAll("\\'", "'").includes(name), `${number}: no test "${name}" in ${file}`);
			tests++;
		}
		for (const [, files] of shown.matchAll(/design: ((?:`[^`]+`(?:, )?)+)/g))
			for (const [, file] of files.matchAll(/`([^`]+)`/g))
				assert.ok(existsSync(join(root, file)), `${number}: ${file}`);
	}
	assert.ok(tests > 100, String(tests));
});

test('what is not met for want of an endpoint still is: else say which test shows it', () => {
	for (const { number, shown } of rows)
		for (const [, method, path] of shown.matchAll(/^not met: .*\(no `(\w+) ([^`]+)`\)/g))
			assert.ok(!endpoints.some((each) => each.method === method && each.path === path),
			    `${number}: ${method} ${path} is there now`);
});
