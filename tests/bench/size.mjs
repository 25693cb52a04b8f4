/*
 * How much of everything is measured: as much as tells something, or, with QUICK,
 * as little as shows that it can be (tests/bench/quick.mjs).
 */
export const quick = Boolean(process.env.QUICK);
export const sized = (whole, little) => quick ? little : whole;
/* The same, unless a variable says how much. */
export const asked = (name, whole, little) => Number(process.env[name] ?? sized(whole, little));
