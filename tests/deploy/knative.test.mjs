/*
 * The manifests, as Kustomize builds them: every overlay and every component,
 * held to what the API server, its definitions' rules and Knative's webhooks
 * would say, to each other, and to what the functions say of themselves.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { rulesOf } from './cel.mjs';
import { blocked, flows } from './flows.mjs';
import { documents, kustomize, root } from './kubectl.mjs';
import { misshapen } from './schema.mjs';
import { refused } from './webhook.mjs';
import { amiss, secretKeysOf, secretsOf, settingsMapsOf, template } from './whole.mjs';

const knative = path.join(root, 'knative');
const scratch = mkdtempSync(path.join(realpathSync(tmpdir()), 'souk-kustomize-'));
after(() => rmSync(scratch, { recursive: true }));

const functions = JSON.parse(readFileSync(process.env.API_JSON, 'utf8')).filter(({ context }) => !context.endsWith('-sim'));
const deployed = functions.filter(({ context }) => context !== 'gateway');
const isScheduled = ({ endpoints }) => endpoints.some(({ every_s: every }) => every > 0);
const kebab = ({ binary }) => binary.replaceAll('_', '-');

/* A shop of one's own, of these parts of knative/. */
function build(resources, components) {
	const folder = mkdtempSync(path.join(scratch, 'shop-'));
	const list = (key, names) => (names.length === 0 ? '' : `${key}:\n${names.map((name) => `  - ${path.relative(folder, path.join(knative, name))}\n`).join('')}`);
	writeFileSync(path.join(folder, 'kustomization.yaml'), `apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: souk
${list('resources', resources)}${list('components', components.map((name) => `components/${name}`))}`);
	return kustomize(folder);
}

const WITH_JOBS = ['base', 'base/cron'];
const shops = {
	'overlays/dev': () => kustomize(path.join(knative, 'overlays/dev')),
	'overlays/production': () => kustomize(path.join(knative, 'overlays/production')),
	'base alone': () => build(['base'], []),
	'base and cron': () => build(WITH_JOBS, []),
	...Object.fromEntries(['cnpg', 'valkey', 'migrate', 'goods', 'events-kafka', 'httproutes', 'images', 'images-loaded', 'pingsource-cron'].map((name) =>
		[name, () => build(name === 'pingsource-cron' ? ['base'] : WITH_JOBS, [name])])),
	'migrate, roles and simulator': () => build(WITH_JOBS, ['migrate', 'roles', 'simulator']),
	'cnpg, migrate and roles': () => build(WITH_JOBS, ['cnpg', 'migrate', 'roles']),
	'events-kafka and pingsource-cron': () => build(['base'], ['events-kafka', 'pingsource-cron']),
	'everything, with jobs': () => build(WITH_JOBS, ['cnpg', 'valkey', 'migrate', 'roles', 'events-kafka', 'httproutes', 'images']),
	'everything, with pings': () => build(['base'],
	    ['cnpg', 'valkey', 'migrate', 'roles', 'events-kafka', 'pingsource-cron', 'httproutes', 'images']),
};
const built = new Map();

function shop(name) {
	if (!built.has(name))
		built.set(name, shops[name]());
	return built.get(name);
}

let rules = 0;
const known = new Map();

/* Of one document, by everything that looks at one. */
function wrong(document) {
	const shape = misshapen(document);
	/* The others need not look at what no server would take. */
	if (shape.length > 0)
		return shape;
	const found = rulesOf(document);
	rules += found.evaluated;
	return [...found.broken, ...refused(document)];
}

/* Most are the same in every shop. */
function wrongOnce(document) {
	const text = JSON.stringify(document);
	if (!known.has(text))
		known.set(text, wrong(document));
	return known.get(text);
}

for (const name of Object.keys(shops)) {
	test(`${name}: nobody would refuse any of it`, () => {
		const all = shop(name);
		assert.ok(all.length > deployed.length, 'there is a document for each function, and more');
		assert.deepEqual(all.flatMap((document) => wrongOnce(document)
		    .map((what) => `${document.kind} ${document.metadata.name}: ${what}`)), []);
		assert.deepEqual(amiss(all), []);
	});
}

test('rules were looked at', () => {
	assert.ok(rules > 500, `${rules} rules`);
});

/* -- Does each check bite? ------------------------------------------------- */

