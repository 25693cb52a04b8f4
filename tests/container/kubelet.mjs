/*
 * What a node does with a pod, as far as podman can do the same: its containers in
 * their order, told and given what the manifest says, and asked by their probes.
 * Ports differ, since all are in this machine's network: who serves is told
 * another than containerPort, as Knative does by PORT.
 */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { template } from '../deploy/whole.mjs';
import { shared, start } from './podman.mjs';

const IMAGE = /^dev\.local\/souk\/([a-z-]+):trial$/;
/* What says where to listen: of a Service of Knative's its queue-proxy's. */
const LISTENS = ['PORT', 'SOUK_PORT', 'SOUK_BIND'];

export class Cluster {
	constructor(documents, hosts) {
		this.documents = documents;
		this.flags = Object.entries(hosts).map(([name, address]) => `--add-host=${name}:${address}`);
		this.pods = 0;
	}

	find(kind, name, group = '') {
		const found = this.documents.find((each) => each.kind === kind && each.metadata.name === name && each.apiVersion.startsWith(group));
		if (found === undefined)
			throw new Error(`there is no ${kind} ${name}`);
		return found;
	}

	/* Of a Secret or ConfigMap, each value as it was. */
	data(kind, name) {
		const { data = {} } = this.find(kind, name);
		return kind === 'ConfigMap' ? data
			: Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]));
	}

	value(document, { value, valueFrom }, told) {
		if (valueFrom === undefined)
			return value.replace(/\$\((\w+)\)/g, (whole, name) => told[name] ?? whole);
		if (valueFrom.fieldRef !== undefined)
			return { 'metadata.namespace': document.metadata.namespace }[valueFrom.fieldRef.fieldPath];
		const { name, key, optional } = valueFrom.secretKeyRef;
		if (optional && !this.documents.some(({ kind, metadata }) => kind === 'Secret' && metadata.name === name))
			return undefined;
		const found = this.data('Secret', name)[key];
		if (found === undefined)
			throw new Error(`there is no ${key} in ${name}`);
		return found;
	}

	environment(document, { env = [], envFrom = [] }) {
		const told = Object.assign({}, ...envFrom.map(({ configMapRef, secretRef }) =>
			(configMapRef ? this.data('ConfigMap', configMapRef.name) : this.data('Secret', secretRef.name))));
		for (const each of env)
			told[each.name] = this.value(document, each, told);
		return Object.fromEntries(Object.entries(told).filter(([name, value]) => value !== undefined && !LISTENS.includes(name)));
	}

	/* Each volume is there once, for all containers of the pod. */
	volumes(pod) {
		const id = `pod-${this.pods++}`;
		return Object.fromEntries((pod.volumes ?? []).map(({ name, emptyDir, secret }) => {
			const folder = shared(`${id}-${name}`);
			if (emptyDir === undefined)
				for (const [file, text] of Object.entries(this.data('Secret', secret.secretName)))
					writeFileSync(path.join(folder, file), text, { mode: 0o644 });
			return [name, folder];
		}));
	}

	start(document, container, volumes) {
		const { securityContext: may, resources: { limits } } = container;
		const memory = limits.memory.replace('Mi', 'm');
		const [, name] = IMAGE.exec(container.image) ?? [];
		return start(name, {
			env: this.environment(document, container),
			mounts: Object.fromEntries((container.volumeMounts ?? []).map(({ name: of, mountPath, readOnly }) =>
				[`${mountPath}${readOnly ? ':ro' : ''}`, volumes[of]])),
			user: `${may.runAsUser}:${may.runAsGroup}`,
			hardened: ['--pids-limit=64', `--memory=${memory}`, `--memory-swap=${memory}`,
				...may.readOnlyRootFilesystem ? ['--read-only', '--read-only-tmpfs=false'] : [],
				...may.capabilities.drop.map((what) => `--cap-drop=${what.toLowerCase()}`),
				...may.allowPrivilegeEscalation ? [] : ['--security-opt=no-new-privileges']],
			runDir: [], flags: this.flags, entrypoint: container.command?.join(' '), command: container.args ?? [],
		});
	}

	async ran(document, container, volumes) {
		const running = await this.start(document, container, volumes);
		const code = await running.ended();
		if (code !== 0)
			throw new Error(`${document.metadata.name}: ${container.name} ended with ${code}: ${await running.logs()}`);
	}

	/* A Job's pod: to its end. */
	async job(document) {
		const { spec } = template(document);
		const volumes = this.volumes(spec);
		for (const container of [...spec.initContainers ?? [], ...spec.containers])
			await this.ran(document, container, volumes);
	}

	/* A pod that serves: until its probes say so. */
	async serve(document) {
		const { spec } = template(document);
		const volumes = this.volumes(spec);
		const [container] = spec.containers;
		for (const first of spec.initContainers ?? [])
			await this.ran(document, first, volumes);
		const running = await this.start(document, container, volumes);
		for (const { httpGet: { path: target, port } } of [container.readinessProbe, container.livenessProbe].filter(Boolean)) {
			if (port !== undefined && !container.ports.some(({ name, containerPort }) => [name, containerPort].includes(port)))
				throw new Error(`${document.metadata.name} is probed where it does not listen`);
			await running.answers(target);
		}
		return running;
	}
}

