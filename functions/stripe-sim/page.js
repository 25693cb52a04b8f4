/*
 * The control page.  It asks for the state again and again and writes what has
 * changed; whatever comes from outside is only ever text.
 */
'use strict';

const POLL_MS = 1500;
const $ = (id) => document.getElementById(id);

function make(tag, props = {}, ...children) {
	const node = document.createElement(tag);

	for (const [name, value] of Object.entries(props))
		if (name === 'data')
			node.dataset.key = value;
		else if (name in node)
			node[name] = value;
		else
			node.setAttribute(name, value);
	node.append(...children.flat().filter((child) => child !== null && child !== undefined));
	return node;
}

const code = (text) => make('code', {}, text);
const time = (seconds) => make('time', { dateTime: new Date(seconds * 1000).toISOString() },
    new Date(seconds * 1000).toLocaleTimeString());

const GOOD = ['succeeded', 'won', 'delivered'];
const BAD = ['canceled', 'failed', 'lost', 'given up'];
const PLAIN = ['requires_payment_method', 'warning_closed', 'not sent'];
const pill = (text) => make('span', { className: `state ${GOOD.includes(text.split(' ')[0]) ? 'good'
    : BAD.some((word) => text.startsWith(word)) ? 'bad'
    : PLAIN.includes(text) ? '' : 'wait'}` }, text.replaceAll('_', ' '));

function tell(text, kind = '') {
	$('told').textContent = text;
	$('told').className = kind;
}

/* The problem's or Stripe's words for what went wrong. */
const reason = (json, status) => json?.error?.message ?? json?.errors?.[0]?.message ?? json?.detail
    ?? `The simulator answered ${status}`;

async function send(method, path, body) {
	const answer = await fetch(path, {
		method,
		headers: body === undefined ? {} : { 'Content-Type': 'application/json' },
		body: body === undefined ? undefined : JSON.stringify(body),
	});
	const json = await answer.json().catch(() => null);

	if (!answer.ok)
		throw new Error(reason(json, answer.status));
	return json;
}

/* A button that does something; what comes of it is told, and shown at once. */
function button(label, key, kind, work) {
	return make('button', { type: 'button', className: kind, data: key, onclick: async ({ currentTarget: at }) => {
		at.disabled = true;
		try {
			tell(await work() ?? `${label}: done`, 'good');
		} catch (error) {
			tell(error.message, 'bad');
		}
		at.disabled = false;
		await refresh();
	} }, label);
}

const act = (label, kind, action, id, more = {}) =>
    button(label, `${action} ${id} ${JSON.stringify(more)}`, kind, async () => {
	await send('POST', '/simulator/control', { action, id, ...more });
    });

/* What has been chosen and typed outlives the next drawing. */
const kept = new Map();
const keep = (node, key) => {
	node.dataset.key = key;
	node.value = kept.get(key) ?? node.value;
	node.oninput = () => kept.set(key, node.value);
	return node;
};

let cards = [];

function paying(intent) {
	const choice = make('select', { 'aria-label': 'Test card' },
	    cards.filter(({ kind }) => kind === 'card' || intent.currency === 'EUR').map(({ alias, says }) =>
		make('option', { value: alias, title: alias }, says)));

	choice.value = 'pm_card_visa';
	keep(choice, `card ${intent.id}`);
	const pay = (card) => send('POST', '/simulator/control', { action: 'pay', id: intent.id, card })
	    .then(({ status }) => `Now ${status.replaceAll('_', ' ')}`);
	return [choice, button('Pay', `pay ${intent.id}`, 'good', () => pay(choice.value)),
		button('Decline', `decline ${intent.id}`, 'bad', () => pay('pm_card_chargeDeclined'))];
}

/* "12.50" of a currency with two digits is 1250. */
function minor(text, digits) {
	const match = /^(\d+)(?:[.,](\d+))?$/.exec(text.trim());

	if (match === null || (match[2] ?? '').length > digits)
		throw new Error(`“${text}” is not an amount`);
	return Number(match[1] + (match[2] ?? '').padEnd(digits, '0'));
}

function refunding(intent) {
	const amount = keep(make('input', { size: 8, inputMode: 'decimal', placeholder: 'all of it',
		'aria-label': 'Amount to refund' }), `amount ${intent.id}`);

	return [amount, button('Refund', `refund ${intent.id}`, '', async () => {
		const given = amount.value.trim();
		await send('POST', '/simulator/control', { action: 'refund', id: intent.id,
			...given === '' ? {} : { amount: minor(given, intent.digits) } });
		kept.delete(`amount ${intent.id}`);
	})];
}