const everything = () => shop('everything, with pings');
const copy = (value) => structuredClone(value);
const documentOf = (all, kind, name) => all.find((document) => document.kind === kind && document.metadata.name === name &&
	(kind !== 'Service' || document.apiVersion !== 'v1'));
const revision = (document) => document.spec.template;
const container = (document) => revision(document).spec.containers[0];

const SPOILT = [
	['a field is misspelt', 'Service orders-place', (d) => { revision(d).spec.timeoutSecond = 5; }, /timeoutSecond$/],
	['a field of a container is misspelt', 'Service orders-place', (d) => { container(d).readinesProbe = {}; }, /readinesProbe$/],
	['a field is in the wrong place', 'Service orders-place', (d) => { d.spec.containerConcurrency = 4; }, /containerConcurrency$/],
	['a number is text', 'Service orders-place', (d) => { revision(d).spec.timeoutSeconds = '70'; }, /must be integer/],
	['a built-in kind has a misspelt field', 'Deployment gateway', (d) => { d.spec.replica = 2; }, /replica$/],
	['a built-in kind has a number as text', 'Deployment gateway', (d) => { d.spec.replicas = '2'; }, /must be integer/],
	['a built-in kind lacks a field', 'Deployment gateway', (d) => { delete d.spec.selector; }, /required property 'selector'/],
	['a policy has a misspelt field', 'NetworkPolicy data', (d) => { d.spec.egres = []; }, /egres$/],
	['metadata has a misspelt field', 'Service orders-place', (d) => { d.metadata.label = {}; }, /label$/],
	['there is no such version', 'Service orders-place', (d) => { d.apiVersion = 'serving.knative.dev/v1beta1'; }, /no kind/],
	['there is no such group', 'Deployment gateway', (d) => { d.apiVersion = 'app/v1'; }, /no kind/],
	['a Broker\'s delivery is misspelt', 'Broker souk', (d) => { d.spec.delivery.retries = 3; }, /retries$/],
	['an HTTPRoute\'s method is none', 'HTTPRoute souk-1', (d) => { d.spec.rules[0].matches[0].method = 'FETCH'; }, /allowed values/],
	['an HTTPRoute has too many rules', 'HTTPRoute souk-1', (d) => { d.spec.rules.push(d.spec.rules[0]); }, /fewer than|more than 16/],
	['a rule of HTTPRoutes is broken', 'HTTPRoute souk-1', (d) => { d.spec.rules[0].matches[0].path.value = 'api'; }, /absolute path/],
	['a rule of Clusters is broken', 'Cluster souk-postgres', (d) => { d.spec.bootstrap.initdb.builtinLocale = 'C'; }, /localeProvider/],
	['an annotation is misspelt', 'Service orders-place', (d) => { revision(d).metadata.annotations['autoscaling.knative.dev/min-scael'] = '1'; }, /min-scael/],
	['an annotation is in the wrong place', 'Service orders-place', (d) => { d.metadata.annotations = { 'autoscaling.knative.dev/min-scale': '1' }; }, /not known here/],
	['an annotation has no good value', 'Service orders-place', (d) => { revision(d).metadata.annotations['autoscaling.knative.dev/window'] = '5s'; }, /cannot be 5s/],
	['a label has no good value', 'Service orders-place', (d) => { d.metadata.labels['networking.knative.dev/visibility'] = 'cluster'; }, /cannot be cluster/],
	['a Broker\'s class is misspelt', 'Broker souk', (d) => { d.metadata.annotations['eventing.knative.dev/broker.class'] = 'kafka'; }, /cannot be kafka/],
	['more are kept than may be', 'Service orders-place', (d) => { revision(d).metadata.annotations['autoscaling.knative.dev/min-scale'] = '99'; }, /more than max-scale/],
	['too many at once', 'Service orders-place', (d) => { revision(d).spec.containerConcurrency = 1001; }, /containerConcurrency/],
	['a request may take too long', 'Service orders-place', (d) => { revision(d).spec.timeoutSeconds = 601; }, /timeoutSeconds/],
	['the first byte may take longer than all', 'Service orders-place', (d) => { revision(d).spec.responseStartTimeoutSeconds = 300; }, /more than timeoutSeconds/],
	['a port has a name of its own', 'Service orders-place', (d) => { container(d).ports[0].name = 'http'; }, /called http/],
	['a port is reserved', 'Service orders-place', (d) => { container(d).ports[0].containerPort = 8012; }, /8012 is reserved/],
	['there are two ports', 'Service orders-place', (d) => { container(d).ports.push({ containerPort: 8081 }); }, /more than one port/],
	['a variable is reserved', 'Service orders-place', (d) => { container(d).env.push({ name: 'PORT', value: '1' }); }, /PORT is reserved/],
	['a mount is reserved', 'Service orders-place', (d) => { container(d).volumeMounts[0].mountPath = '/tmp/'; }, /tmp\/ is reserved/],
	['a volume is missing', 'Service orders-place', (d) => { container(d).volumeMounts[0].name = 'rnu'; }, /no volume rnu.*nobody mounts|no volume rnu/],
	['a volume is nobody\'s', 'Service orders-place', (d) => { revision(d).spec.volumes.push({ name: 'more', emptyDir: {} }); }, /nobody mounts/],
	['a volume is of the host', 'Service orders-place', (d) => { revision(d).spec.volumes[0] = { name: 'run', hostPath: { path: '/run' } }; }, /feature flag/],
	['there is an init container', 'Service orders-place', (d) => { revision(d).spec.initContainers = [{ image: 'a' }]; }, /feature flag/],
	['a pod has a security context', 'Service orders-place', (d) => { revision(d).spec.securityContext = { runAsUser: 1 }; }, /feature flag/],
	['a container has a lifecycle', 'Service orders-place', (d) => { container(d).lifecycle = {}; }, /lifecycle$/],
	['a capability is in small letters', 'Service orders-place', (d) => { container(d).securityContext.capabilities.drop = ['all']; }, /not spelt all/],
	['a probe says two ways', 'Service orders-place', (d) => { container(d).livenessProbe.tcpSocket = {}; }, /one way/],
	['a PingSource has no cron schedule', 'PingSource cron-jobs-run', (d) => { d.spec.schedule = '@every 1m'; }, /no schedule/],
	['a CronJob has no cron schedule', 'CronJob cron-jobs-run', (d) => { d.spec.schedule = '61 * * * *'; }, /no schedule/],
	['a PingSource\'s data is not JSON', 'PingSource cron-jobs-run', (d) => { Object.assign(d.spec, { data: '{', contentType: 'application/json' }); }, /not JSON/],
	['a sink is nowhere', 'PingSource cron-jobs-run', (d) => { d.spec.sink = {}; }, /nowhere/],
	['a delay is no duration', 'Broker souk', (d) => { d.spec.delivery.backoffDelay = '1s'; }, /no duration/],
	['a SinkBinding has no subject', 'SinkBinding events', (d) => { delete d.spec.subject.selector; }, /name or a selector/],
];

