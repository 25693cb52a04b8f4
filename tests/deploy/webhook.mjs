/*
 * What Knative's admission webhooks refuse, and what they let pass though it
 * does nothing: a misspelt annotation.  From pkg/apis of knative/serving 1.23
 * and of knative/eventing.
 */
import { definitionOf } from './schema.mjs';

const wholeNumber = (least, most = Infinity) => (text) =>
	/^\d+$/.test(text) && Number(text) >= least && Number(text) <= most;
const number = (least, most = Infinity) => (text) =>
	/^\d+(\.\d+)?$/.test(text) && Number(text) >= least && Number(text) <= most;
const oneOf = (...texts) => (text) => texts.includes(text);
const seconds = (text) => {
	const parts = [...text.matchAll(/(\d+)(h|m|s)/g)];
	return parts.length > 0 && parts.map(([part]) => part).join('') === text
		? parts.reduce((sum, [, n, unit]) => sum + Number(n) * { h: 3600, m: 60, s: 1 }[unit], 0) : NaN;
};
const duration = (least, most) => (text) => seconds(text) >= least && seconds(text) <= most;

/* Every annotation that is known, by what it is known to: of a revision's
 * template, or of another kind. */
const AUTOSCALING = {
	class: oneOf('kpa.autoscaling.knative.dev', 'hpa.autoscaling.knative.dev'),
	metric: oneOf('concurrency', 'rps', 'cpu', 'memory'),
	'min-scale': wholeNumber(0),
	'max-scale': wholeNumber(0),
	'initial-scale': wholeNumber(0),
	'activation-scale': wholeNumber(2),
	target: number(0.01),
	'target-utilization-percentage': number(1, 100),
	'target-burst-capacity': (text) => text === '-1' || wholeNumber(0)(text),
	window: duration(6, 3600),
	'panic-window-percentage': number(1, 100),
	'panic-threshold-percentage': number(110, 1000),
	'scale-down-delay': duration(0, 3600),
	'scale-to-zero-pod-retention-period': duration(0, 3600),
};
const SIDECAR = ['cpu-resource-request', 'cpu-resource-limit', 'memory-resource-request', 'memory-resource-limit',
	'ephemeral-storage-resource-request', 'ephemeral-storage-resource-limit'];
const under = (domain, keys) => Object.fromEntries(Object.entries(keys).map(([key, good]) => [`${domain}/${key}`, good]));
const any = () => true;
const OF_TEMPLATES = {
	...under('autoscaling.knative.dev', AUTOSCALING),
	...under('queue.sidecar.serving.knative.dev', Object.fromEntries(SIDECAR.map((key) => [key, any]))),
	'serving.knative.dev/progress-deadline': duration(1, 86400),
};
const OF_KINDS = {
	Service: { 'serving.knative.dev/rollout-duration': duration(0, 86400), 'networking.knative.dev/ingress-class': any },
	Broker: { 'eventing.knative.dev/broker.class': oneOf('Kafka', 'KafkaNamespaced', 'MTChannelBasedBroker', 'RabbitMQBroker') },
	Trigger: { 'kafka.eventing.knative.dev/delivery.order': oneOf('ordered', 'unordered') },
};
const LABELS = {
	'networking.knative.dev/visibility': oneOf('cluster-local'),
	'bindings.knative.dev/include': oneOf('true'),
	'bindings.knative.dev/exclude': oneOf('true'),
};

function keysOf(map = {}, known, at) {
	return Object.entries(map).filter(([key]) => /(^|\.)knative\.dev\//.test(key)).flatMap(([key, value]) => {
		if (known[key] === undefined)
			return [`${at} ${key} is not known here`];
		return known[key](value) ? [] : [`${at} ${key} cannot be ${value}`];
	});
}

const RESERVED_PORTS = [8008, 8012, 8013, 8022, 8112, 9090, 9091];
const RESERVED_VARIABLES = ['PORT', 'K_SERVICE', 'K_CONFIGURATION', 'K_REVISION'];
const RESERVED_MOUNTS = ['/', '/dev', '/dev/log', '/tmp', '/var', '/var/log'];	/* the last three up to 1.12 */
const FLAGGED = 'This is accessible behind a feature flag';
/* The one that is on where nobody has said otherwise. */
const ENABLED = 'kubernetes.podspec-volumes-emptydir';