function actions(intent) {
	const { id, status } = intent;
	const charge = intent.charges.find((one) => one.status === 'succeeded');
	const cancel = act('Cancel', 'bad', 'cancel', id);

	switch (status) {
	case 'requires_action':
		return [act('Complete 3-D Secure', 'good', 'authenticate', id, { outcome: 'succeed' }),
			act('Fail 3-D Secure', 'bad', 'authenticate', id, { outcome: 'fail' }), cancel];
	case 'processing':
		return [act('Succeed now', 'good', 'finish_payment', id, { outcome: 'succeed' }),
			act('Fail now', 'bad', 'finish_payment', id, { outcome: 'fail' }), cancel];
	case 'requires_capture':
		return [act('Capture', 'good', 'capture', id), cancel];
	case 'succeeded':
		return [...charge?.refundable ? refunding(intent) : [],
			...charge?.refundable && !charge.disputed ? [act('Dispute', 'bad', 'dispute', id),
				act('Inquiry', 'bad', 'dispute', id, { inquiry: true })] : []];
	case 'canceled':
		return [];
	default:
		return [...paying(intent), cancel];
	}
}

const refund = ({ id, amount, status }) => make('li', {}, 'Refund of ', amount, ' ', pill(status), ' ', code(id),
    make('span', { className: 'buttons' },
	status === 'pending' ? act('Finish', 'good', 'finish_refund', id, { outcome: 'succeed' }) : null,
	['pending', 'succeeded'].includes(status) ? act('Fail', 'bad', 'finish_refund', id, { outcome: 'fail' }) : null));

const OVER = ['won', 'lost', 'warning_closed'];
const dispute = ({ id, amount, status, reason: why }) => make('li', {}, 'Dispute of ', amount, ' (',
    why.replaceAll('_', ' '), ') ', pill(status), ' ', code(id), make('span', { className: 'buttons' },
	OVER.includes(status) ? null : [
		act(status.startsWith('warning') ? 'Close' : 'Win', 'good', 'end_dispute', id, { outcome: 'succeed' }),
		status.startsWith('warning') ? null : act('Lose', 'bad', 'end_dispute', id, { outcome: 'fail' })]));

const chargeLine = (charge) => make('li', {}, 'Charge to ', charge.card, ' ', pill(charge.status), ' ',
    charge.failure ? `${charge.failure.replaceAll('_', ' ')} ` : '', code(charge.id),
    charge.refunds.length + charge.disputes.length === 0 ? null
	: make('ul', {}, charge.refunds.map(refund), charge.disputes.map(dispute)));

function intentCard(intent) {
	const facts = Object.entries(intent.metadata);

	if (intent.description)
		facts.unshift(['description', intent.description]);
	return make('article', { id: intent.id },
	    make('header', {}, make('h3', {}, `${intent.amount} ${intent.currency}`), pill(intent.status),
		time(intent.created)),
	    code(intent.id),
	    facts.length === 0 ? null : make('dl', {}, facts.map(([name, value]) =>
		make('div', {}, make('dt', {}, name), make('dd', {}, value)))),
	    intent.error ? make('p', { className: 'failure' }, intent.error) : null,
	    intent.charges.length === 0 ? null : make('ul', {}, intent.charges.map(chargeLine)),
	    make('p', { className: 'buttons' }, actions(intent)));
}

let endpoints = new Map();

function delivery(event, one) {
	const endpoint = endpoints.get(one.endpoint);
	const went = one.delivered ? `delivered ${one.status}`
	    : one.due_ms === null ? one.attempts === 0 ? 'not sent' : 'given up'
	    : one.attempts === 0 ? one.due_ms > 0 ? 'held back' : 'on its way' : 'tried again soon';

	return make('li', {}, pill(went), ' to ', endpoint?.description || endpoint?.url || one.endpoint,
	    one.attempts > 1 ? `, ${one.attempts} tries` : '',
	    !one.delivered && (one.problem || one.status) ? make('span', { className: 'failure' },
		` ${one.problem ?? one.status}`) : null,
	    make('span', { className: 'buttons' },
		act('Resend', '', 'resend', event.id, { webhook_endpoint: one.endpoint })));
}

const eventCard = (event) => make('article', {},
    make('header', {}, make('strong', {}, event.type), time(event.created)),
    make('div', { className: 'quiet' }, code(event.id), event.about ? [' of ', code(event.about)] : null),
    make('ul', {}, event.deliveries.map((one) => delivery(event, one))),
    event.deliveries.length === 0 ? make('p', { className: 'buttons' }, make('span', { className: 'quiet' },
	'Nobody listens for it.'), act('Resend', '', 'resend', event.id)) : null);

const KINDS = {
	webhook_delay: 'webhooks come late', webhook_duplicate: 'webhooks come twice',
	webhook_reorder: 'webhooks come last one first', webhook_drop: 'webhooks are lost',
	event_twice: 'two events for one change', settle_delay: 'refunds and debits take longer',
	rate_limit: '429, nothing done', error_before: '500, nothing done', error_after: '500, but done',
	delay: 'slow, while it works', stall: 'slow to answer, but done', drop: 'answer lost, but done',
};