for (const [what, which, spoil, expected] of SPOILT) {
	test(`it is seen that ${what}`, () => {
		const [kind, name] = which.split(' ');
		const document = copy(documentOf([...everything(), ...shop('everything, with jobs')], kind, name));
		assert.deepEqual(wrong(document), []);
		spoil(document);
		assert.match(wrong(document).join('\n'), expected);
	});
}

const SPOILT_TOGETHER = [
	['the same is there twice', (all) => all.push(copy(all[0])), /there twice/],
	['a name is none', (all) => { all[1].metadata.name = 'Name_'; }, /the name is none/],
	['something has no namespace', (all) => { delete documentOf(all, 'Deployment', 'gateway').metadata.namespace; }, /no namespace/],
	['a label is none', (all) => { documentOf(all, 'Deployment', 'gateway').metadata.labels.a = '/b'; }, /is no label/],
	['a policy is of no type', (all) => { documentOf(all, 'NetworkPolicy', 'data').spec.policyTypes = ['Egres']; }, /policyTypes cannot be Egres/],
	['settings are misnamed', (all) => { container(documentOf(all, 'Service', 'orders-place')).envFrom[0].configMapRef.name = 'souk-setting'; }, /no ConfigMap souk-setting/],
	['an account is missing', (all) => { revision(documentOf(all, 'Deployment', 'gateway')).spec.serviceAccountName = 'gateway'; }, /no ServiceAccount/],
	['a mount of an init container has no volume', (all) => { revision(documentOf(all, 'Job', 'migrate')).spec.initContainers[0].volumeMounts = [{ name: 'rnu', mountPath: '/run' }]; }, /no volume rnu/],
	['a mount has no volume', (all) => { container(documentOf(all, 'Deployment', 'gateway')).volumeMounts[0].name = 'rnu'; }, /no volume rnu/],
	['a sink is misnamed', (all) => { documentOf(all, 'PingSource', 'cron-jobs-run').spec.sink.ref.name = 'ping'; }, /no Service ping/],
	['a route goes nowhere', (all) => { documentOf(all, 'HTTPRoute', 'souk-1').spec.rules[0].backendRefs[0].name = 'local'; }, /no Service local/],
	['a Gateway is misnamed', (all) => { documentOf(all, 'HTTPRoute', 'souk-1').spec.parentRefs[0].name = 'suok'; }, /no Gateway suok/],
	['a Pooler has no cluster', (all) => { documentOf(all, 'Pooler', 'souk-pooler').spec.cluster.name = 'souk'; }, /no Cluster souk/],
	['a Service selects nobody', (all) => { all.find(({ apiVersion, metadata }) => apiVersion === 'v1' && metadata.name === 'souk-valkey').spec.selector.a = 'b'; }, /selects nobody/],
	['a Service\'s port is nobody\'s', (all) => { all.find(({ apiVersion, metadata }) => apiVersion === 'v1' && metadata.name === 'pings').spec.ports[0].targetPort = 'ping'; }, /nobody listens at ping/],
	['a policy is for nobody', (all) => { documentOf(all, 'NetworkPolicy', 'outside').spec.podSelector.matchExpressions[0].values = ['order']; }, /selects nobody/],
	['a budget is for nobody', (all) => { documentOf(all, 'PodDisruptionBudget', 'gateway').spec.selector.matchLabels.a = 'b'; }, /selects nobody/],
	['a Deployment does not select its pods', (all) => { documentOf(all, 'Deployment', 'gateway').spec.selector.matchLabels.a = 'b'; }, /its own pods/],
	['a binding is for nobody', (all) => { documentOf(all, 'SinkBinding', 'events').spec.subject.selector.matchLabels = { a: 'b' }; }, /binds nobody/],
	['a pod may be root', (all) => { delete container(documentOf(all, 'Service', 'orders-place')).securityContext.runAsNonRoot; }, /may be root/],
	['a pod may write', (all) => { container(documentOf(all, 'Service', 'orders-place')).securityContext.readOnlyRootFilesystem = false; }, /may write/],
	['a pod has capabilities', (all) => { delete container(documentOf(all, 'Deployment', 'gateway')).securityContext.capabilities; }, /has capabilities/],
	['a pod may gain privileges', (all) => { delete container(documentOf(all, 'Deployment', 'gateway')).securityContext.allowPrivilegeEscalation; }, /gain privileges/],
	['an init container may do anything', (all) => { delete revision(documentOf(all, 'Job', 'migrate')).spec.initContainers[0].securityContext.seccompProfile; }, /any system call/],
	['a pod has no bounds', (all) => { delete container(documentOf(all, 'Deployment', 'gateway')).resources.limits; }, /no bounds/],
	['an image is any', (all) => { container(documentOf(all, 'Deployment', 'gateway')).image = 'gateway:latest'; }, /image of any kind/],
	['a pod has a token', (all) => { delete revision(documentOf(all, 'Service', 'orders-place')).spec.automountServiceAccountToken; }, /token of Kubernetes/],
	['nothing is denied', (all) => { all.splice(all.findIndex(({ metadata }) => metadata.name === 'default-deny'), 1); }, /denies everything/],
];

