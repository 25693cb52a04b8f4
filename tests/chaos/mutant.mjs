/*
 * Chaos beside a stack that is a mutant: says CAUGHT and by what, or SURVIVED.
 * More than one seed before it is believed to survive.
 */
import { chaos } from './chaos.mjs';

const strangers = new Map();
for (const seed of [1, 2, 3]) {
	const { violations } = await chaos({ n: 120, seed, all: false, most: 1, patience: 60, strangers });
	if (violations.length > 0) {
		console.log(`CAUGHT ${violations[0].split('\n')[0]}`);
		process.exit(0);
	}
}
console.log('SURVIVED');
process.exit(0);
