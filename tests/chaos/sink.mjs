/*
 * Who is told of it all: a sink that is often away, and relays as processes of
 * our own, since that of the stack has no sink.  What must hold in the end: each
 * fact is one event, each event has arrived, and those about one subject in order.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { rows, value } from '../lib/sql.mjs';
import { eventSink, relayProcess } from '../lib/sink.mjs';

const FACTS = {
	'an order\'s history is its events': `
		SELECT * FROM (SELECT 'orders/' || order_id AS subject,
		                      'order.' || replace(new_status, 'pending', 'placed') AS type, count(*) AS facts
		                 FROM orders.history WHERE new_status <> 'confirmed' GROUP BY 1, 2) h
		  FULL JOIN (SELECT subject, type, count(*) AS events FROM ops.event
		              WHERE type LIKE 'order.%' GROUP BY 1, 2) e USING (subject, type)
		 WHERE h.facts IS DISTINCT FROM e.events`,
	'a movement of money is an event': `
		SELECT * FROM (SELECT 'payments/' || p.id AS subject, count(*) AS facts
		                 FROM payments.ledger l JOIN payments.payment p USING (order_id) GROUP BY 1) l
		  FULL JOIN (SELECT subject, count(*) AS events FROM ops.event
		              WHERE type LIKE 'payment.%' AND type <> 'payment.failed' GROUP BY 1) e USING (subject)
		 WHERE l.facts IS DISTINCT FROM e.events`,
	'who has paid is told so by one mail': `
		SELECT h.order_id FROM orders.history h
		  LEFT JOIN ops.job j ON j.kind = 'mail' AND j.dedupe = 'history:' || h.id
		 WHERE h.new_status = 'paid' AND j.id IS NULL`,
	'every event was sent': `
		SELECT id, type, subject, state, last_error FROM ops.event WHERE state <> 'sent'`,
};

export class Sink {
	constructor(chance) {
		this.chance = chance;
		this.away = false;
	}

	async open() {
		this.server = await eventSink(() => this.answer());
		/* Others were told of what was before. */
		this.since = await value`SELECT coalesce(max(id), 0) FROM ops.event`;
	}

	close() {
		return this.server.stop();
	}

	answer() {
		return this.away || this.chance.is(0.02) ? this.chance.one([500, 503, 429, null]) : 202;
	}

	/* One after the other, since those that die at a point are many. */
	async relay(done) {
		while (!done()) {
			await relayProcess(this.server);
			await pause(100);
		}
	}

	async waver(done) {
		while (!done()) {
			this.away = this.chance.is(0.3);
			await pause(500);
		}
		this.away = false;
	}

	/* Sentences about what does not hold. */
	async broken() {
		const wrong = [];
		for (const [name, sql] of Object.entries(FACTS))
			for (const row of await rows`SELECT * FROM (${{ sql }}) v LIMIT 5`)
				wrong.push(`${name}: ${JSON.stringify(row)}`);
		const arrived = new Map();	/* id -> its first arrival */
		this.server.taken.forEach(({ id }, i) => arrived.has(id) || arrived.set(id, i));
		const last = new Map();
		for (const { uuid, id, subject } of await rows`SELECT uuid, id, subject FROM ops.event WHERE id > ${this.since} ORDER BY id`) {
			const at = arrived.get(uuid);
			if (at === undefined)
				wrong.push(`event ${id} about ${subject} was lost`);
			else if (at < last.get(subject))
				wrong.push(`event ${id} about ${subject} arrived before an earlier one`);
			last.set(subject, at);
		}
		return wrong.slice(0, 20);
	}
}
