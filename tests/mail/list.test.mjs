/*
 * `make mail`: what a developer sees of the mails.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { need } from '../lib/env.mjs';
import { mailTo, SUBJECTS } from '../lib/mail.mjs';
import { customer } from '../lib/shop.mjs';

const mail = (...args) => execFileSync('deploy/local/mail', ['--run', need('SOUK_RUN'), ...args],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
const lineOf = (text) => mail().split('\n').find((line) => line.includes(text));

test('each mail has a line, and a number to read it by', async () => {
	const person = await customer();
	const { name, token } = await mailTo(person.email, SUBJECTS.verify);
	const line = lineOf(name);

	assert.ok(line.includes(person.email) && line.includes(SUBJECTS.verify), line);
	const text = mail(line.trim().split(' ')[0]).split('\n');
	assert.ok(text.includes(token), text.join('\n'));
	assert.ok(text.includes(`Subject  ${SUBJECTS.verify}`));
	assert.ok(!text.some((each) => /^Content-|<html/.test(each)));
});

test('other scripts are decoded, and nothing in a mail commands the terminal', () => {
	const file = join(need('SOUK_RUN'), 'mail', '20990101T000000.000Z-job0-1.eml');
	writeFileSync(file, 'From: Souk <x@y.example>\nTo: other-scripts@z.example\n'
	    + 'Subject: =?UTF-8?B?xbvDs8WCxIcg?=\n =?UTF-8?B?Gy7wn5Cq?=\nDate: Thu, 26 Nov 2026 11:06:40 +0000\n\n'
	    + '--B\nContent-Type: text/plain\nContent-Transfer-Encoding: quoted-printable\n\n'
	    + 'one =\nline, =C5=BB=C3=B3=3D \\n 100%\x1b[2J=1B[2J\n\nend\n--B\nContent-Type: text/html\n\n<p>html\n--B--\n');
	try {
		const line = lineOf('other-scripts@z.example');
		assert.ok(line.includes('Żółć .🐪'), line);
		const text = mail(line.trim().split(' ')[0]);
		assert.ok(text.endsWith('\none line, Żó= \\n 100%[2J[2J\n\nend\n'), text);
	} finally {
		rmSync(file);
	}
});

test('a number that no mail has is an error', () => {
	assert.throws(() => mail('99999'), /there are \d+ mails/);
	assert.throws(() => mail('--nothing'), /unknown option/);
});
