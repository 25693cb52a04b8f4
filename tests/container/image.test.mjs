/* What is in the images, and that it is the same each time. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import path from 'node:path';
import { before, test } from 'node:test';
import { built, functions, imageOf, mounted, podman, root, start } from './podman.mjs';

const MB = 1_000_000;
const FUNCTIONS = ['catalog-list', 'orders-place', 'cron-saga_recover', 'catalog-upload_image'];
const IMAGES = [...FUNCTIONS, 'gateway'];
/* What is ours: the rest is Debian's, and the SBOM has to name whose. */
const OURS = /^\/(app\/|tools\/|usr\/bin\/supervisor$|sbom\.spdx\.json$|etc\/(lighttpd|souk)\/|etc\/(passwd|group|nsswitch\.conf)$)/;
/* Libraries of which nothing is called, in whose place collect puts empty ones. */
const EMPTY = /\/(libldap|liblber|librtmp|libssh2|libpsl|libidn2|libzstd|libbrotlidec|libgssapi_krb5)[-.]/;

before(() => built(...IMAGES));

function files(folder, at = '') {
	return readdirSync(path.join(folder, at), { withFileTypes: true }).flatMap((entry) => {
		const name = `${at}/${entry.name}`;
		const { mode, size } = lstatSync(path.join(folder, name));
		const link = entry.isSymbolicLink() ? readlinkSync(path.join(folder, name)) : null;
		return [{ name, mode, size, link, folder: entry.isDirectory() },
			...(entry.isDirectory() ? files(folder, name) : [])];
	});
}

for (const name of IMAGES)
	test(`${name}: starts from nothing, and is small`, async () => {
		const image = imageOf(name);
		const config = JSON.parse(await podman('image', 'inspect', image))[0];
		assert.ok(config.Size < (name === 'gateway' ? 20 : 15) * MB, `${(config.Size / MB).toFixed(1)} MB`);
		assert.equal(config.Config.User, '65532:65532');
		assert.equal(config.Config.StopSignal, 'SIGTERM');
		assert.deepEqual(Object.keys(config.Config.ExposedPorts), ['8080/tcp']);
		assert.ok(config.Config.Env.every((line) => !/SECRET|PASSWORD|_KEY=|_URL=/.test(line)), config.Config.Env.join());

		const all = files(await mounted(image));
		const shells = all.filter(({ name: file }) => /\/(sh|bash|dash|busybox|apt|dpkg|perl|python3?)$/.test(file)).map(({ name: file }) => file);
		assert.deepEqual(shells, name === 'gateway' ? ['/bin/busybox', '/bin/sh'] : []);
		for (const { name: file, mode, link } of all) {
			assert.equal(mode & 0o6000, 0, `${file} is setuid or setgid`);
			assert.ok((mode & 0o002) === 0 || link !== null, `${file} may be written by anybody`);
		}
	});

for (const name of FUNCTIONS)
	test(`${name}: has every library and symbol that it may need`, async () => {
		const folder = await mounted(imageOf(name));
		const tools = readdirSync(folder).includes('tools') ? readdirSync(path.join(folder, 'tools')) : [];
		for (const program of [`/app/${name}`, ...tools.map((tool) => `/tools/${tool}`), '/usr/bin/supervisor', '/usr/sbin/lighttpd']) {
			const list = execFileSync('chroot', [folder, '/lib64/ld-linux-x86-64.so.2', '--list', program], { encoding: 'utf8' });
			assert.doesNotMatch(list, /not found/, program);
		}
		const described = await start(name, { entrypoint: `/app/${name}`, command: ['--describe'], env: { LD_BIND_NOW: '1' } });
		assert.equal(await described.ended(), 0, await described.logs());
		assert.deepEqual(JSON.parse(await described.logs()), functions.find(({ binary }) => binary === name));
	});

