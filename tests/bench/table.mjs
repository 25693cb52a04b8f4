/*
 * Medians, and tables of text.
 */
export function median(numbers) {
	const sorted = [...numbers].sort((a, b) => a - b);
	const middle = sorted.length >> 1;

	return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/* rows: arrays of text; the first is the head.  All columns but the first stand
 * to the right, unless `left` names them. */
export function table(rows, left = [0]) {
	const width = rows[0].map((_, i) => Math.max(...rows.map((row) => [...String(row[i] ?? '')].length)));
	const line = (row) => row.map((cell, i) => left.includes(i)
	    ? String(cell ?? '').padEnd(width[i]) : String(cell ?? '').padStart(width[i])).join('  ').trimEnd();

	return [line(rows[0]), width.map((n) => '-'.repeat(n)).join('  '), ...rows.slice(1).map(line)].join('\n');
}
