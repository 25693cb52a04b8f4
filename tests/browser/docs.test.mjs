/*
 * /docs in a browser, at the width of a desk and of a hand, and with the
 * network gone: as complete as openapi.json, and nothing that its own policy
 * forbids.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { api, base } from '../gateway/stack.mjs';
import { startBrowser } from './chromium.mjs';
import { faint } from './contrast.mjs';

let browser;

before(async () => {
	browser = await startBrowser();
});

after(() => browser.close());

/* A page that has opened /docs, and all that happened meanwhile. */
async function open({ width = 1280, height = 900, scheme = 'light' } = {}) {
	const page = await browser.newPage();
	const seen = { console: [], requests: [], failed: [] };

	await page.setViewport({ width, height, isMobile: width < 600, hasTouch: width < 600 });
	await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
	page.on('console', (message) => seen.console.push(message.text()));
	page.on('pageerror', (error) => seen.console.push(error.message));
	page.on('request', (request) => seen.requests.push(request.url()));
	page.on('requestfailed', (request) => seen.failed.push(request.url()));
	const cdp = await page.createCDPSession();
	await cdp.send('Audits.enable');
	cdp.on('Audits.issueAdded', ({ issue }) => seen.console.push(issue.code));
	const answer = await page.goto(`${base}/docs`, { waitUntil: 'networkidle0' });
	return { page, seen, answer };
}

test('it opens without a complaint, and asks for nothing elsewhere', async () => {
	const { page, seen, answer } = await open();
	assert.equal(answer.status(), 200);
	assert.deepEqual(seen.console, []);
	assert.deepEqual(seen.failed, []);
	assert.deepEqual([...new Set(seen.requests.map((url) => new URL(url).origin))], [new URL(base).origin]);
	assert.ok(seen.requests.some((url) => url.endsWith('/docs.css')));
	assert.equal(await page.evaluate(() => document.scripts.length), 0);
	assert.notEqual(await page.evaluate(() => getComputedStyle(document.querySelector('article')).borderRadius), '0px', 'styled');
	await page.close();
});

test('its policy holds: nothing that is put into it runs or leaves', async () => {
	const { page, seen } = await open();
	const ran = await page.evaluate(async () => {
		const script = document.createElement('script');
		script.textContent = 'window.ran = true';
		document.body.append(script);
		document.body.insertAdjacentHTML('beforeend', '<img src="https://elsewhere.test/x" onerror="window.ran = true"><form action="https://elsewhere.test"></form>');
		document.forms[0].submit();
		await new Promise((done) => setTimeout(done, 100));
		return window.ran === true;
	});
	assert.equal(ran, false);
	assert.ok(seen.console.some((text) => /Content Security Policy|ContentSecurityPolicyIssue/.test(text)), 'the test can see a violation');
	assert.equal(new URL(page.url()).origin, new URL(base).origin);
	await page.close();
});

test('every endpoint is there, with all there is to know of it', async () => {
	const { page } = await open();
	const articles = await page.evaluate(() => Object.fromEntries([...document.querySelectorAll('article[id]')].map((article) => {
		const title = article.querySelector('h3');
		return [`${title.querySelector('.method')?.textContent} ${title.querySelector('code')?.textContent}`, article.innerText];
	})));

	const page_like = ['/docs', '/docs.css', '/media/{key}', '/openapi.json'];	/* files, not endpoints */
	for (const [template, operations] of Object.entries(api.paths).filter(([path]) => !page_like.includes(path)))
		for (const [method, operation] of Object.entries(operations)) {
			const text = articles[`${method.toUpperCase()} ${template}`];
			assert.ok(text, `${method} ${template}`);
			assert.ok(text.includes(operation.summary), `summary of ${method} ${template}`);
			assert.match(text, /\bcurl\b/, `example of ${method} ${template}`);
			assert.match(text, /For /, `who may ${method} ${template}`);
			for (const parameter of operation.parameters ?? [])
				if (parameter.name && ['path', 'query'].includes(parameter.in))
					assert.ok(text.includes(parameter.name), `${parameter.name} of ${method} ${template}`);
			for (const status of Object.keys(operation.responses))
				assert.ok(text.includes(status) || status === '304' || !/^\d+$/.test(status), `${status} of ${method} ${template}`);
		}
	await page.close();
});