const setFault = (fault) => send('POST', '/simulator/faults', fault)
    .then(() => `Set: ${KINDS[fault.kind]}`);
const QUICK = [
	['Delay the next 3', { kind: 'webhook_delay', ms: 5000, times: 3 }],
	['Duplicate the next', { kind: 'webhook_duplicate', ms: 0, times: 1 }],
	['Reorder the next 3', { kind: 'webhook_reorder', ms: 3000, times: 3 }],
	['Drop the next', { kind: 'webhook_drop', times: 1 }],
];

const faultLine = ({ id, kind, method, path, event_type: type, endpoint, ms, remaining }) => make('li', {},
    pill(KINDS[kind] ?? kind), ' ', [type, method, path, endpoint, ms > 0 ? `${ms} ms` : null,
	remaining === null ? 'always' : `${remaining} more`].filter(Boolean).join(' · '),
    make('span', { className: 'buttons' }, button('Clear', `fault ${id}`, '', () =>
	send('DELETE', `/simulator/faults/${id}`).then(() => 'Cleared'))));

/* Only what is not as it was is drawn anew, and the focus stays where it was. */
const drawn = new Map();

function draw(list, items, key, card, nothing) {
	const focused = document.activeElement?.dataset?.key;
	const nodes = items.map((item) => {
		const text = JSON.stringify(item), at = `${list.id} ${item[key]}`;

		if (drawn.get(at)?.text !== text)
			drawn.set(at, { text, node: card(item) });
		return drawn.get(at).node;
	});
	for (const at of drawn.keys())
		if (at.startsWith(`${list.id} `) && !items.some((item) => at === `${list.id} ${item[key]}`))
			drawn.delete(at);
	if (nodes.length === 0)
		nodes.push(make(list.tagName === 'UL' ? 'li' : 'p', { className: 'empty' }, nothing));
	if (nodes.length === list.children.length && nodes.every((node, i) => node === list.children[i]))
		return;
	list.replaceChildren(...nodes);
	if (focused)
		list.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
}

let older = [], before = null;

async function ask(from = null) {
	const query = new URLSearchParams();

	if ($('search').value.trim() !== '')
		query.set('search', $('search').value.trim());
	if (from !== null)
		query.set('before', from);
	return send('GET', `/simulator/state${query.size ? `?${query}` : ''}`);
}

function show(state) {
	cards = state.cards;
	endpoints = new Map(state.endpoints.map((one) => [one.id, one]));
	const last = state.intents.at(-1)?.seq;
	const all = [...state.intents, ...older.filter(({ seq }) => seq < last)];

	before = all.at(-1)?.seq ?? null;
	if (older.length === 0)
		$('older').hidden = state.intents.length < 20;
	draw($('intent-list'), all, 'id', intentCard, 'No payments yet: a shop makes one for each order.');
	draw($('event-list'), state.events, 'id', eventCard, 'Nothing has happened yet.');
	draw($('fault-list'), state.faults, 'id', faultLine, 'Everything works.');
}

let failing = false, asking = null, again = false;

/* One question at a time; whoever asks meanwhile gets the next answer. */
async function refresh() {
	if (asking !== null) {
		again = true;
		return asking;
	}
	asking = (async () => {
		do {
			again = false;
			try {
				show(await ask());
				if (failing)
					tell('');
				failing = false;
			} catch (error) {
				failing = true;
				tell(`The state cannot be read: ${error.message}`, 'bad');
			}
		} while (again);
		asking = null;
	})();
	return asking;
}

for (const [label, fault] of QUICK)
	$('quick').append(button(label, label, '', () => setFault(fault)));
$('quick').append(button('Clear all', 'clear all', 'good', () => send('DELETE', '/simulator/faults').then(() => 'Everything works')));
$('kinds').append(...Object.entries(KINDS).map(([value, text]) => make('option', { value }, text)));

$('fault').onsubmit = async (event) => {
	event.preventDefault();
	const { kind, event_type, path, ms, times } = Object.fromEntries(new FormData(event.target));
	try {
		tell(await setFault({ kind, ms: Number(ms), times: Number(times),
			...event_type.trim() && { event_type: event_type.trim() }, ...path.trim() && { path: path.trim() } }), 'good');
	} catch (error) {
		tell(error.message, 'bad');
	}
	await refresh();
};
$('find').onsubmit = (event) => event.preventDefault();
$('search').oninput = () => {
	older = [];
	refresh();
};
$('older').onclick = async () => {
	const more = (await ask(before)).intents;

	older = [...older, ...more];
	$('older').hidden = more.length < 20;
	await refresh();
};

async function watch() {
	if (!document.hidden)
		await refresh();
	setTimeout(watch, POLL_MS);
}
watch();
