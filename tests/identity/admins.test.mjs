/*
 * The shop keeps an admin.
 */
import { test } from 'node:test';
import { call } from '../lib/client.mjs';
import { admin, customer, login, PASSWORD } from '../lib/shop.mjs';
import { run } from '../lib/sql.mjs';

const PATH = '/api/users/profile';

/* A second admin, whom only the database makes. */
async function another() {
	const who = await customer();
	await run`UPDATE users.account SET role = 'admin' WHERE id = ${who.id}`;
	return (await login(who.email, PASSWORD)).accessToken;
}

test('the last admin cannot be erased, however many customers there are', async () => {
	const boss = await admin();
	await customer();
	await run`UPDATE users.account SET role = 'customer' WHERE role = 'admin' AND id <> ${boss.id}`;
	await boss.refuse(409, 'last_admin', 'DELETE', PATH, { json: { password: boss.password } });
	await boss.get(PATH);
});

test('a deactivated admin is none', async () => {
	const boss = await admin();
	await another();
	await run`UPDATE users.account SET is_active = false WHERE role = 'admin' AND id <> ${boss.id}`;
	await boss.refuse(409, 'last_admin', 'DELETE', PATH, { json: { password: boss.password } });
});

test('one among others may go', async () => {
	await call('DELETE', PATH, { token: await another(), json: { password: PASSWORD }, expect: 200 });
});
