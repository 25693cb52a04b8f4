/*
 * The simulator's control page in a browser, as a developer uses it: with a
 * mouse, on a desk and in a hand, and with metadata that wants to be a script.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { need } from '../lib/env.mjs';
import { intent as readIntent, stripe } from '../lib/simulator.mjs';
import { until } from '../lib/wait.mjs';
import { startBrowser } from './chromium.mjs';
import { faint } from './contrast.mjs';

const base = need('SIM_URL');
const EVIL = '<img src=x onerror="window.ran=1"><script>window.ran=1</script>"\'&';

let browser;

before(async () => {
	browser = await startBrowser();
});
after(() => browser.close());

async function open({ width = 1280, height = 900, scheme = 'light', path = '/simulator' } = {}) {
	const page = await browser.newPage();
	const seen = { console: [], requests: [] };

	await page.setViewport({ width, height, isMobile: width < 600, hasTouch: width < 600 });
	await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
	page.on('console', (message) => seen.console.push(message.text()));
	page.on('pageerror', (error) => seen.console.push(error.message));
	page.on('request', (request) => seen.requests.push(request.url()));
	await page.goto(base + path, { waitUntil: 'domcontentloaded' });
	return { page, seen };
}

const create = async (more = {}) => (await stripe('POST', '/v1/payment_intents', { amount: 2000, currency: 'usd', ...more })).json;
const card = (page, id) => page.waitForSelector(`#${id}`);

/* Presses what says so, in an intent's card or on the page. */
async function press(page, within, label) {
	await page.waitForFunction((where, text) => {
		const found = [...document.querySelectorAll(`${where} button`)].find((one) => one.textContent === text && !one.disabled);
		found?.click();
		return found !== undefined;
	}, {}, within, label);
}
const shows = (page, within, text) => page.waitForFunction((where, what) =>
    document.querySelector(where)?.innerText.includes(what), {}, within, text);

test('an intent is declined, paid, refunded and disputed by hand', async () => {
	const { page, seen } = await open();
	const { id } = await create({ 'metadata[order_id]': '4711' });
	const mine = `#${id}`;

	await card(page, id);
	await shows(page, mine, '$20.00 USD');
	await shows(page, mine, '4711');
	await press(page, mine, 'Decline');
	await shows(page, '#told', 'Your card was declined.');
	await shows(page, mine, 'Your card was declined.');
	await page.select(`${mine} select`, 'pm_card_mastercard');
	await press(page, mine, 'Pay');
	await shows(page, mine, 'Charge to 4444');
	assert.equal((await readIntent(id)).status, 'succeeded');

	await page.type(`${mine} input`, '5.5');
	await press(page, mine, 'Refund');
	await shows(page, mine, 'Refund of $5.50');
	await press(page, mine, 'Dispute');
	await shows(page, mine, 'Dispute of $14.50 (fraudulent) needs response');
	await press(page, mine, 'Win');
	await shows(page, mine, 'won');
	await shows(page, '#event-list', 'charge.dispute.closed');
	assert.deepEqual(seen.console.filter((line) => !/402/.test(line)), []);
	assert.deepEqual([...new Set(seen.requests.map((url) => new URL(url).origin))], [base]);
	await page.close();
});

test('a 3-D Secure step is completed, failed, and shown by the bank\'s own page', async () => {
	const { page } = await open();

	for (const [label, status] of [['Complete 3-D Secure', 'succeeded'], ['Fail 3-D Secure', 'requires_payment_method']]) {
		const { id } = await create();
		await card(page, id);
		await page.select(`#${id} select`, 'pm_card_threeDSecure2Required');
		await press(page, `#${id}`, 'Pay');
		await press(page, `#${id}`, label);
		await until(status, async () => (await readIntent(id)).status === status);
	}
	const back = `${base}/health`;
	const { id, next_action: next } = await create({ confirm: true, payment_method: 'pm_card_authenticationRequired', return_url: back });
	const bank = await open({ path: new URL(next.redirect_to_url.url).pathname });
	await shows(bank.page, 'main', 'Do you want to pay $20.00 USD?');
	await Promise.all([bank.page.waitForNavigation(), bank.page.click('button.good')]);
	const address = new URL(bank.page.url());
	assert.deepEqual([address.pathname, address.searchParams.get('redirect_status'), address.searchParams.get('payment_intent')],
	    ['/health', 'succeeded', id]);
	assert.deepEqual(bank.seen.console, []);
	await bank.page.close();
	await page.close();
});

