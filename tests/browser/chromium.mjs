/* A browser of the test's own, that talks to nobody but whom it is sent to. */
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import puppeteer from 'puppeteer-core';

function find() {
	for (const path of ['/usr/bin/chromium', '/usr/bin/chromium-browser'])
		try {
			accessSync(path, constants.X_OK);
			return path;
		} catch { /* the other, then */ }
	throw new Error('there is no chromium: run deploy/local/install test');
}

export async function startBrowser() {
	const data = mkdtempSync(join(tmpdir(), 'souk-browser-'));
	const browser = await puppeteer.launch({
		executablePath: find(),
		userDataDir: data,
		headless: true,
		args: ['--headless', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
			'--disable-component-update', '--disable-sync', '--disable-dev-shm-usage', '--no-proxy-server',
			/* It refuses to be root's otherwise. */
			...process.getuid() === 0 ? ['--no-sandbox'] : []],
	});
	return {
		newPage: () => browser.newPage(),
		async close() {
			await browser.close();
			rmSync(data, { recursive: true, force: true });
		},
	};
}
