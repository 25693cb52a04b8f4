/*
 * multipart/form-data, with a boundary that is the same each time, so that the
 * same form is the same body.
 */
const BOUNDARY = 'a-boundary-of-the-souk';

/* parts: [name, bytes, { filename, type }]; without a filename it is no file. */
export function form(...parts) {
	const pieces = parts.flatMap(([name, bytes, { filename = 'picture', type = 'application/octet-stream' } = {}]) => [
		`--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"`,
		filename === null ? '' : `; filename="${filename}"\r\nContent-Type: ${type}`,
		'\r\n\r\n', bytes, '\r\n']);

	return {
		type: `multipart/form-data; boundary=${BOUNDARY}`,
		body: Buffer.concat([...pieces, `--${BOUNDARY}--\r\n`].map((piece) => Buffer.from(piece))),
	};
}
