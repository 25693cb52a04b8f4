/*
 * Waiting for a condition, never for a time: poll quickly, give up loudly.
 */
import { setTimeout as pause } from 'node:timers/promises';

/*
 * Calls probe until it returns something truthy, and returns that.  An
 * exception counts as "not yet"; the last one is told when time is up.
 */
export async function until(what, probe, { seconds = 20, every = 40 } = {}) {
	const deadline = Date.now() + seconds * 1000;
	let last;

	for (;;) {
		try {
			const found = await probe();
			if (found)
				return found;
			last = undefined;
		} catch (error) {
			last = error;
		}
		if (Date.now() > deadline)
			throw new Error(`waited ${seconds} s in vain: ${what}` +
			    (last ? ` (${last.message})` : ''), { cause: last });
		await pause(every);
	}
}

/* Runs jobs with at most `width` of them under way. */
export async function parallel(width, jobs) {
	const results = new Array(jobs.length);
	let next = 0;

	async function lane() {
		while (next < jobs.length) {
			const i = next++;
			results[i] = await jobs[i]();
		}
	}
	await Promise.all(Array.from({ length: width }, lane));
	return results;
}
