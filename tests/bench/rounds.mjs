/*
 * Turn by turn, round by round, so that a noisy minute is everybody's; and
 * what can be said of two turns then.
 *
 * A machine is rarely ours alone.  How much of it others used during a turn is
 * known, and only the quieter half of the turns counts: chosen by that, never
 * by what was measured.
 */
import { cpu, everybody } from './processes.mjs';
import { sized } from './size.mjs';
import { median } from './table.mjs';

const total = (spent) => Object.values(spent).reduce((sum, us) => sum + us, 0);

/* One turn: its rate, the microseconds of CPU that each kind of process spent
 * on one of its requests, and how many cores were busy with other things. */
async function take({ run, pays }) {
	const kinds = Object.keys(pays);
	/* Those there before, and those that came meanwhile. */
	const use = (known = {}) => {
		const pids = Object.fromEntries(kinds.map((kind) =>
		    [kind, [...new Set([...known[kind] ?? [], ...pays[kind]()])]]));
		return { pids, at: performance.now(), all: everybody(), bench: cpu([process.pid]),
			cpu: kinds.map((kind) => cpu(pids[kind])) };
	};
	const before = use();
	const result = await run();
	const after = use(before.pids);
	const spent = kinds.map((_, i) => Math.max(0, after.cpu[i] - before.cpu[i]));
	const others = after.all - before.all - (after.bench - before.bench) - total(spent);

	return {
		rate: result.rate,
		failed: result.failed,
		spent: Object.fromEntries(kinds.map((kind, i) => [kind, spent[i] / result.requests])),
		others: Math.max(0, others / 1000 / (after.at - before.at)),
	};
}

export async function goRound(turns, rounds, say) {
	const results = Object.fromEntries(Object.keys(turns).map((name) => [name, []]));

	for (let round = sized(0, 1); round <= rounds; round++) {
		say(round === 0 ? 'warming up' : `round ${round} of ${rounds}`);
		for (const [name, turn] of Object.entries(turns)) {
			await turn.before?.();
			const result = await take(turn);
			await turn.after?.();
			if (result.failed > 0)
				throw new Error(`${turn.what}: ${result.failed} requests failed`);
			if (round > 0)
				results[name].push(result);
		}
	}
	return results;
}

export function quieter(results) {
	return [...results].sort((a, b) => a.others - b.others).slice(0, Math.ceil(results.length / 2));
}

/* Rates of a to those of b in the same rounds; byCpu is the same of how many
 * requests a second of everybody's CPU would do. */
export function compare(a, b) {
	const pairs = quieter(a.map((turn, i) => ({ a: turn, b: b[i], others: turn.others + b[i].others })));
	const each = pairs.map((pair) => pair.a.rate / pair.b.rate);

	return {
		median: median(each),
		least: Math.min(...each),
		most: Math.max(...each),
		byCpu: median(pairs.map((pair) => total(pair.b.spent) / total(pair.a.spent))),
	};
}