for (const [what, spoil, expected] of SPOILT_TOGETHER) {
	test(`it is seen that ${what}`, () => {
		const all = copy(everything());
		spoil(all);
		assert.match(amiss(all).join('\n'), expected);
	});
}

test('what is no YAML is not taken', () => {
	assert.throws(() => documents('a: 1\na: 2\n'));
	assert.throws(() => documents('a: [1\n'));
});

/* -- Does it fit the functions? -------------------------------------------- */

const containersOf = (document) => template(document)?.spec.containers ?? [];
const imagesOf = (all) => all.flatMap(containersOf).map(({ image }) => image.replace(/[:@].*$/, '')).filter((image) => image.startsWith('souk/'));
const OTHERS = ['souk/knative-gateway', 'souk/simulator', 'souk/tools'];

test('every function is a Service, or a CronJob where it has a schedule, and nothing else is there', () => {
	const all = shop('base and cron');
	const of = (kind, group) => all.filter(({ apiVersion, kind: other }) => other === kind && apiVersion.startsWith(group))
	    .map(({ metadata }) => metadata.name).sort();
	assert.deepEqual(of('Service', 'serving.'), deployed.filter((f) => !isScheduled(f)).map(kebab).sort());
	assert.deepEqual(of('CronJob', 'batch/'), deployed.filter(isScheduled).map(kebab).sort());
	assert.deepEqual(imagesOf(all).filter((image) => !OTHERS.includes(image)).sort(), deployed.map((f) => `souk/${kebab(f)}`).sort());
	const pinged = shop('pingsource-cron');
	assert.deepEqual(pinged.filter(({ kind }) => kind === 'PingSource').map(({ metadata }) => metadata.name).sort(),
	    deployed.filter(isScheduled).map(kebab).sort());
	assert.equal(pinged.filter(({ kind }) => kind === 'CronJob').length, 0);
});

