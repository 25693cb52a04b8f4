/*
 * What processes use: their CPU time, their memory, and whose they are.
 */
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';

/* Of a process that has gone meanwhile, undefined. */
function read(pid, file) {
	try {
		return readFileSync(`/proc/${pid}/${file}`, 'utf8');
	} catch (error) {
		if (['ENOENT', 'ESRCH'].includes(error.code))
			return undefined;
		throw error;
	}
}

export function children(parent) {
	return readdirSync('/proc').filter((entry) => /^\d+$/.test(entry)).map(Number).filter((pid) => {
		const stat = read(pid, 'stat');
		const [state, of] = stat?.slice(stat.lastIndexOf(')') + 2).split(' ') ?? [];
		return Number(of) === parent && state !== 'Z';
	});
}

export function program(pid) {
	try {
		return basename(readlinkSync(`/proc/${pid}/exe`)).replace(/ \(deleted\)$/, '');
	} catch (error) {
		if (['ENOENT', 'ESRCH'].includes(error.code))
			return '';
		throw error;
	}
}

/* The master of a function under this supervisor, and its workers. */
export function workers(supervisor, name) {
	const master = children(supervisor).find((pid) => program(pid) === name);

	if (master === undefined)
		throw new Error(`${name} does not run`);
	return children(master);
}

/*
 * Microseconds of CPU that processes have used, and their children that have
 * ended.  The kernel counts the former by the nanosecond, the latter in
 * hundredths of a second.
 */
export function cpu(pids) {
	return pids.reduce((sum, pid) => {
		const own = Number((read(pid, 'schedstat') ?? '0').split(' ')[0]);
		const stat = read(pid, 'stat') ?? ') ';
		const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');

		return sum + own / 1000 + (Number(fields[13] ?? 0) + Number(fields[14] ?? 0)) * 10000;
	}, 0);
}

/* KiB. */
export function memory(pids) {
	const total = { processes: 0, rss: 0, pss: 0 };

	for (const pid of pids) {
		const rollup = read(pid, 'smaps_rollup');
		if (!rollup)
			continue;
		total.processes++;
		total.rss += Number(/^Rss:\s+(\d+)/m.exec(rollup)[1]);
		total.pss += Number(/^Pss:\s+(\d+)/m.exec(rollup)[1]);
	}
	return total;
}

/* The idle platform, by what its processes are. */
export function platform(gateway, supervisor) {
	const masters = children(supervisor);
	const isSimulator = (pid) => program(pid) === 'stripe-sim';
	const functions = masters.filter((pid) => !isSimulator(pid));
	const simulator = masters.filter(isSimulator);

	return [
		['lighttpd', memory([gateway, ...children(gateway)])],
		['supervisor', memory([supervisor])],
		['masters', memory(functions)],
		['workers', memory(functions.flatMap(children))],
		['simulator', memory(simulator.concat(simulator.flatMap(children)))],
	];
}

/* Microseconds of CPU that the whole machine has used, or that were taken from
 * it where it is a virtual one. */
export function everybody() {
	const [user, nice, system, , , irq, soft, steal] = readFileSync('/proc/stat', 'utf8')
	    .split('\n')[0].split(/\s+/).slice(1).map(Number);

	return (user + nice + system + irq + soft + steal) * 10000;
}
