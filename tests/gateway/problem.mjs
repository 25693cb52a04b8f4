import assert from 'node:assert/strict';

/* Whoever made it, function or lighttpd, a refusal has one shape. */
export function assertProblem({ status, headers, body }, expected, code) {
	assert.equal(status, expected);
	assert.match(headers['content-type'] ?? '', /^application\/problem\+json(;|$)/);
	const problem = JSON.parse(body);
	assert.equal(problem.status, expected);
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