/* Fields that are refused unless the cluster's owner has switched them on. */
function flagged(schema, value, at) {
	const said = schema?.description ?? '';

	if (value === undefined || value === null)
		return [];
	if (said.includes(FLAGGED) && !said.includes(ENABLED))
		return [`${at} is behind a feature flag`];
	if (Array.isArray(value))
		return value.flatMap((each, i) => flagged(schema?.items, each, `${at}/${i}`));
	if (typeof value !== 'object')
		return [];
	return Object.entries(value).flatMap(([name, each]) => flagged(schema?.properties?.[name], each, `${at}/${name}`));
}

function scales(annotations = {}) {
	const of = (key) => annotations[`autoscaling.knative.dev/${key}`];
	const [least, most] = [Number(of('min-scale') ?? 0), Number(of('max-scale') ?? 0)];

	return most !== 0 && least > most ? [`min-scale ${least} is more than max-scale ${most}`] : [];
}

function containerProblems(container, volumes) {
	const ports = container.ports ?? [];
	const mounts = container.volumeMounts ?? [];
	const probes = ['readinessProbe', 'livenessProbe', 'startupProbe'].filter((name) => container[name] !== undefined);
	const handlers = (probe) => ['httpGet', 'tcpSocket', 'exec', 'grpc'].filter((name) => probe[name] !== undefined).length;
	const { capabilities } = container.securityContext ?? {};

	return [
		...ports.length > 1 ? ['more than one port'] : [],
		...ports.flatMap(({ name, containerPort }) => [
			...['http1', 'h2c', '', undefined].includes(name) ? [] : [`a port cannot be called ${name}`],
			...RESERVED_PORTS.includes(containerPort) ? [`port ${containerPort} is reserved`] : []]),
		...container.name === 'queue-proxy' ? ['a container cannot be called queue-proxy'] : [],
		...(container.env ?? []).filter(({ name }) => RESERVED_VARIABLES.includes(name)).map(({ name }) => `${name} is reserved`),
		...mounts.filter(({ mountPath }) => RESERVED_MOUNTS.includes(mountPath.replace(/(.)\/+$/, '$1')))
		    .map(({ mountPath }) => `${mountPath} is reserved`),
		...mounts.filter(({ mountPath }) => !mountPath.startsWith('/')).map(({ mountPath }) => `${mountPath} is not absolute`),
		...mounts.filter(({ name }) => !volumes.includes(name)).map(({ name }) => `there is no volume ${name}`),
		...probes.filter((name) => handlers(container[name]) !== 1).map((name) => `${name} does not say one way`),
		...(capabilities?.drop ?? []).filter((name) => name !== name.toUpperCase()).map((name) => `a capability is not spelt ${name}`),
		...(capabilities?.add ?? []).filter((name) => name !== 'NET_BIND_SERVICE').map((name) => `${name} cannot be added`),
		...container.image ? [] : ['no image'],
	];
}

function revisionProblems(spec) {
	const volumes = (spec.volumes ?? []).map(({ name }) => name);
	const mounted = new Set(spec.containers.flatMap(({ volumeMounts = [] }) => volumeMounts.map(({ name }) => name)));
	const { timeoutSeconds = 300 } = spec;

	return [
		...spec.containers.flatMap((container) => containerProblems(container, volumes)),
		...new Set(volumes).size < volumes.length ? ['two volumes of one name'] : [],
		...volumes.filter((name) => !mounted.has(name)).map((name) => `nobody mounts volume ${name}`),
		...spec.containerConcurrency > 1000 || spec.containerConcurrency < 0 ? ['containerConcurrency is not 0 to 1000'] : [],
		...timeoutSeconds > 600 || timeoutSeconds < 0 ? ['timeoutSeconds is not 0 to 600'] : [],
		...['responseStartTimeoutSeconds', 'idleTimeoutSeconds'].filter((name) => spec[name] > timeoutSeconds)
		    .map((name) => `${name} is more than timeoutSeconds`),
	];
}

function serviceProblems(service) {
	const { template } = service.spec;
	const schema = definitionOf(service);

	return [
		...service.metadata.name.length > 63 || service.metadata.name.includes('.') ? ['the name is no DNS label'] : [],
		...keysOf(template.metadata?.annotations, OF_TEMPLATES, 'annotation'),
		...scales(template.metadata?.annotations),
		...flagged(schema.properties.spec, service.spec, 'spec'),
		...revisionProblems(template.spec),
	];
}

