/*
 * What the API server would say of a document's shape, and more strictly: a
 * field that it does not know is an error, where the server would drop it
 * without a word.
 *
 * Custom resources are held to their definitions, others to the classes of the
 * official client, which are made from Kubernetes' own description.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import Ajv from 'ajv';
import addFormats from 'ajv-formats';
import { documents, root } from './kubectl.mjs';

const BUILT_IN = {
	v1: ['ConfigMap', 'Namespace', 'Secret', 'Service', 'ServiceAccount'],
	'apps/v1': ['Deployment', 'StatefulSet'],
	'batch/v1': ['CronJob', 'Job'],
	'networking.k8s.io/v1': ['NetworkPolicy'],
	'policy/v1': ['PodDisruptionBudget'],
};
const models = path.join(path.dirname(createRequire(import.meta.url).resolve('@kubernetes/client-node')), 'gen/models');

/* Fetched by deploy/local/install; or beside the repository, with the notes it was
 * written from. */
const crdFolder = path.resolve(root, process.env.KNATIVE_CRDS ??
	['tests/deploy/crds', '../shared/knative/crds'].find((folder) => existsSync(path.resolve(root, folder))) ?? 'tests/deploy/crds');

function readDefinitions() {
	if (!existsSync(crdFolder))
		throw new Error(`no custom resource definitions in ${crdFolder}: KNATIVE_CRDS says where they are`);
	const found = new Map();
	for (const file of readdirSync(crdFolder).filter((name) => name.endsWith('.yaml'))) {
		for (const document of documents(readFileSync(path.join(crdFolder, file), 'utf8'))) {
			if (document.kind !== 'CustomResourceDefinition')
				continue;
			const { group, names, versions } = document.spec;
			for (const { name, served, schema } of versions) {
				if (served)
					found.set(`${group}/${name}/${names.kind}`, schema.openAPIV3Schema);
			}
		}
	}
	return found;
}

const definitions = readDefinitions();

/* The structural schema of a custom resource; undefined of any other. */
export const definitionOf = ({ apiVersion, kind }) => definitions.get(`${apiVersion}/${kind}`);

const KEPT = ['type', 'enum', 'pattern', 'format', 'required', 'minLength', 'maxLength', 'minimum', 'maximum', 'multipleOf',
	'minItems', 'maxItems', 'uniqueItems', 'minProperties', 'maxProperties', 'allOf', 'anyOf', 'oneOf', 'not'];

/* Where fields are listed there are no others: x-kubernetes-preserve-unknown-fields
 * is said of Triggers and deliveries for the sake of experiments. */
function strict(schema) {
	const closed = Object.fromEntries(KEPT.filter((key) => schema[key] !== undefined).map((key) => [key, schema[key]]));

	if (schema['x-kubernetes-int-or-string'])
		closed.type = ['integer', 'string'];
	if (schema.nullable && closed.type !== undefined)
		closed.type = [closed.type, 'null'].flat();
	if (schema['x-kubernetes-list-type'] === 'set')
		closed.uniqueItems = true;
	if (schema.items)
		closed.items = strict(schema.items);
	if (schema.properties) {
		closed.properties = Object.fromEntries(Object.entries(schema.properties).map(([name, field]) => [name, strict(field)]));
		closed.additionalProperties = false;
	} else if (typeof schema.additionalProperties === 'object') {
		closed.additionalProperties = strict(schema.additionalProperties);
	}
	return closed;
}

const reference = (name) => ({ $ref: `#/definitions/${name}` });

/* A type of the client's, as a schema; wants() is told of classes it names. */
function typed(type, format, wants) {
	const [, element] = /^Array<(.*)>$/.exec(type) ?? [];
	const [, value] = /^\{ \[key: string\]: (.*); \}$/.exec(type) ?? [];

	if (element !== undefined)
		return { type: 'array', items: typed(element, format, wants) };
	if (value !== undefined)
		return { type: 'object', additionalProperties: typed(value, format, wants) };
	switch (type) {
	case 'number':
		return { type: format.startsWith('int') ? 'integer' : 'number' };
	case 'string': case 'boolean':
		return { type };
	case 'Date': case 'V1MicroTime':
		return { type: 'string', format: 'date-time' };
	case 'IntOrString':
		return { type: ['integer', 'string'] };
	case 'any': case 'object':
		return {};
	default:
		wants(type);
		return reference(type);
	}
}

/* The class and all that it is made of, into `to`. */
function addClass(name, to) {
	if (to[name] !== undefined)
		return;
	const schema = to[name] = { type: 'object', properties: {}, required: [], additionalProperties: false };
	const declared = readFileSync(path.join(models, `${name}.d.ts`), 'utf8');
	const described = readFileSync(path.join(models, `${name}.js`), 'utf8');
	const attribute = /"name": "([^"]+)",\s+"baseName": "([^"]+)",\s+"type": "([^"]+)",\s+"format": "([^"]*)"/g;

	for (const [, own, field, type, format] of described.matchAll(attribute)) {
		schema.properties[field] = typed(type, format, (wanted) => addClass(wanted, to));
		if (declared.includes(`\n    '${own}': `))
			schema.required.push(field);
	}
	if (Object.keys(schema.properties).length === 0)
		throw new Error(`nothing is said of ${name} in ${models}`);
}

const classes = {};
for (const kinds of Object.values(BUILT_IN)) {
	for (const kind of kinds)
		addClass(`V1${kind}`, classes);
}

const ajv = new Ajv({ strict: false, allErrors: true, verbose: true });
addFormats(ajv);
for (const format of ['int32', 'int64', 'double', 'byte'])
	ajv.addFormat(format, true);

function schemaOf(document) {
	const definition = definitionOf(document);

	if (definition === undefined)
		return BUILT_IN[document.apiVersion]?.includes(document.kind) ? reference(`V1${document.kind}`) : null;
	const schema = strict(definition);
	Object.assign(schema.properties, { apiVersion: {}, kind: {}, metadata: reference('V1ObjectMeta') });
	schema.required = [...new Set([...schema.required ?? [], 'metadata'])];
	return schema;
}

const validators = new Map();

function validatorOf(document) {
	const kind = `${document.apiVersion}/${document.kind}`;
	if (!validators.has(kind)) {
		const schema = schemaOf(document);
		validators.set(kind, schema && ajv.compile({ ...schema, definitions: classes }));
	}
	return validators.get(kind);
}

/* What is wrong with the shape of it, a line each. */
export function misshapen(document) {
	const validate = validatorOf(document);

	if (validate === null)
		return [`there is no kind ${document.kind} of ${document.apiVersion}`];
	return validate(document) ? [] : validate.errors.map(({ instancePath, message, params }) =>
		`${instancePath || '/'} ${message}${params.additionalProperty ? `: ${params.additionalProperty}` : ''}`);
}
