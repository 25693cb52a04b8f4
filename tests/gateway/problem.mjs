import assert from 'node:assert/strict';

/* What lighttpd 1.4.69 answers, and 1.4.79. */
export const EMPTY_LENGTH = [411, 400];
export const OTHER_VERSION = [505, 400];

/* Whoever made it, function or lighttpd, a refusal has one shape; `expected` is its
 * status, or those it may have. */
export function assertProblem({ status, headers, body }, expected, code) {
	assert.ok([expected].flat().includes(status), `${status}, not ${expected}`);
	assert.match(headers['content-type'] ?? '', /^application\/problem\+json(;|$)/);
	const problem = JSON.parse(body);
	assert.equal(problem.status, status);
	assert.equal(problem.type, `/problems/${problem.code}`);
	assert.equal(problem.error, problem.detail);
	assert.equal(typeof problem.title, 'string');
	assert.ok('request_id' in problem);
	if (code !== undefined)
		assert.equal(problem.code, code);
	return problem;
}

export function assertSafeHeaders(headers) {
	assert.equal(headers['x-content-type-options'], 'nosniff');
	assert.equal(headers['x-frame-options'], 'DENY');
	assert.equal(headers['referrer-policy'], 'no-referrer');
	assert.match(headers['content-security-policy'] ?? '', /default-src 'none'/);
	assertNoVersion(headers);
}

export function assertNoVersion(headers) {
	assert.doesNotMatch(headers.server ?? '', /\d/);
	assert.equal(headers['x-powered-by'], undefined);
}
