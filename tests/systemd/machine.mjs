/*
 * A machine of the test's own: a bare Debian with systemd as its first process, in
 * a container.  What base makes is under it and stays as it is.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../gateway/lighttpd.mjs';
import { until } from '../lib/wait.mjs';

const here = dirname(fileURLToPath(import.meta.url));
export const root = resolve(here, '..', '..');
export const build = resolve(root, process.env.B ?? 'build');

/* Its output; `input` is its standard input. */
export function run(command, args, { input, env, cwd = root } = {}) {
	return new Promise((done, failed) => {
		const child = execFile(command, args, { cwd, env: { ...process.env, ...env }, maxBuffer: 64 << 20 }, (error, out, told) => {
			if (error)
				error.message = `${command} ${args.join(' ').slice(0, 300)}: ${told || out || error.message}`;
			return error ? failed(error) : done(out);
		});
		child.stdin.on('error', () => {});
		child.stdin.end(input ?? '');
	});
}

/* With files of { path: text } in it, and its ports at free ones of 127.0.0.1. */
export async function boot(ports) {
	const scratch = mkdtempSync(join(process.env.TMPDIR ?? tmpdir(), 'souk-machine-'));
	const name = `souk-test-${process.pid}`;
	const base = (await run(join(here, 'base'), [])).trim();
	const limit = (await run('sh', ['-c', 'ulimit -Hn'])).trim();
	const published = {};

	mkdirSync(join(scratch, 'files'));
	/* podman raises limits that a machine without CAP_SYS_RESOURCE cannot. */
	writeFileSync(join(scratch, 'containers.conf'), `[containers]
default_ulimits = ["nofile=${limit}:${limit}", "nproc=32768:32768"]
[engine]
runtime = "runc"
`);
	const podman = (...args) => run('podman', ['--root', join(scratch, 'storage'), '--runroot', join(scratch, 'run'),
		'--tmpdir', join(scratch, 'tmp'), ...args], { env: { CONTAINERS_CONF: join(scratch, 'containers.conf') } });
	for (const port of ports)
		published[port] = await freePort();
	/* Mounts must be seen everywhere, as on a machine: credentials are mounts. */
	await podman('run', '--detach', '--name', name, '--hostname', 'machine', '--systemd=always', '--cgroupns=private', '--cap-add=ALL',
		'--security-opt', 'seccomp=unconfined', '--security-opt', 'unmask=ALL',
		...ports.flatMap((port) => ['--publish', `127.0.0.1:${published[port]}:${port}`]),
		'--volume', `${join(scratch, 'files')}:/files`, '--rootfs', `${base}:O`,
		'/bin/sh', '-c', 'mount --make-rshared / && exec /sbin/init');

	const machine = {
		published,
		files: join(scratch, 'files'),		/* /files there */
		/* Runs a shell script there; its output. */
		sh: (script, input) => run('podman', ['--root', join(scratch, 'storage'), '--runroot', join(scratch, 'run'),
			'--tmpdir', join(scratch, 'tmp'), 'exec', '--interactive', name, '/bin/bash', '-euo', 'pipefail', '-c', script],
		{ input, env: { CONTAINERS_CONF: join(scratch, 'containers.conf') } }),
		/* Off and on again, as it lies on its disk. */
		async reboot() {
			await podman('stop', '--time', '30', name);
			await podman('start', name);
			await booted();
		},
		async stop() {
			await podman('rm', '--force', '--time', '0', name);
			/* What podman leaves mounted would be removed with it. */
			await run('sh', ['-c', `awk -v at="${scratch}/" 'index($2, at) == 1 { print $2 }' /proc/mounts | sort -r | xargs -r umount -l`]);
			rmSync(scratch, { recursive: true, force: true });
		},
	};
	const booted = () => until('systemd has booted', () => machine.sh('systemctl is-system-running')
		.then((state) => state.trim() === 'running'), { seconds: 60, every: 200 });
	try {
		await booted();
	} catch (error) {
		error.message += `\n${await machine.sh('systemctl --failed --no-legend; journalctl --no-pager -n 30 -o cat').catch((e) => e.message)}`;
		await machine.stop();
		throw error;
	}
	return machine;
}

/* What `systemctl show` says of a unit. */
export async function show(machine, unit, property) {
	return (await machine.sh(`systemctl show -P ${property} '${unit}'`)).trim();
}