test('the SBOM is SPDX, and names the package of every file that is not ours', async () => {
	for (const name of IMAGES) {
		const folder = await mounted(imageOf(name));
		const document = JSON.parse(readFileSync(path.join(folder, 'sbom.spdx.json'), 'utf8'));
		assert.equal(document.spdxVersion, 'SPDX-2.3');
		assert.equal(document.dataLicense, 'CC0-1.0');
		assert.equal(document.SPDXID, 'SPDXRef-DOCUMENT');
		assert.match(document.documentNamespace, /^https:\/\/[^#\s]+$/);
		assert.match(document.creationInfo.created, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
		assert.ok(document.creationInfo.creators.every((who) => /^(Tool|Person|Organization): ./.test(who)));
		const ids = document.packages.map(({ SPDXID }) => SPDXID);
		assert.equal(new Set(ids).size, ids.length);
		for (const { SPDXID, name: called, versionInfo, downloadLocation, externalRefs } of document.packages) {
			assert.match(SPDXID, /^SPDXRef-[A-Za-z0-9.-]+$/);
			assert.ok(called && downloadLocation);
			if (SPDXID !== 'SPDXRef-Souk') {
				assert.match(versionInfo, /\d/, called);
				assert.match(externalRefs[0].referenceLocator, /^pkg:deb\/debian\/[a-z0-9.+%-]+@\S+\?arch=\w+/);
			}
		}
		for (const { spdxElementId, relatedSpdxElement } of document.relationships)
			for (const id of [spdxElementId, relatedSpdxElement])
				assert.ok(id === 'SPDXRef-DOCUMENT' || ids.includes(id), id);

		const named = new Set(document.packages.map(({ name: called }) => called));
		const debian = files(folder).filter(({ name: file, folder: isFolder, link }) =>
			!isFolder && link === null && !OURS.test(file) && !EMPTY.test(file)).map(({ name: file }) => file);
		assert.ok(debian.length > 10, debian.join());
		for (const [file, owner] of await ownersOf(debian))
			assert.ok(named.has(owner), `${name}: ${file} is of ${owner}, which the SBOM does not name`);
	}
});

/* By the packages of the Debian that they were taken from, which is not this machine.
 * A file may have its name with /usr in front or without. */
async function ownersOf(list) {
	const from = await podman('build', '--quiet', '--layers', '--network=host', '--pull=never', '--timestamp=0',
		'--file', path.join(root, 'deploy/container/Dockerfile'), '--target=build',
		'--build-arg', `BASE=${process.env.BASE ?? 'localhost/souk/debian:12'}`, root);
	const packages = path.join(await mounted(from), 'var/lib/dpkg');
	const spellings = list.flatMap((file) => [file, `/usr${file}`, file.replace(/^\/usr/, '')]);
	const { stdout } = spawnSync('dpkg', ['--admindir', packages, '-S', ...new Set(spellings)], { encoding: 'utf8' });
	const owners = new Map(stdout.split('\n').filter((line) => /^[^ ]+: \//.test(line))
	    .map((line) => [line.slice(line.indexOf(': ') + 2), line.replace(/[:,].*/, '')]));
	/* Made when that was installed. */
	owners.set('/etc/ssl/certs/ca-certificates.crt', 'ca-certificates');
	return list.map((file) => [file, owners.get(file) ?? owners.get(`/usr${file}`) ?? owners.get(file.replace(/^\/usr/, ''))]);
}

test('compiled once more from the same sources, it is the same image', async () => {
	const [first] = JSON.parse(await podman('image', 'inspect', imageOf('orders-place')));
	execFileSync('podman', ['build', '--quiet', '--layers', '--network=host', '--pull=never', '--timestamp=0',
		'--file', 'deploy/container/Dockerfile', '--target=function', '--tag=localhost/souk/orders-place:again',
		'--build-arg', `BASE=${process.env.BASE ?? 'localhost/souk/debian:12'}`,
		'--build-arg', `AGAIN=${Date.now()}`, '--build-arg', 'FUNCTION=orders-place', '.'], { cwd: root });
	const [second] = JSON.parse(await podman('image', 'inspect', 'localhost/souk/orders-place:again'));
	assert.equal(second.Digest, first.Digest);
	await podman('rmi', 'localhost/souk/orders-place:again');
});
