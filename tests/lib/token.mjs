/*
 * Access tokens made by hand: right, wrong and forged.
 */
import { createHmac, createSign, generateKeyPairSync, randomUUID } from 'node:crypto';
import { signingKey } from './env.mjs';

const base64url = (what) => Buffer.from(typeof what === 'string' ? what : JSON.stringify(what)).toString('base64url');

export function decode(token) {
	const [header, claims] = token.split('.').slice(0, 2).map(
	    (part) => JSON.parse(Buffer.from(part, 'base64url').toString('utf8')));
	return { header, claims };
}

export function sign(header, claims, pem = signingKey().pem) {
	const text = `${base64url(header)}.${base64url(claims)}`;
	const signature = createSign('SHA256').update(text).sign({ key: pem, dsaEncoding: 'ieee-p1363' });
	return `${text}.${signature.toString('base64url')}`;
}

/* The same token for ever, whoever's clock is wrong. */
export function lasting(token) {
	const { header, claims } = decode(token);
	return sign(header, { ...claims, iat: claims.iat - 24 * 3600, exp: claims.iat + 365 * 24 * 3600 });
}

export function hmac(header, claims, secret) {
	const text = `${base64url(header)}.${base64url(claims)}`;
	return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
}

export function unsigned(header, claims) {
	return `${base64url(header)}.${base64url(claims)}.`;
}

export function strangersKey() {
	return generateKeyPairSync('ec', { namedCurve: 'P-256' })
	    .privateKey.export({ type: 'pkcs8', format: 'pem' });
}

/* Every way of being wrong that a genuine token can be turned into. */
export function forgeries(genuine, publicPem) {
	const { header, claims } = decode(genuine);
	const now = Math.floor(Date.now() / 1000);
	const parts = genuine.split('.');
	const flipped = Buffer.from(parts[2], 'base64url');

	flipped[10] ^= 1;
	return {
		'not a token': 'not-a-token',
		'two dots only': '..',
		'empty signature': `${parts[0]}.${parts[1]}.`,
		'no signature part': `${parts[0]}.${parts[1]}`,
		'four parts': `${genuine}.x`,
		'a changed signature': `${parts[0]}.${parts[1]}.${flipped.toString('base64url')}`,
		'changed claims': `${parts[0]}.${base64url({ ...claims, role: 'admin', jti: 'another' })}.${parts[2]}`,
		'alg none': unsigned({ ...header, alg: 'none' }, claims),
		'alg nOnE': unsigned({ ...header, alg: 'nOnE' }, claims),
		'alg none with the old signature': `${base64url({ ...header, alg: 'none' })}.${parts[1]}.${parts[2]}`,
		'HMAC with the public key': hmac({ ...header, alg: 'HS256' }, claims, publicPem),
		'HMAC with an empty key': hmac({ ...header, alg: 'HS256' }, claims, ''),
		'another algorithm named': sign({ ...header, alg: 'ES384' }, claims),
		"a stranger's key": sign(header, claims, strangersKey()),
		'an unknown kid': sign({ ...header, kid: 'nobody' }, claims),
		'a kid with a path': sign({ ...header, kid: `../public/${header.kid}` }, claims),
		'no kid': sign({ alg: header.alg, typ: 'JWT' }, claims),
		'expired': sign(header, { ...claims, iat: now - 3600, exp: now - 1800 }),
		'no exp': sign(header, { ...claims, exp: undefined }),
		'exp as text': sign(header, { ...claims, exp: String(now + 900) }),
		'wrong issuer': sign(header, { ...claims, iss: 'https://elsewhere.example' }),
		'no issuer': sign(header, { ...claims, iss: undefined }),
		'wrong audience': sign(header, { ...claims, aud: 'another-shop' }),
		'no audience': sign(header, { ...claims, aud: undefined }),
		'claims that are no object': sign(header, 'text'),
		'a session that never was': sign(header, { ...claims, sid: randomUUID() }),
	};
}
