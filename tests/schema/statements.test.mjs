/* Every statement of every function fits the schema, as the role it runs as. */
import { execFileSync } from 'node:child_process';
import test from 'node:test';

test('every declared statement can be prepared', () => {
	const api = process.env.API_JSON ?? `${process.env.B ?? 'build'}/api.json`;
	execFileSync('tests/check-sql', [api], { stdio: ['ignore', 'ignore', 'inherit'] });
});
