import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { before, test } from 'node:test';
import { refusesBadBodies, refusesBadTokens } from '../../lib/bad.mjs';
import { call, refuse, refuseFields } from '../../lib/client.mjs';
import { assertMembers, assertPagination, assertReview, customer, lines, newAdmin, pay, place, product, review, seller } from '../../lib/shop.mjs';
import { rows } from '../../lib/sql.mjs';
import { parallel } from '../../lib/wait.mjs';

let owner;
let boss;
let author;
let lamp;
let written;	/* by author, on lamp */
const at = (id = lamp.id) => `/api/products/${id}/reviews`;
const its = (found = written) => `${at(found.product_id)}/${found.id}`;
const list = async (id, query = '') => (await call('GET', `${at(id)}${query}`, { expect: 200 })).json;
const audited = async (target) => (await boss.get(`/api/admin/audit?target=${target}`)).entries.reverse()
    .map(({ actor_id: actor, action, after }) => [actor, action, after]);
const rating = async (id) => {
	const { rating_average: average, rating_count: count } = (await call('GET', `/api/products/${id}`, { expect: 200 })).json;
	return [average, count];
};

before(async () => {
	[owner, boss, author] = [await seller(), await newAdmin(), await customer()];
	lamp = await product(owner);
	written = await review(author, lamp.id, { rating: 4 });
});

test('a review is seen by everybody, and counts', async () => {
	const kettle = await product(owner);
	assert.deepEqual(await rating(kettle.id), ['0.00', 0]);
	assert.deepEqual((await list(kettle.id)).reviews, []);
	const { json } = await author.call('POST', at(kettle.id),
	    { json: { rating: 5, title: 'Très bien 🐪', comment: 'a\nb' }, expect: 201 });

	assertReview(json);
	assert.deepEqual([json.product_id, json.user_id, json.rating, json.title, json.comment, json.is_verified_purchase, json.is_hidden],
	    [kettle.id, author.id, 5, 'Très bien 🐪', 'a\nb', false, false]);
	const answer = await list(kettle.id);
	assertMembers(answer, ['reviews', 'pagination']);
	assertPagination(answer.pagination);
	assert.deepEqual(answer.reviews, [json]);
	await (await customer()).call('POST', at(kettle.id), { json: { rating: 2 }, expect: 201 });
	assert.deepEqual(await rating(kettle.id), ['3.50', 2]);
	const [bare] = (await list(kettle.id)).reviews;
	assert.deepEqual([bare.title, bare.comment], [null, null]);
});

test('one by a user of a product, also of many at once', async () => {
	const kettle = await product(owner);
	const who = await customer();
	const answers = await Promise.all(Array.from({ length: 16 }, () => who.call('POST', at(kettle.id), { json: { rating: 3 } })));
	assert.deepEqual(answers.map(({ status }) => status).sort(), [201, ...Array(15).fill(409)]);
	assert.deepEqual(await rating(kettle.id), ['3.00', 1]);
	await who.refuse(409, 'review_exists', 'POST', at(kettle.id), { json: { rating: 1 } });
});

test('a purchase is verified when it is paid, and only for its buyer', async () => {
	const [buyer, other] = [await customer(), await customer()];
	const [kettle, cup] = [await product(owner), await product(owner)];
	const placed = await place(buyer, lines([kettle.id, 1]));
	assert.equal((await review(buyer, kettle.id)).is_verified_purchase, false, 'not paid');
	const [mine] = (await list(kettle.id)).reviews;
	await pay(buyer, placed);
	const { json: edited } = await buyer.call('PUT', its(mine), { json: {}, expect: 200 });
	assert.equal(edited.is_verified_purchase, true, 'edited after paying');
	assert.equal((await review(buyer, cup.id)).is_verified_purchase, false, 'another product');
	assert.equal((await review(other, kettle.id)).is_verified_purchase, false, 'another buyer');
	const saucer = await product(owner);
	await pay(buyer, await place(buyer, lines([saucer.id, 1], [cup.id, 1])));
	assert.equal((await review(buyer, saucer.id)).is_verified_purchase, true);
});

test('nobody reviews what they sell, and sellers may review others\'', async () => {
	await owner.refuse(403, 'forbidden', 'POST', at(), { json: { rating: 5 } });
	await review(await seller(), lamp.id);
});

test('a rating is from 1 to 5', async () => {
	const bad = (fields, json) => author.refuseFields(fields, 'POST', at(), { json });
	for (const value of [0, 6, -1, 4.5, '5', null, true, 1e30])
		await bad(['rating'], { rating: value });
	await bad(['rating'], {});
	await bad(['rating', 'title', 'comment'], { rating: 'five', title: 'x'.repeat(201), comment: 'x'.repeat(5001) });
	await bad(['is_verified_purchase', 'is_hidden', 'user_id', 'product_id'],
	    { rating: 5, is_verified_purchase: true, is_hidden: false, user_id: 1, product_id: 1 });
});