const FIELDS = [[0, 59], [0, 23], [1, 31], [1, 12], [0, 7]];

function isCron(text) {
	const fields = text.split(' ');
	const within = ([least, most]) => (n) => n === undefined || (Number(n) >= least && Number(n) <= most);

	return fields.length === FIELDS.length && fields.every((field, i) => field.split(',').every((part) => {
		const [, from, to, step] = /^(?:\*|(\d+)(?:-(\d+))?)(?:\/([1-9]\d*))?$/.exec(part) ?? [null, 'x'];
		return [from, to].every(within(FIELDS[i])) && (step === undefined || Number(step) <= FIELDS[i][1]);
	}));
}

function isJson(text) {
	try {
		JSON.parse(text);
		return true;
	} catch {
		return false;
	}
}

const destination = (at, { ref, uri } = {}) => [
	...ref === undefined && uri === undefined ? [`${at} is nowhere`] : [],
	...uri !== undefined && ref === undefined && !/^https?:\/\/[^/]/.test(uri) ? [`${at} is no address`] : [],
	...uri !== undefined && ref !== undefined && /^[a-z]+:/.test(uri) ? [`${at} has a ref and an address of its own`] : [],
	...ref !== undefined && !(ref.apiVersion && ref.kind && ref.name) ? [`${at} does not say what it refers to`] : [],
];

const delivery = ({ deadLetterSink, retry = 0, backoffPolicy, backoffDelay, timeout } = {}) => [
	...deadLetterSink === undefined ? [] : destination('deadLetterSink', deadLetterSink),
	...retry < 0 ? ['retry is negative'] : [],
	...backoffPolicy === undefined || ['linear', 'exponential'].includes(backoffPolicy) ? [] : [`no backoffPolicy ${backoffPolicy}`],
	...[backoffDelay, timeout].filter((text) => text !== undefined && !/^P(?=.)(\d+D)?(T(?=.)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?$/.test(text))
	    .map((text) => `${text} is no duration`),
];

const PROBLEMS = {
	'serving.knative.dev/v1/Service': serviceProblems,
	'sources.knative.dev/v1/PingSource': ({ spec }) => [
		...isCron(spec.schedule ?? '') ? [] : [`${spec.schedule} is no schedule`],
		...destination('sink', spec.sink),
		...spec.data !== undefined && spec.dataBase64 !== undefined ? ['data is said twice'] : [],
		...spec.contentType === 'application/json' && spec.data !== undefined && !isJson(spec.data) ? ['data is not JSON'] : [],
	],
	'sources.knative.dev/v1/SinkBinding': ({ spec }) => [
		...destination('sink', spec.sink),
		...(spec.subject?.name === undefined) === (spec.subject?.selector === undefined) ? ['the subject has a name or a selector'] : [],
	],
	'eventing.knative.dev/v1/Broker': ({ metadata, spec }) => [
		...metadata.annotations?.['eventing.knative.dev/broker.class'] === undefined ? ['no class'] : [],
		...delivery(spec?.delivery),
	],
	'eventing.knative.dev/v1/Trigger': ({ spec }) => [
		...spec.broker ? [] : ['no broker'],
		...destination('subscriber', spec.subscriber),
		...delivery(spec.delivery),
		...Object.keys(spec.filter?.attributes ?? {}).filter((name) => !/^[a-z][a-z0-9]*$/.test(name))
		    .map((name) => `${name} is no attribute`),
	],
	'batch/v1/CronJob': ({ spec }) => (isCron(spec.schedule) ? [] : [`${spec.schedule} is no schedule`]),
};

/* What is wrong with it, a line each. */
export function refused(document) {
	const { apiVersion, kind, metadata } = document;
	const ofItself = apiVersion.includes('knative.dev/') ? OF_KINDS[kind] ?? {} : {};

	return [
		...keysOf(metadata.annotations, ofItself, 'annotation'),
		...keysOf(metadata.labels, LABELS, 'label'),
		...PROBLEMS[`${apiVersion}/${kind}`]?.(document) ?? [],
	];
}