test('it says how to sign in, what errors look like and what the limits are', async () => {
	const { page } = await open();
	const text = await page.evaluate(() => document.querySelector('main').innerText);
	for (const word of ['Authorization: Bearer', 'application/problem+json', 'request_id', 'Idempotency-Key', 'RateLimit-Remaining', 'Retry-After', 'ETag'])
		assert.ok(text.includes(word), word);
	await page.close();
});

test('every link leads somewhere', async () => {
	const { page } = await open();
	const links = await page.evaluate(() => [...document.links].map(({ href }) => href));
	assert.ok(links.length > 20);
	for (const href of new Set(links)) {
		const url = new URL(href);
		assert.equal(url.origin, new URL(base).origin, href);
		if (url.pathname === '/docs')
			assert.ok(await page.evaluate((id) => document.getElementById(id) !== null, decodeURIComponent(url.hash.slice(1))), href);
		else
			assert.equal((await fetch(href)).status, 200, href);
	}
	await page.close();
});

for (const [width, height] of [[1280, 900], [768, 1024], [390, 844], [320, 640]])
	test(`nothing is wider than the window at ${width} px`, async () => {
		const { page, seen } = await open({ width, height });
		const { client, scroll, wide } = await page.evaluate(() => ({
			client: document.documentElement.clientWidth,
			scroll: document.documentElement.scrollWidth,
			/* What may be scrolled by itself may be wide inside. */
			wide: [...document.querySelectorAll('main *, nav *')].filter((node) =>
				node.closest('pre') === null && node.getBoundingClientRect().right > innerWidth + 1).map((node) => node.outerHTML.slice(0, 80)),
		}));
		assert.equal(client, width);
		assert.ok(scroll <= client, `${scroll} px`);
		assert.deepEqual(wide, []);
		assert.deepEqual(seen.console, []);
		await page.close();
	});

for (const scheme of ['light', 'dark'])
	test(`text can be read on its ground in ${scheme}`, async () => {
		const { page } = await open({ scheme });
		assert.deepEqual(await faint(page), []);
		await page.close();
	});

test('it reads well to who does not see it', async () => {
	const { page } = await open();
	const { lang, title, levels, unnamed, ids } = await page.evaluate(() => ({
		lang: document.documentElement.lang,
		title: document.title,
		levels: [...document.querySelectorAll('h1, h2, h3, h4')].map((node) => Number(node.tagName[1])),
		unnamed: [...document.links].filter((link) => link.textContent.trim() === '').length,
		ids: [...document.querySelectorAll('[id]')].map(({ id }) => id),
	}));
	assert.equal(lang, 'en');
	assert.ok(title.length > 0);
	assert.equal(levels.filter((level) => level === 1).length, 1);
	levels.reduce((before, level) => {
		assert.ok(level <= before + 1, 'no level of heading is left out');
		return level;
	});
	assert.equal(unnamed, 0);
	assert.equal(new Set(ids).size, ids.length, 'an id names one thing');
	await page.close();
});

test('once it is open, the network may go', async () => {
	const { page, seen } = await open();
	await page.setOfflineMode(true);
	seen.requests.length = 0;
	const link = await page.$('nav a[href^="#"]:last-of-type');
	await link.evaluate((node) => node.click());
	assert.notEqual(await page.evaluate(() => location.hash), '');
	assert.ok(await page.evaluate(() => document.querySelector(':target') !== null));
	assert.deepEqual(seen.requests, []);
	assert.deepEqual(seen.console, []);
	await page.close();
});
