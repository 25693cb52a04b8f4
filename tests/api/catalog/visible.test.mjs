/*
 * Whoever begins to read after a write was answered reads what was written,
 * whatever caches there are: 32 readers, all the while.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { call, newAddress } from '../../lib/client.mjs';
import { category, customer, newAdmin, product, review, seller } from '../../lib/shop.mjs';

const READERS = 32;
const WRITES = 12;

/*
 * Each kind of read: its path, and the number of the write that it shows.  A
 * write answered as number n sets `answered` to n; a reader notes it before it
 * asks, and must not be shown less.
 */
async function watch(reads, write) {
	let answered = 0;
	let done = false;
	let seen = 0;
	const reader = async (i) => {
		const [path, shown] = reads[i % reads.length];
		let address = newAddress();
		for (let n = 1; !done; n++) {
			const least = answered;
			const { json } = await call('GET', path, { address, expect: 200 });
			const found = shown(json);
			assert.ok(found >= least, `${path} shows write ${found} after ${least} was answered`);
			seen++;
			if (n % 200 === 0)
				address = newAddress();
		}
	};
	const readers = Array.from({ length: READERS }, (_, i) => reader(i));

	try {
		for (let n = 1; n <= WRITES; n++) {
			await write(n);
			answered = n;
			/* With every write some read it while nothing else changes. */
			for (const [path, shown] of reads)
				assert.equal(shown((await call('GET', path, { expect: 200 })).json), n, path);
		}
	} finally {
		done = true;
		await Promise.all(readers);
	}
	assert.ok(seen > READERS);
}

test('products: in lists, alone and in bulk', async () => {
	const owner = await seller();
	const lamp = await product(owner, { name: 'Version 0', stock_quantity: 0 });
	const version = ({ name }) => Number(name.split(' ')[1]);
	await watch([
		[`/api/products?seller=${owner.id}`, ({ products }) => version(products[0])],
		[`/api/products/${lamp.id}`, version],
		[`/api/products/bulk?ids=${lamp.id}`, ([found]) => version(found)],
	], (n) => owner.call('PUT', `/api/products/${lamp.id}`, { json: { name: `Version ${n}` }, expect: 200 }));
});

test('stock', async () => {
	const owner = await seller();
	const lamp = await product(owner, { stock_quantity: 0 });
	const version = (found) => found.stock_quantity;
	await watch([
		[`/api/products?seller=${owner.id}`, ({ products }) => version(products[0])],
		[`/api/products/${lamp.id}`, version],
		[`/api/products/bulk?ids=${lamp.id}`, ([found]) => version(found)],
	], () => owner.call('POST', `/api/products/${lamp.id}/stock`, { json: { change: 1, reason: 'delivery' }, expect: 200 }));
});

test('categories: in their list, and by name in products', async () => {
	const [boss, owner] = [await newAdmin(), await seller()];
	const shelf = await category(boss, { name: 'Shelf 0' });
	const lamp = await product(owner, { category_id: shelf.id });
	const version = (name) => Number(name.split(' ')[1]);
	await watch([
		['/api/categories', (all) => version(all.find(({ id }) => id === shelf.id).name)],
		[`/api/products/${lamp.id}`, (found) => version(found.category_name)],
		[`/api/products?seller=${owner.id}`, ({ products }) => version(products[0].category_name)],
	], (n) => boss.call('PUT', `/api/categories/${shelf.id}`, { json: { name: `Shelf ${n}` }, expect: 200 }));
});

test('reviews: in their list, and counted in products', async () => {
	const owner = await seller();
	const lamp = await product(owner);
	const people = await Promise.all(Array.from({ length: WRITES }, () => customer()));
	await watch([
		[`/api/products/${lamp.id}/reviews`, ({ pagination }) => pagination.total],
		[`/api/products/${lamp.id}`, (found) => found.rating_count],
		[`/api/products?seller=${owner.id}`, ({ products }) => products[0].rating_count],
	], (n) => review(people[n - 1], lamp.id));
});
