/* Certificates of an authority of the tests' own, in a directory that it makes. */
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const key = (file) => ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', file];
let serial = 0;

/* A function that makes <name>.pem and <name>.key, for a host or an address. */
export async function authority(directory) {
	const at = (file) => join(directory, file);

	mkdirSync(directory);
	await run('openssl', ['req', '-x509', ...key(at('ca.key')), '-days', '30', '-out', at('ca.pem'),
		'-subj', '/CN=An authority of the tests']);
	const certify = async (name, host, { days = 20 } = {}) => {
		writeFileSync(at(`${name}.ext`), `subjectAltName=${/^[\d.]+$/.test(host) ? 'IP' : 'DNS'}:${host}\n`);
		await run('openssl', ['req', ...key(at(`${name}.key`)), '-out', at(`${name}.csr`), '-subj', `/CN=${name}`]);
		await run('openssl', ['x509', '-req', '-in', at(`${name}.csr`), '-CA', at('ca.pem'), '-CAkey', at('ca.key'),
			'-set_serial', String(++serial), '-days', String(days), '-out', at(`${name}.pem`), '-extfile', at(`${name}.ext`)]);
	};
	certify.ca = readFileSync(at('ca.pem'));
	return certify;
}
