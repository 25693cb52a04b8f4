/*
 * node main.mjs [N] [SEED]: chaos of at least N injections, and what came of it.
 */
import { randomInt } from 'node:crypto';
import { bad, chaos, tell } from './chaos.mjs';

const [n = 300, seed = randomInt(2 ** 31)] = process.argv.slice(2).map(Number);

console.error(`# seed ${seed}`);
const report = await chaos({ n, seed });
console.log(tell(report));
process.exit(bad(report) ? 1 : 0);
