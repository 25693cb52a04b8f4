/*
 * Chance, from a seed: what is drawn is the same for the same seed, though who
 * gets it in a run of many processes is not.
 */

/* sfc32 */
export class Chance {
	constructor(seed) {
		this.state = [0x9e3779b9, 0x243f6a88, 0xb7e15162, seed >>> 0];
		for (let i = 0; i < 16; i++)
			this.bits();
	}

	bits() {
		let [a, b, c, d] = this.state;
		const t = (a + b + d) | 0;
		d = (d + 1) | 0;
		a = b ^ (b >>> 9);
		b = (c + (c << 3)) | 0;
		c = ((c << 21) | (c >>> 11)) + t | 0;
		this.state = [a, b, c, d];
		return t >>> 0;
	}

	/* 0 <= n < below */
	below(n) {
		return Math.floor(this.bits() / 2 ** 32 * n);
	}

	between(low, high) {
		return low + this.below(high - low + 1);
	}

	one(list) {
		return list[this.below(list.length)];
	}

	is(probability) {
		return this.bits() / 2 ** 32 < probability;
	}

	/* A name of { name: weight, ... }. */
	weighted(weights) {
		let at = this.bits() / 2 ** 32 * Object.values(weights).reduce((sum, weight) => sum + weight, 0);
		for (const [name, weight] of Object.entries(weights)) {
			at -= weight;
			if (at < 0)
				return name;
		}
		return Object.keys(weights)[0];
	}
}

/* Counts by name. */
export class Tally extends Map {
	add(name, n = 1) {
		this.set(name, (this.get(name) ?? 0) + n);
	}

	get sum() {
		return [...this.values()].reduce((sum, n) => sum + n, 0);
	}
}