test('what does not exist cannot be reviewed', async () => {
	for (const id of [999999999999, 'abc', 0]) {
		await author.refuse(404, 'not_found', 'POST', at(id), { json: { rating: 5 } });
		await refuse(404, 'not_found', 'GET', at(id));
	}
});

test('an author changes their own, and nobody else does', async () => {
	const kettle = await product(owner);
	const mine = await review(author, kettle.id, { rating: 1, title: 'Bad', comment: 'Leaks' });
	const change = async (json) => (await author.call('PUT', its(mine), { json, expect: 200 })).json;
	const better = await change({ rating: 5 });
	assertReview(better);
	assert.deepEqual([better.rating, better.title, better.comment], [5, 'Bad', 'Leaks']);
	assert.deepEqual(await rating(kettle.id), ['5.00', 1]);
	assert.deepEqual((await list(kettle.id)).reviews, [better]);
	assert.deepEqual((({ title, comment }) => [title, comment])(await change({ title: null, comment: 'Holds' })), [null, 'Holds']);
	await author.refuseFields(['rating'], 'PUT', its(mine), { json: { rating: null } });
	await author.refuseFields(['rating', 'product_id'], 'PUT', its(mine), { json: { rating: 9, product_id: 1 } });
	for (const who of [await customer(), owner, boss])
		await who.refuse(404, 'not_found', 'PUT', its(mine), { json: { rating: 1 } });
	await author.refuse(404, 'not_found', 'PUT', `${at()}/${mine.id}`, { json: { rating: 1 } });
	await author.refuse(404, 'not_found', 'PUT', `${at(kettle.id)}/999999999999`, { json: { rating: 1 } });
	await author.refuse(404, 'not_found', 'PUT', `${at(kettle.id)}/abc`, { json: { rating: 1 } });
});

test('an author, or an admin, takes a review back', async () => {
	const kettle = await product(owner);
	const mine = await review(author, kettle.id, { rating: 1 });
	for (const who of [await customer(), owner])
		await who.refuse(404, 'not_found', 'DELETE', its(mine));
	await author.refuse(404, 'not_found', 'DELETE', `${at()}/${mine.id}`);
	assertMembers((await author.call('DELETE', its(mine), { expect: 200 })).json, ['message']);
	assert.deepEqual(await rating(kettle.id), ['0.00', 0]);
	assert.deepEqual((await list(kettle.id)).reviews, []);
	await author.refuse(404, 'not_found', 'DELETE', its(mine));
	const again = await review(author, kettle.id);
	await boss.call('DELETE', its(again), { expect: 200 });
	assert.deepEqual((await list(kettle.id)).reviews, []);
});

test('an admin hides a review: it is neither seen nor counted, and stays one', async () => {
	const kettle = await product(owner);
	const mine = await review(author, kettle.id, { rating: 1 });
	await review(await customer(), kettle.id, { rating: 5 });
	const moderate = async (json) => (await boss.call('PUT', `${its(mine)}/moderation`, { json, expect: 200 })).json;

	const hidden = await moderate({ is_hidden: true, reason: 'advertising' });
	assertReview(hidden);
	assert.equal(hidden.is_hidden, true);
	assert.deepEqual(await rating(kettle.id), ['5.00', 1]);
	const seen = await list(kettle.id);
	assert.equal(seen.pagination.total, 1);
	assert.ok(seen.reviews.every(({ id }) => id !== mine.id));
	assert.equal((await boss.get(at(kettle.id))).pagination.total, 2);
	assert.deepEqual(await audited(`review:${mine.id}`), [[boss.id, 'review.hidden', { reason: 'advertising' }]]);
	/* Not to be written anew in its place. */
	await author.refuse(404, 'not_found', 'DELETE', its(mine));
	await author.refuse(409, 'review_exists', 'POST', at(kettle.id), { json: { rating: 1 } });
	await author.call('PUT', its(mine), { json: { rating: 2 }, expect: 200 });
	assert.deepEqual(await rating(kettle.id), ['5.00', 1]);

	assert.equal((await moderate({ is_hidden: false })).is_hidden, false);
	assert.deepEqual(await rating(kettle.id), ['3.50', 2]);
	await moderate({ is_hidden: true });
	await boss.call('DELETE', its(mine), { expect: 200 });
	assert.deepEqual(await rating(kettle.id), ['5.00', 1]);
	assert.deepEqual((await audited(`review:${mine.id}`)).map(([, action]) => action),
	    ['review.hidden', 'review.shown', 'review.hidden', 'review.deleted']);

	for (const who of [author, owner])
		await who.refuse(403, 'forbidden', 'PUT', `${its()}/moderation`, { json: { is_hidden: true } });
	await boss.refuse(404, 'not_found', 'PUT', `${at()}/999999999999/moderation`, { json: { is_hidden: true } });
	await boss.refuseFields(['is_hidden', 'reason', 'rating'], 'PUT', `${its()}/moderation`,
	    { json: { is_hidden: 'yes', reason: 5, rating: 1 } });
	await boss.refuseFields(['is_hidden'], 'PUT', `${its()}/moderation`, { json: { is_hidden: null } });
});

