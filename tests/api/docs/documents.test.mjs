/*
 * What the documents name is there: the files and headings they link to, the
 * paths and make targets they show, the settings they tell people to set.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'node:test';

const files = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { encoding: 'utf8' }).split('\0').filter(Boolean);
const documents = files.filter((name) => name.endsWith('.md'));
const text = Object.fromEntries(documents.map((name) => [name, readFileSync(name, 'utf8')]));

/* As GitHub makes them of headings. */
const anchors = (name) => [...text[name].matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
	heading.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, '').replaceAll(' ', '-'));

function* each(pattern) {
	for (const name of documents)
		for (const [, found] of text[name].matchAll(pattern))
			yield [name, found];
}

test('links lead to files and headings that are there', () => {
	const broken = [];
	let links = 0;

	for (const [name, link] of each(/\]\(([^)\s]+)\)/g)) {
		if (/^[a-z]+:/.test(link))
			continue;
		const [path, anchor] = link.split('#');
		const target = path === '' ? name : join(dirname(name), path);
		links++;
		if (!existsSync(target) || (anchor !== undefined && !anchors(target).includes(anchor)))
			broken.push(`${name}: ${link}`);
	}
	assert.ok(links > 20);
	assert.deepEqual(broken, []);
});

test('paths of the repository that are named are there', () => {
	const tops = new Set(files.filter((name) => name.includes('/')).map((name) => name.split('/')[0]));
	const made = ['functions/orders/refund.c', 'knative/overlays/shop'];	/* by whoever follows the document */
	const missing = [];
	let paths = 0;

	/* <context>, {plain,list}, * and … stand for something. */
	for (const [name, path] of each(/(?<![\w/.$-])([a-z][\w-]*\/[\w./-]*\w)(?![\w<{*…/-])/g)) {
		if (!tops.has(path.split('/')[0]) || made.includes(path))
			continue;
		paths++;
		if (!existsSync(path) && !existsSync(join(dirname(name), path)) && !files.some((file) => file.startsWith(`${path}.`)))
			missing.push(`${name}: ${path}`);
	}
	assert.ok(paths > 50);
	assert.deepEqual(missing, []);
});

test('make targets that are named are there', () => {
	const targets = new Set([...readFileSync('Makefile', 'utf8').matchAll(/^([a-z-]+):/gm)].map(([, target]) => target));
	const missing = [...each(/(?:`|^ {4}|&& )make ([a-z-]+)/gm)].filter(([, target]) => !targets.has(target));

	assert.deepEqual(missing, []);
});

test('settings that are named are read by something', () => {
	const code = files.filter((name) => !name.endsWith('.md') && !name.startsWith('tests/') && !name.startsWith('gateway-conf/www/'))
		.map((name) => readFileSync(name, 'utf8')).join('\n');
	/* A secret X may be in a file that X_FILE names. */
	const isRead = (setting) => new RegExp(`\\b${setting.replace(/_FILE$/, '')}(_FILE)?\\b`).test(code);
	const unknown = [...each(/`([A-Z][A-Z0-9]*_[A-Z0-9_]*[A-Z0-9])(?:=[^`]*)?`/g)]
		.filter(([name, setting]) => !name.startsWith('tests/') && !isRead(setting));

	assert.deepEqual(unknown, []);
});
