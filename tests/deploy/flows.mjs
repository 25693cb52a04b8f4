/*
 * Whom each pod is told to ask, and whether NetworkPolicies let it: out of the one
 * and into the other.  A policy that is missing shows nowhere but in a cluster, as
 * a connection that is never made.
 */
import { matches, podLabels, template } from './whole.mjs';

const NAMESPACE = 'souk';
const PORTS = { 'postgresql:': 5432, 'redis:': 6379, 'http:': 80 };
const inNamespace = (name) => ({ namespace: name, labels: {} });
/* What is not in the manifests: Kourier's internal gateway listens on 8081 behind
 * its Service, queue-proxy on 8012, and on 9090 for the autoscaler. */
const KOURIER = { ...inNamespace('kourier-system'), port: 8081 };
const QUEUE_PROXY = { 'kourier-system': [8012], 'knative-serving': [8012, 9090] };

function peerFits({ podSelector, namespaceSelector, ipBlock }, { namespace, labels }) {
	if (ipBlock !== undefined)
		return false;
	return (namespaceSelector === undefined ? namespace === NAMESPACE
		: matches({ 'kubernetes.io/metadata.name': namespace }, namespaceSelector)) && matches(labels, podSelector);
}

/* One direction of a flow, as the policies of one of its ends have it. */
function lets(policies, direction, at, other, port) {
	if (at.namespace !== NAMESPACE)
		return true;
	const [rules, peers] = direction === 'Egress' ? ['egress', 'to'] : ['ingress', 'from'];
	const bound = policies.filter(({ spec }) => spec.policyTypes.includes(direction) && matches(at.labels, spec.podSelector));
	return bound.length === 0 || bound.flatMap(({ spec }) => spec[rules] ?? []).some((rule) =>
		(rule.ports?.some((each) => each.port === port) ?? true) && (rule[peers]?.some((peer) => peerFits(peer, other)) ?? true));
}

/* The pods behind a name, and their port: a Service's, or CloudNativePG's. */
function behind(documents, host, port) {
	const service = documents.find(({ apiVersion, kind, metadata }) => apiVersion === 'v1' && kind === 'Service' && metadata.name === host);
	if (service !== undefined) {
		const { targetPort } = service.spec.ports.find((each) => each.port === port) ?? {};
		return documents.filter(template).filter((pod) => matches(podLabels(pod), { matchLabels: service.spec.selector }))
		    .flatMap((pod) => template(pod).spec.containers.flatMap(({ ports = [] }) => ports)
			.filter(({ name, containerPort }) => [name, containerPort].includes(targetPort))
			.map(({ containerPort }) => ({ namespace: NAMESPACE, labels: podLabels(pod), port: containerPort })));
	}
	return documents.flatMap(({ kind, metadata: { name } }) =>
		(kind === 'Pooler' && host === name ? [{ namespace: NAMESPACE, labels: { 'cnpg.io/poolerName': name }, port }]
			: kind === 'Cluster' && host === `${name}-rw` ? [{ namespace: NAMESPACE, labels: { 'cnpg.io/cluster': name }, port }] : []));
}

/* Each address that a container is told, of what it declares that it reads. */
function told(documents, declared, { env = [], envFrom = [] }) {
	const data = (kind, name) => documents.find((each) => each.kind === kind && each.metadata.name === name)?.data ?? {};
	return [
		...env.map(({ value, valueFrom: { secretKeyRef } = {} }) => value ??
			Buffer.from(data('Secret', secretKeyRef?.name)[secretKeyRef?.key] ?? '', 'base64').toString()),
		...envFrom.flatMap(({ configMapRef }) => Object.entries(data('ConfigMap', configMapRef?.name)))
		    .filter(([name]) => declared.includes(name)).map(([, value]) => value),
	].filter((value) => /^(postgresql|redis|http):\/\/[^?]+$/.test(value)).map((value) => new URL(value));
}

/* [{ name, from, to: [{ namespace, labels, port }] }] of all. */
export function flows(documents, settingsOf) {
	const pods = documents.filter(template).map((document) => ({ document, name: document.metadata.name,
		at: { namespace: NAMESPACE, labels: podLabels(document) }, spec: template(document).spec }));
	const asked = pods.flatMap(({ document, name, at, spec }) => [...spec.initContainers ?? [], ...spec.containers].flatMap((container) =>
		told(documents, settingsOf(document), container).map((url) => ({ name: `${name} to ${url.hostname}`, from: at,
			to: behind(documents, url.hostname, Number(url.port) || PORTS[url.protocol]) }))));
	/* The simulator has been told by a Job. */
	const hooks = pods.flatMap(({ spec }) => spec.containers).filter(({ args = [] }) => args[0] === 'webhook').flatMap(({ args: [, url] }) =>
		pods.filter(({ name }) => name === 'stripe-sim').map(({ at }) => ({ name: `stripe-sim to ${url}`, from: at,
			to: behind(documents, new URL(url).hostname, 80) })));
	const knative = pods.filter(({ document }) => document.apiVersion.startsWith('serving.')).flatMap(({ name, at }) =>
		Object.entries(QUEUE_PROXY).flatMap(([namespace, ports]) => ports.map((port) =>
			({ name: `${namespace} to ${name}:${port}`, from: inNamespace(namespace), to: [{ ...at, port }] }))));
	const gateway = pods.filter(({ name }) => name === 'gateway').flatMap(({ name, at }) => [
		{ name: `${name} to Kourier`, from: at, to: [KOURIER] },
		{ name: `anybody to ${name}`, from: inNamespace('ingress'), to: [{ ...at, port: 8080 }] }]);
	return [...asked, ...hooks, ...knative, ...gateway];
}

export function blocked(documents, settingsOf) {
	const policies = documents.filter(({ kind }) => kind === 'NetworkPolicy');
	return flows(documents, settingsOf).flatMap(({ name, from, to }) => (to.length === 0 ? [`${name}: there is nobody`]
		: to.flatMap((end) => [
			...lets(policies, 'Egress', from, end, end.port) ? [] : [`${name}: may not go out`],
			...lets(policies, 'Ingress', end, from, end.port) ? [] : [`${name}: may not come in`]])));
}