test('webhooks are dropped, delivered again, and the faults are cleared', async () => {
	const { page } = await open();

	await press(page, '#quick', 'Drop the next');
	await shows(page, '#fault-list', 'webhooks are lost');
	const { id } = await create({ confirm: true, payment_method: 'pm_card_visa' });
	await page.type('#search', id);
	await shows(page, '#event-list', 'not sent');
	await press(page, '#event-list', 'Resend');
	await shows(page, '#told', 'Resend: done');
	for (const label of ['Delay the next 3', 'Duplicate the next', 'Reorder the next 3'])
		await press(page, '#quick', label);
	await shows(page, '#fault-list', 'webhooks come last one first');
	await page.click('#faults summary');
	await page.select('#kinds', 'error_after');
	await page.type('#fault input[name="path"]', '/v1/nothing');
	await page.click('#fault button');
	await shows(page, '#fault-list', '/v1/nothing');
	await press(page, '#quick', 'Clear all');
	await shows(page, '#fault-list', 'Everything works.');
	await page.close();
});

test('metadata that wants to run does not', async () => {
	const { page, seen } = await open();
	const { id } = await create({ [`metadata[<b>${'x'.repeat(20)}]`]: EVIL, description: EVIL });

	await card(page, id);
	await shows(page, `#${id}`, EVIL);
	await page.type('#search', EVIL);
	await shows(page, `#${id}`, EVIL);
	const { ran, images } = await page.evaluate(() => ({ ran: window.ran, images: document.querySelectorAll('img, main script').length }));
	assert.deepEqual([ran, images], [undefined, 0]);
	assert.deepEqual(seen.console, []);
	await page.close();
});

test('another site can neither drive nor read it', async () => {
	const { page } = await open();
	const { id } = await create();
	const elsewhere = await browser.newPage();

	/* The shop's port: another origin, of the same machine. */
	await elsewhere.goto(`${need('SOUK_URL')}/docs`);
	await elsewhere.setBypassCSP(true);
	await elsewhere.reload();
	const results = await elsewhere.evaluate(async (url, intent) => {
		const tries = {};
		const body = JSON.stringify({ action: 'cancel', id: intent });
		for (const [name, options] of Object.entries({
			json: { method: 'POST', headers: { 'Content-Type': 'application/json' }, body },
			plain: { method: 'POST', mode: 'no-cors', body },
			state: {},
		}))
			tries[name] = await fetch(`${url}/simulator/${name === 'state' ? 'state' : 'control'}`, options)
			    .then((answer) => `${answer.type} ${answer.status}`, (error) => error.name);
		return tries;
	}, base, id);
	assert.deepEqual(results, { json: 'TypeError', plain: 'TypeError', state: 'TypeError' });
	assert.equal((await readIntent(id)).status, 'requires_payment_method');
	await elsewhere.close();
	await page.close();
});

test('what is being typed or chosen stays, whatever happens meanwhile', async () => {
	const { page } = await open();
	const { id } = await create({ confirm: true, payment_method: 'pm_card_visa' });
	const field = `#${id} input`;

	await card(page, id);
	await page.type(field, '1.2');
	await stripe('POST', `/v1/payment_intents/${id}`, { description: 'changed meanwhile' });
	await shows(page, `#${id}`, 'changed meanwhile');
	assert.deepEqual(await page.evaluate((where) => [document.querySelector(where).value,
		document.activeElement === document.querySelector(where)], field), ['1.2', true]);
	await page.close();
});

for (const [width, height, scheme] of [[1280, 900, 'light'], [1280, 900, 'dark'], [390, 844, 'light'], [320, 640, 'dark']])
	test(`it fits a window of ${width} px, and can be read in ${scheme}`, async () => {
		const { id } = await create({ confirm: true, payment_method: 'pm_card_createDispute',
			'metadata[a_long_word]': 'x'.repeat(300), description: EVIL });
		const { page } = await open({ width, height, scheme });

		await card(page, id);
		await page.click('#faults summary');
		assert.deepEqual(await faint(page), []);
		assert.deepEqual(await page.evaluate(() => ({
			scroll: document.documentElement.scrollWidth - document.documentElement.clientWidth,
			wide: [...document.querySelectorAll('main *')].filter((node) => node.getBoundingClientRect().right > innerWidth + 1)
			    .map((node) => node.outerHTML.slice(0, 80)),
			unnamed: [...document.querySelectorAll('input, select')].filter((node) => node.labels.length === 0 && !node.ariaLabel)
			    .map((node) => node.outerHTML.slice(0, 80)),
		})), { scroll: 0, wide: [], unnamed: [] });
		await page.close();
	});