/* Of a container, by name: what it is told, and by whom. */
function told(all, { env = [], envFrom = [] }) {
	const maps = envFrom.filter(({ configMapRef }) => configMapRef).flatMap(({ configMapRef }) =>
		Object.keys(all.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === configMapRef.name).data ?? {}));
	/* Of what others are made of, that is enough. */
	const parts = env.flatMap(({ value = '' }) => [...value.matchAll(/\$\((\w+)\)/g)].map(([, name]) => name));
	return { own: env.map(({ name }) => name).filter((name) => !parts.includes(name)), maps };
}

for (const name of ['overlays/dev', 'overlays/production', 'everything, with pings']) {
	test(`${name}: a function is told what it cannot do without, and nothing that it does not know`, () => {
		const all = shop(name);
		for (const f of deployed) {
			const document = all.find((each) => containersOf(each).some(({ image }) => image.replace(/[:@].*$/, '').endsWith(`souk/${kebab(f)}`)));
			assert.ok(document, f.binary);
			const { own, maps } = told(all, containersOf(document)[0]);
			const settings = new Map(f.settings.map((setting) => [setting.name, setting]));
			assert.deepEqual([...settings.values()].filter(({ name: each, required }) => required && !own.includes(each)), [], f.binary);
			assert.deepEqual(own.filter((each) => !settings.has(each)), [], f.binary);
			const secrets = [...settings.values()].filter(({ type }) => type === 'secret').map(({ name: each }) => each);
			assert.deepEqual(secrets.filter((each) => maps.includes(each)), [], 'a secret is no setting for all to read');
			const served = document.kind === 'Service';
			assert.deepEqual(secrets.filter((each) => !own.includes(each) && (served || each !== 'SERVICE_TOKEN')), [], f.binary);
		}
	});

	test(`${name}: the gateway is told every secret that its functions know`, () => {
		const { own } = told(shop(name), container(documentOf(shop(name), 'Deployment', 'gateway')));
		const secrets = functions.filter(({ context }) => context === 'gateway').flatMap(({ settings }) => settings)
		    .filter(({ type }) => type === 'secret').map((setting) => setting.name);
		assert.ok(secrets.length > 0);
		assert.deepEqual(secrets.filter((each) => !own.includes(each)), []);
	});

	test(`${name}: what is set is a setting of somebody`, () => {
		const settings = new Set(functions.flatMap((f) => f.settings.map((setting) => setting.name)));
		const conf = ['knative.conf', 'gateway.conf', 'knative-at-start', 'at-start']
		    .map((file) => readFileSync(path.join(root, 'gateway-conf', file), 'utf8')).join('\n');
		for (const { metadata, data } of shop(name).filter(({ kind }) => kind === 'ConfigMap')) {
			for (const key of Object.keys(data ?? {}))
				assert.ok(settings.has(key) || new RegExp(`env\\.${key}\\b|\\$\\{?${key}\\b`).test(conf), `${metadata.name}: ${key}`);
		}
	});
}

test('a Service takes as many at once as it has processes, for longer than any takes', () => {
	const FACTOR = 3;	/* runtime/main.c's, for endpoints that wait */
	for (const f of deployed.filter((each) => !isScheduled(each))) {
		const { spec } = revision(documentOf(shop('base alone'), 'Service', kebab(f)));
		const workers = Number(spec.containers[0].env.find(({ name }) => name === 'FN_WORKERS').value);
		assert.equal(spec.containerConcurrency, workers * (f.endpoints.some(({ waits }) => waits) ? FACTOR : 1), f.binary);
		assert.ok(spec.timeoutSeconds >= 60 && spec.timeoutSeconds > Math.max(...f.endpoints.map((each) => each.timeout_s)), f.binary);
	}
});

