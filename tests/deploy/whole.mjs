/*
 * What holds of all documents together, and no server would say before it is too
 * late: names that are referred to exist, selectors select somebody, and every
 * pod is as closed as the rest.
 */
const NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const LABEL_KEY = /^([a-z0-9]([-a-z0-9.]*[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/;
const LABEL_VALUE = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;
/* Closed lists of which the client's classes know only that they are strings. */
const CHOICES = {
	concurrencyPolicy: ['Allow', 'Forbid', 'Replace'],
	restartPolicy: ['Always', 'OnFailure', 'Never'],
	protocol: ['TCP', 'UDP', 'HTTP'],
	operator: ['In', 'NotIn', 'Exists', 'DoesNotExist'],
	whenUnsatisfiable: ['ScheduleAnyway', 'DoNotSchedule'],
	medium: ['', 'Memory'],
	policyTypes: ['Ingress', 'Egress'],
	accessModes: ['ReadWriteOnce', 'ReadWriteMany', 'ReadOnlyMany', 'ReadWriteOncePod'],
};

/* The template of the pods that a document makes, or undefined. */
export function template({ kind, spec }) {
	return kind === 'CronJob' ? spec.jobTemplate.spec.template : spec?.template?.spec?.containers ? spec.template : undefined;
}

/* Everything of that name, however deep. */
function found(value, name) {
	if (value === null || typeof value !== 'object')
		return [];
	return Object.entries(value).flatMap(([key, each]) => [...key === name ? [each] : [], ...found(each, name)]);
}

const of = (documents, kind) => documents.filter((document) => document.kind === kind);
const names = (documents, kind) => of(documents, kind).map(({ metadata }) => metadata.name);
const idOf = ({ apiVersion, kind, metadata }) => `${apiVersion}/${kind}/${metadata?.name}`;
export const matches = (labels = {}, { matchLabels = {}, matchExpressions = [] } = {}) =>
	Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
	matchExpressions.every(({ key, operator, values }) => ({ In: values?.includes(labels[key]), NotIn: !values?.includes(labels[key]),
		Exists: labels[key] !== undefined, DoesNotExist: labels[key] === undefined })[operator]);

/* Every Secret that is mounted or read. */
export function secretsOf(documents) {
	const all = documents.flatMap((document) => [
		...[...found(document, 'secretKeyRef'), ...found(document, 'secretRef')].map(({ name }) => name),
		...found(document, 'secretName'),
		...document.apiVersion.startsWith('postgresql.cnpg.io/') ? [...found(document, 'passwordSecret'), ...found(document, 'secret')]
		    .map(({ name }) => name) : [],
	]);
	return [...new Set(all)].sort();
}


export const secretKeysOf = (documents) => documents.flatMap((document) => found(document, 'secretKeyRef'));

export const settingsMapsOf = (documents) => [...new Set(documents.flatMap((document) => [
	...found(document, 'configMapRef').map(({ name }) => name), ...found(document, 'configMapKeyRef').map(({ name }) => name)]))];

function identity(documents) {
	const ids = documents.map(idOf);
	return [
		...ids.filter((id, i) => ids.indexOf(id) < i).map((id) => `${id} is there twice`),
		...documents.flatMap((document) => [
			...NAME.test(document.metadata.name) ? [] : [`${idOf(document)}: the name is none`],
			...document.kind === 'Namespace' || document.metadata.namespace !== undefined ? [] : [`${idOf(document)}: no namespace`],
			...[document.metadata, template(document)?.metadata].flatMap((metadata) => Object.entries(metadata?.labels ?? {}))
			    .filter(([key, value]) => !LABEL_KEY.test(key) || !LABEL_VALUE.test(value))
			    .map(([key, value]) => `${idOf(document)}: ${key}: ${value} is no label`),
			...document.apiVersion.includes('cnpg') || document.apiVersion.includes('gateway.') ? []
				: Object.entries(CHOICES).flatMap(([field, choices]) => found(document, field).flat()
				    .filter((value) => typeof value === 'string' && !choices.includes(value))
				    .map((value) => `${idOf(document)}: ${field} cannot be ${value}`)),
		]),
	];
}

function references(documents) {
	const maps = names(documents, 'ConfigMap');
	const accounts = names(documents, 'ServiceAccount');
	const own = (kind) => names(documents, kind);

	return documents.flatMap((document) => {
		const pod = template(document);
		const volumes = pod?.spec.volumes?.map(({ name }) => name) ?? [];
		const claims = document.spec?.volumeClaimTemplates?.map(({ metadata }) => metadata.name) ?? [];
		const lacks = [
			...settingsMapsOf([document]).filter((name) => !maps.includes(name)).map((name) => `ConfigMap ${name}`),
			...pod === undefined || pod.spec.serviceAccountName === undefined || accounts.includes(pod.spec.serviceAccountName) ? []
				: [`ServiceAccount ${pod.spec.serviceAccountName}`],
			...[...pod?.spec.initContainers ?? [], ...pod?.spec.containers ?? []].flatMap(({ volumeMounts = [] }) => volumeMounts)
			    .filter(({ name }) => !volumes.includes(name) && !claims.includes(name)).map(({ name }) => `volume ${name}`),
			...[...found(document, 'sink'), ...found(document, 'subscriber')].map(({ ref }) => ref).filter(Boolean)
			    .filter(({ kind, name }) => !own(kind).includes(name)).map(({ kind, name }) => `${kind} ${name}`),
			...found(document, 'backendRefs').flat().filter(({ name }) => !own('Service').includes(name)).map(({ name }) => `Service ${name}`),
			...found(document, 'parentRefs').flat().filter(({ name }) => !own('Gateway').includes(name)).map(({ name }) => `Gateway ${name}`),
			...document.kind === 'Trigger' && !own('Broker').includes(document.spec.broker) ? [`Broker ${document.spec.broker}`] : [],
			...document.kind === 'Pooler' && !own('Cluster').includes(document.spec.cluster.name) ? [`Cluster ${document.spec.cluster.name}`] : [],
		];
		return lacks.map((what) => `${idOf(document)}: there is no ${what}`);
	});
}

/* Labels of pods that others make: CloudNativePG's are of its kind. */
const foreign = (documents) => [...names(documents, 'Cluster').map((name) => ({ 'cnpg.io/cluster': name })),
	...names(documents, 'Pooler').map((name) => ({ 'cnpg.io/poolerName': name }))];
/* Knative adds these of its own. */
export const podLabels = (document) => ({ ...template(document).metadata?.labels,
	...document.apiVersion.startsWith('serving.') ? { 'serving.knative.dev/service': document.metadata.name } : {} });

function selectors(documents) {
	const made = documents.filter(template);
	const pods = [...made.map(podLabels), ...foreign(documents)];
	const anybody = (selector) => pods.some((labels) => matches(labels, selector));
	const lonely = (document, selector) => (anybody(selector) ? [] : [`${idOf(document)} selects nobody`]);

	return [
		...documents.filter(({ apiVersion, kind, spec }) => apiVersion === 'v1' && kind === 'Service' && spec.type !== 'ExternalName')
		    .flatMap((document) => [
			...lonely(document, { matchLabels: document.spec.selector }),
			...document.spec.ports.filter(({ targetPort }) => !made.some((pod) => matches(podLabels(pod), { matchLabels: document.spec.selector }) &&
				template(pod).spec.containers.some(({ ports = [] }) => ports.some(({ name, containerPort }) =>
					[name, containerPort].includes(targetPort)))))
			    .map(({ targetPort }) => `${idOf(document)}: nobody listens at ${targetPort}`)]),
		...of(documents, 'PodDisruptionBudget').flatMap((document) => lonely(document, document.spec.selector)),
		...of(documents, 'NetworkPolicy').flatMap((document) => lonely(document, document.spec.podSelector)),
		...made.filter(({ spec }) => spec.selector !== undefined && !matches(template({ spec }).metadata.labels, spec.selector))
		    .map((document) => `${idOf(document)} does not select its own pods`),
		...of(documents, 'SinkBinding').filter(({ spec: { subject } }) => !documents.some((document) =>
			matches((document.kind === 'CronJob' && subject.kind === 'Job' ? document.spec.jobTemplate : document).metadata?.labels, subject.selector) &&
			(document.kind === subject.kind || (document.kind === 'CronJob' && subject.kind === 'Job'))))
		    .map((document) => `${idOf(document)} binds nobody`),
	];
}

/* Pod Security's "restricted", and a little more. */
function closedness(documents) {
	return documents.filter(template).flatMap((document) => {
		const { spec } = template(document);
		const open = [...spec.initContainers ?? [], ...spec.containers].flatMap(({ image, resources, securityContext: context = {} }) => [
			...context.runAsNonRoot === true && context.runAsUser > 0 ? [] : ['may be root'],
			...context.allowPrivilegeEscalation === false ? [] : ['may gain privileges'],
			...context.capabilities?.drop?.includes('ALL') && !context.capabilities.add ? [] : ['has capabilities'],
			...context.seccompProfile?.type === 'RuntimeDefault' ? [] : ['may make any system call'],
			...context.readOnlyRootFilesystem === true ? [] : ['may write to its root'],
			...resources?.limits?.memory && resources.requests?.memory && resources.requests.cpu ? [] : ['has no bounds'],
			...image && !/:latest$/.test(image) ? [] : ['has an image of any kind'],
		]);
		return [...open, ...spec.automountServiceAccountToken === false ? [] : ['is given a token of Kubernetes'],
			...spec.enableServiceLinks === false ? [] : ['is told of every service'],
			...spec.hostNetwork || spec.hostPID || spec.hostIPC ? ['shares with its host'] : []]
		    .map((what) => `${idOf(document)} ${what}`);
	});
}

/* Nothing is let in or out but what a policy names. */
function walls(documents) {
	const closed = of(documents, 'NetworkPolicy').some(({ spec }) => Object.keys(spec.podSelector).length === 0 &&
		spec.policyTypes.includes('Ingress') && spec.policyTypes.includes('Egress') && !spec.ingress && !spec.egress);
	return closed ? [] : ['no NetworkPolicy denies everything'];
}

export const checks = { identity, references, selectors, closedness, walls };
/* What is wrong with all of it, a line each. */
export const amiss = (documents) => Object.values(checks).flatMap((check) => check(documents));