test('who is erased takes their reviews along; until then they can have a copy', async () => {
	const who = await customer();
	const kettle = await product(owner);
	const mine = await review(who, kettle.id, { rating: 1 });
	assert.deepEqual((await who.get('/api/users/export')).catalog.reviews, [mine]);
	await list(kettle.id);
	await who.call('DELETE', '/api/users/profile', { json: { password: who.password }, expect: 200 });
	assert.deepEqual((await list(kettle.id)).reviews, []);
	assert.deepEqual(await rating(kettle.id), ['0.00', 0]);
});

test('newest first, by page and by cursor', async () => {
	const kettle = await product(owner);
	const authors = await Promise.all(Array.from({ length: 9 }, () => customer()));
	const made = [];
	for (const who of authors)
		made.push((await review(who, kettle.id, { rating: randomInt(1, 6) })).id);
	made.reverse();
	assert.deepEqual((await list(kettle.id)).reviews.map(({ id }) => id), made);
	const met = [];
	let cursor = '';
	do {
		const answer = await list(kettle.id, `?limit=4${cursor && `&cursor=${cursor}`}`);
		assert.equal(answer.pagination.total, 9);
		met.push(...answer.reviews.map(({ id }) => id));
		cursor = answer.pagination.next_cursor;
	} while (cursor !== null);
	assert.deepEqual(met, made);
	assert.deepEqual((await list(kettle.id, '?limit=4&page=3')).reviews.map(({ id }) => id), made.slice(8));
	await refuseFields(['page', 'limit', 'cursor'], 'GET', `${at()}?page=0&limit=1000&cursor=x`);
	await refuse(400, 'malformed_request', 'GET', `${at()}?page=%zz`);
});

test('the list is cached for all but admins', async () => {
	let hit;
	for (let i = 0; i < 200 && hit?.headers['x-cache'] !== 'HIT'; i++)
		hit = await call('GET', at(), { expect: 200 });
	assert.equal(hit.headers['x-cache'], 'HIT');
	assert.match(hit.headers['cache-control'], /\bpublic\b/);
	await call('GET', at(), { headers: { 'If-None-Match': hit.headers.etag }, expect: 304 });
	assert.match((await boss.call('GET', at(), { expect: 200 })).headers['cache-control'], /\bno-store\b/);
});

test('64 who write, edit, hide and delete at once leave the right average', async () => {
	const kettle = await product(owner);
	const people = await parallel(8, Array.from({ length: 64 }, () => () => customer()));
	await Promise.all(people.map(async (who, i) => {
		let mine = await review(who, kettle.id, { rating: 1 + i % 5 });
		if (i % 2)
			await who.call('PUT', its(mine), { json: { rating: 1 + (i * 7) % 5 }, expect: 200 });
		if (i % 3 === 0) {
			await who.call('DELETE', its(mine), { expect: 200 });
			if (i % 6 === 0)
				mine = await review(who, kettle.id, { rating: 5 });
		} else if (i % 4 === 0) {
			await boss.call('PUT', `${its(mine)}/moderation`, { json: { is_hidden: true }, expect: 200 });
		}
	}));
	const [truth] = await rows`SELECT count(*) AS n, round(avg(rating), 2)::text AS mean FROM catalog.review
	                            WHERE product_id = ${kettle.id} AND hidden_at IS NULL`;
	assert.ok(truth.n > 30 && truth.n < 64, JSON.stringify(truth));
	assert.deepEqual(await rating(kettle.id), [truth.mean, truth.n]);
	assert.equal((await list(kettle.id)).pagination.total, truth.n);
});

refusesBadTokens('POST', () => at(), async () => author, { json: { rating: 5 } });
refusesBadTokens('PUT', () => its(), async () => author, { json: { rating: 5 } });
refusesBadTokens('DELETE', () => its(), async () => author);
refusesBadTokens('PUT', () => `${its()}/moderation`, async () => boss, { json: { is_hidden: true } });
refusesBadBodies('POST', () => at(), () => author.token);
refusesBadBodies('PUT', () => its(), () => author.token);
refusesBadBodies('PUT', () => `${its()}/moderation`, () => boss.token);