test('a job runs the function\'s schedule for less than a minute, or its endpoint once', () => {
	for (const f of deployed.filter(isScheduled)) {
		const { spec } = documentOf(shop('base and cron'), 'CronJob', kebab(f));
		const [{ command, args }] = spec.jobTemplate.spec.template.spec.containers;
		assert.deepEqual(command, [`/app/${f.binary}`]);
		if (args[0] === '--for') {
			assert.equal(spec.schedule, '* * * * *');
			assert.ok(Number(args[1]) < 60 && f.endpoints.some(({ every_s: every }) => every < 60));
		} else {
			assert.deepEqual(args, ['--once', 'POST', f.endpoints[0].path]);
		}
		assert.ok(spec.jobTemplate.spec.activeDeadlineSeconds > 55 + Math.max(...f.endpoints.map((each) => each.timeout_s)), f.binary);
	}
});

test('HTTPRoutes have every endpoint once, and those of a schedule not', () => {
	const routes = shop('httproutes').filter(({ kind }) => kind === 'HTTPRoute').flatMap(({ spec }) => spec.rules)
	    .filter(({ filters }) => filters).map(({ matches: [{ path: { value }, method }], filters: [{ urlRewrite }] }) =>
		`${method} ${value} ${urlRewrite.hostname.split('.')[0]}`);
	assert.deepEqual(routes.sort(), deployed.filter((f) => !isScheduled(f)).flatMap((f) => f.endpoints.map((each) =>
		`${each.method} ${each.path.replace(/\{[^}]+\}/g, '[^/]+')} ${kebab(f)}`)).sort());
});

const everyImage = (name) => shop(name).flatMap((document) => [...containersOf(document), ...template(document)?.spec.initContainers ?? []])
    .map(({ image }) => image);

test('in production images are what they were', () => {
	const images = everyImage('overlays/production').filter((image) => image.includes('/souk/') || image.startsWith('souk/'));
	assert.ok(images.length > deployed.length);
	assert.deepEqual(images.filter((image) => !/^[^@]+@sha256:[0-9a-f]{64}$/.test(image)), []);
});

test('in a trial images are those that were loaded, or others\' by an exact version', () => {
	const images = everyImage('overlays/dev');
	assert.ok(images.filter((image) => /^dev\.local\/souk\/[a-z-]+:trial$/.test(image)).length > deployed.length);
	assert.deepEqual(images.filter((image) => !/^dev\.local\/souk\/[a-z-]+:trial$|^docker\.io\/[a-z/]+:\d+\.\d+[0-9a-z.-]*$/.test(image)), []);
	assert.match(readFileSync(path.join(root, 'deploy/container/build'), 'utf8'), /"dev\.local\/\$image:trial"/);
});

test('in a trial there are roles, then the schema, then the simulator is told where the webhook is', () => {
	const { initContainers, containers } = revision(documentOf(shop('overlays/dev'), 'Job', 'migrate')).spec;
	assert.deepEqual([...initContainers, ...containers].map(({ args: [command] }) => command), ['roles', 'migrate', 'webhook']);
	const { hostname, port, pathname } = new URL(containers[0].args[1]);
	const { spec } = shop('overlays/dev').find(({ apiVersion, kind, metadata }) => apiVersion === 'v1' && kind === 'Service' && metadata.name === hostname);
	assert.ok(spec.ports.some((each) => each.port === Number(port || 80)));
	assert.deepEqual(functions.filter(({ endpoints }) => endpoints.some((each) => each.path === pathname && each.method === 'POST'))
	    .map(({ binary }) => binary), ['payments-webhook']);
});

/* -- Is everybody let to whom it asks? ------------------------------------- */

const settingsOf = ({ metadata: { name } }) => functions.filter((f) => kebab(f) === name || (name === 'gateway' && f.context === 'gateway'))
    .flatMap(({ settings }) => settings.map((setting) => setting.name));
const secretsFor = (...args) => documents(execFileSync(path.join(knative, 'secrets'), args,
    { encoding: 'utf8', env: { PATH: process.env.PATH, STRIPE_SECRET_KEY: 'sk_1', STRIPE_WEBHOOK_SECRET: 'whsec_1' } }));
