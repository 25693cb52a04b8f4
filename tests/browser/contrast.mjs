/* What on a page is too faint to be read: text under the 4.5 to 1 of WCAG 2.2, AA. */
export const faint = (page) => page.evaluate(() => {
	const numbers = (color) => color.match(/[\d.]+/g).map(Number);
	const luminance = ([r, g, b]) => [r, g, b].map((c) => c / 255)
	    .map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
	    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
	const ground = (node) => {
		for (let at = node; at !== null; at = at.parentElement) {
			const color = numbers(getComputedStyle(at).backgroundColor);
			if (color[3] !== 0)
				return color;
		}
		return [255, 255, 255];
	};
	const found = new Set();

	/* What is in a list to choose from the system draws. */
	for (const node of document.querySelectorAll('body *:not(option)')) {
		if (![...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim()))
			continue;
		const [a, b] = [luminance(numbers(getComputedStyle(node).color)), luminance(ground(node))].sort((x, y) => y - x);
		if ((a + 0.05) / (b + 0.05) < 4.5)
			found.add(`${node.tagName}.${node.className}: ${((a + 0.05) / (b + 0.05)).toFixed(2)}`);
	}
	return [...found];
});
