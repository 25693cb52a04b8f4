/*
 * The shop keeps an admin.
 */
import { test } from 'node:test';
import { admin, customer, newAdmin, PASSWORD } from '../lib/shop.mjs';
import { run } from '../lib/sql.mjs';

const PATH = '/api/users/profile';

test('the last admin cannot be erased, however many customers there are', async () => {
	const boss = await admin();
	await customer();
	await run`UPDATE users.account SET role = 'customer' WHERE role = 'admin' AND id <> ${boss.id}`;
	await boss.refuse(409, 'last_admin', 'DELETE', PATH, { json: { password: boss.password } });
	await boss.get(PATH);
});

test('a deactivated admin is none', async () => {
	const boss = await admin();
	await newAdmin();
	await run`UPDATE users.account SET is_active = false WHERE role = 'admin' AND id <> ${boss.id}`;
	await boss.refuse(409, 'last_admin', 'DELETE', PATH, { json: { password: boss.password } });
});

test('one among others may go', async () => {
	await (await newAdmin()).call('DELETE', PATH, { json: { password: PASSWORD }, expect: 200 });
});