const withSecrets = {
	'overlays/dev': () => [...shop('overlays/dev'), ...secretsFor('--trial', 'souk-postgres-rw', 'souk-postgres-rw')],
	'overlays/production': () => [...shop('overlays/production'), ...secretsFor('souk-postgres-rw', 'souk-pooler')],
};

for (const [name, all] of Object.entries(withSecrets))
	test(`${name}: everybody is let to whom it is told to ask, and nobody asks who is not there`, () => {
		assert.ok(flows(all(), settingsOf).length > 3 * deployed.length);
		assert.deepEqual(blocked(all(), settingsOf), []);
	});

for (const [what, spoil, expected] of [
	['a policy is gone', (all) => all.splice(all.indexOf(documentOf(all, 'NetworkPolicy', 'to-stripe-sim')), 1), /^orders-place to stripe-sim: may not go out$/m],
	['a context is forgotten', (all) => documentOf(all, 'NetworkPolicy', 'stripe-sim').spec.ingress[0].from[0].podSelector.matchExpressions[0].values.shift(),
		/^orders-place to stripe-sim: may not come in$/m],
	['a port is another', (all) => { documentOf(all, 'NetworkPolicy', 'valkey').spec.ingress[0].ports[0].port = 6380; }, /^catalog-list to souk-valkey: may not come in$/m],
	['a Service\'s port stands for its pod\'s', (all) => { documentOf(all, 'NetworkPolicy', 'stripe-sim').spec.egress[0].ports[0].port = 80; },
		/^stripe-sim to http:\/\/gateway\/.*: may not go out$/m],
	['Kourier is elsewhere', (all) => { documentOf(all, 'NetworkPolicy', 'gateway').spec.egress[0].to[0].namespaceSelector.matchLabels = { 'kubernetes.io/metadata.name': 'istio-system' }; },
		/^gateway to Kourier: may not go out$/m],
	['the autoscaler is shut out', (all) => documentOf(all, 'NetworkPolicy', 'functions').spec.ingress[0].ports.pop(), /^knative-serving to orders-place:9090: may not come in$/m],
	['a host is misspelt', (all) => { all.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name.startsWith('souk-settings')).data.STRIPE_API_BASE = 'http://stripe-simulator'; },
		/^orders-place to stripe-simulator: there is nobody$/m],
])
	test(`it is seen that ${what}`, () => {
		const all = copy(withSecrets['overlays/dev']());
		spoil(all);
		assert.match(blocked(all, settingsOf).join('\n'), expected);
	});

/* Of a shop that is somebody's, nothing starts that was not told whose. */
test('what of overlays/production nobody has filled in is refused by whoever reads it', () => {
	const PLACEHOLDER = 'SET-ME';
	const GOOD = { ALLOWED_ORIGINS: 'https://shop.example', VERIFY_EMAIL_URL: 'https://shop.example/{token}',
		RESET_PASSWORD_URL: 'https://shop.example/{token}', MAIL_FROM: 'shop@shop.example', TRUSTED_PROXIES: '10.1.0.0/16' };
	const start = (binary, env) => spawnSync(path.join(root, process.env.B ?? 'build', 'bin', binary), ['--once', 'GET', '/none'],
	    { encoding: 'utf8', env: { PATH: process.env.PATH, DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/souk', ...env } });
	const maps = shop('overlays/production').filter(({ kind }) => kind === 'ConfigMap');
	const left = maps.flatMap(({ data }) => Object.entries(data)).filter(([, value]) => value.includes(PLACEHOLDER)).map(([key]) => key);
	assert.deepEqual(left.sort(), Object.keys(GOOD).sort());
	for (const [binary, reads] of [['cron-jobs_run', ['VERIFY_EMAIL_URL', 'RESET_PASSWORD_URL', 'MAIL_FROM']],
		['gateway-health', ['ALLOWED_ORIGINS', 'TRUSTED_PROXIES']]]) {
		const secrets = { REDIS_URL: 'redis://127.0.0.1:1', STRIPE_SECRET_KEY: 'sk_live_1', SMTP_URL: 'smtps://u:p@mail.test' };
		assert.doesNotMatch(start(binary, { ...secrets, ...GOOD }).stderr, new RegExp(reads.join('|')));
		for (const name of reads) {
			const { status, stderr } = start(binary, { ...secrets, ...GOOD, [name]: PLACEHOLDER });
			assert.notEqual(status, 0, `${binary}: ${name}`);
			assert.match(stderr, new RegExp(name), `${binary}: ${name}`);
		}
	}
});

test('whoever is asked most is kept, and in a trial nobody is', () => {
	const least = (all, name) => revision(documentOf(all, 'Service', name)).metadata.annotations['autoscaling.knative.dev/min-scale'];
	assert.equal(least(shop('overlays/production'), 'catalog-list'), '2');
	assert.equal(least(shop('overlays/production'), 'users-erase'), '0');
	for (const f of deployed.filter((each) => !isScheduled(each)))
		assert.equal(least(shop('overlays/dev'), kebab(f)), '0');
});

test('settings that change make new revisions', () => {
	assert.ok(settingsMapsOf(shop('overlays/dev')).every((name) => /^souk-(settings|gateway)-[a-z0-9]{10}$/.test(name)));
});

const everyShop = () => Object.keys(shops).flatMap(shop);

test('README.md lists every Secret, and no other', () => {
	const text = readFileSync(path.join(knative, 'README.md'), 'utf8');
	const listed = [...text.matchAll(/^\| `(souk-[a-z0-9-]+)` \|/gm)].map(([, name]) => name);
	assert.deepEqual(listed.sort(), secretsOf(everyShop()));
});

test('knative/secrets makes every Secret with every key that is asked for', () => {
	const env = { PATH: process.env.PATH, STRIPE_SECRET_KEY: 'sk_live_1', STRIPE_WEBHOOK_SECRET: 'whsec_1',
		SMTP_URL: 'smtps://u:p@mail.test', S3_ACCESS_KEY: 'a', S3_SECRET_KEY: 's',
		OTEL_EXPORTER_OTLP_HEADERS: 'api-key=k' };
	const make = (more, given) => execFileSync(path.join(knative, 'secrets'), [...more, 'postgres', 'postgres'],
	    { encoding: 'utf8', env: given, stdio: ['ignore', 'pipe', 'ignore'] });
	const made = documents(make(['--trial'], env));
	assert.deepEqual(made.flatMap(misshapen), []);
	/* A shop has no password that only a trial needs, and no Stripe that is not one. */
	assert.deepEqual(made.map(({ metadata }) => metadata.name).filter((name) => !documents(make([], env)).some(({ metadata }) => metadata.name === name)),
	    ['souk-postgres-superuser', 'souk-demo']);
	assert.throws(() => make([], { ...env, STRIPE_SECRET_KEY: '' }));
	assert.throws(() => make([], { ...env, STRIPE_WEBHOOK_SECRET: '' }));
	assert.deepEqual(made.map(({ metadata }) => metadata.name).sort(), secretsOf(everyShop()));
	const value = (name, key) => {
		const bytes = made.find(({ metadata }) => metadata.name === name).data[key];
		return bytes && Buffer.from(bytes, 'base64').toString();
	};
	/* The other of two ways to say the same. */
	for (const { name, key } of secretKeysOf(everyShop()).filter((each) => each.key !== 'traces-headers'))
		assert.ok(value(name, key), `${name}: ${key}`);
	assert.equal(value('souk-stripe', 'secret-key'), 'sk_live_1');
	const kid = value('souk-signing-key', 'kid');
	const pair = { key: createPrivateKey(value('souk-signing-key', `${kid}.pem`)), public: createPublicKey(value('souk-public-keys', `${kid}.pem`)) };
	assert.ok(createPublicKey(pair.key).equals(pair.public));
	/* Each role has one password, in its address and where it is made. */
	const roles = made.find(({ metadata }) => metadata.name === 'souk-roles').data;
	for (const key of Object.keys(made.find(({ metadata }) => metadata.name === 'souk-database').data)) {
		const { username, password } = new URL(value('souk-database', key));
		assert.equal(password, value('souk-roles', `${username.toUpperCase()}_PASSWORD`), key);
	}
	assert.deepEqual(Object.keys(roles).sort(), [...readFileSync(path.join(root, 'schema/roles.sql'), 'utf8')
	    .matchAll(/^\\getenv \w+ (\w+)$/gm)].map(([, name]) => name).sort());
	assert.equal(value('souk-postgres-owner', 'password'), value('souk-roles', 'SOUK_OWNER_PASSWORD'));
});
