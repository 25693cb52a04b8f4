/*
 * wares.h -- what lies, hangs or is stacked: rugs, leather, soap.
 */
#ifndef DEMO_WARES_H
#define DEMO_WARES_H

#include "pen.h"

static inline void
draw_bundle(struct pen *pen, const struct inks *k)
{
	for (int i = 0; i < 7; i++) {
		float lean = (float)(i * 3 % 7 - 3);
		float d = bar(pen->x, pen->y, lean * 0.085f,
		    -0.36f - 0.03f * (float)(i % 2), -lean * 0.05f, 0.44f, 0.05f);

		fill(pen, i % 2 ? k->main : k->accent, d);
		blend(pen, k->second, fabsf(d + 0.008f) - 0.006f, 0.7f);
		blend(pen, k->second,
		    bar(pen->x, pen->y, lean * 0.085f, -0.34f, -lean * 0.05f, 0.42f,
			0.006f),
		    0.6f);
	}
	for (int i = -1; i <= 1; i++)
		fill(pen, k->second,
		    bar(pen->x, pen->y, -0.2f, 0.08f + 0.03f * (float)i, 0.2f,
			0.06f + 0.03f * (float)i, 0.013f));
	fill(pen, k->second,
	    ring(pen->x - 0.09f, pen->y - 0.02f, 0.08f, 0.05f, 0.012f));
	fill(pen, k->second,
	    ring(pen->x + 0.09f, pen->y - 0.02f, 0.08f, 0.05f, 0.012f));
}

static inline void
draw_plate(struct pen *pen, const struct inks *k)
{
	float y = pen->y + 0.02f, r = len(pen->x, y), a = atan2f(y, pen->x);

	fill(pen, k->main, r - 0.47f);
	fill(pen, k->second, r - 0.45f);
	fill(pen, k->main,
	    fmaxf(fabsf(r - 0.39f) - 0.035f, (0.5f - fabsf(cosf(10 * a))) * 0.05f));
	fill(pen, k->main, fabsf(r - 0.33f) - 0.008f);
	for (int i = 0; i < 8; i++) {
		float t = (float)i * 0.7854f, x2 = pen->x * cosf(t) + y * sinf(t),
		      y2 = y * cosf(t) - pen->x * sinf(t);

		fill(pen, i % 2 ? k->main : k->accent,
		    fmaxf(len(x2 - 0.18f, y2 - 0.1f), len(x2 - 0.18f, y2 + 0.1f)) -
			0.15f);
	}
	fill(pen, k->accent, r - 0.06f);
	fill(pen, k->second, r - 0.03f);
	blend(pen, ink_black,
	    fmaxf(r - 0.47f, 0.49f - len(pen->x + 0.06f, y + 0.06f)), 0.15f);
}

static inline void
draw_tile(struct pen *pen, const struct inks *k)
{
	for (int i = 0; i < 4; i++) {
		float x = pen->x - (i % 2 ? 0.225f : -0.225f),
		      y = pen->y - (i / 2 ? 0.22f : -0.23f);
		float star = fminf(
		    fmaxf(fabsf(x), fabsf(y)), (fabsf(x) + fabsf(y)) * 0.7071f);

		fill(pen, k->second, box(x, y, 0.2f, 0.2f) - 0.01f);
		blend(pen, k->main, fabsf(box(x, y, 0.185f, 0.185f)) - 0.006f, 1);
		fill(pen, i == 0 || i == 3 ? k->main : k->accent, star - 0.115f);
		fill(pen, k->second, star - 0.075f);
		fill(pen, i == 0 || i == 3 ? k->accent : k->main, star - 0.045f);
	}
}

static inline void
draw_cushion(struct pen *pen, const struct inks *k)
{
	float x = fabsf(pen->x), y = fabsf(pen->y - 0.04f);
	float d =
	    fmaxf(x - 0.44f + 0.16f * y * y, y - 0.4f + 0.16f * x * x) - 0.01f;

	for (int i = 0; i < 5; i++)
		fill(pen, k->second,
		    bar(x, y, 0.41f, 0.37f, 0.46f + 0.012f * (float)i,
			0.45f - 0.014f * (float)i, 0.007f));
	fill(pen, k->main, d);
	weave(pen, PLAIN, d, -0.27f, -0.25f, k->accent);
	weave(pen, ZIGZAG, d, -0.24f, -0.14f, k->second);
	weave(pen, DIAMONDS, d, -0.1f, 0.18f, k->accent);
	weave(pen, ZIGZAG, d, 0.22f, 0.32f, k->second);
	weave(pen, PLAIN, d, 0.33f, 0.35f, k->accent);
	blend(pen, ink_black, fabsf(d + 0.018f) - 0.005f, 0.3f);
	blend(pen, ink_black, fmaxf(d, 0.2f - pen->x - 0.3f * pen->y), 0.1f);
}

/* Folded in three, the fringe hanging from the lowest fold. */
static inline void
draw_cloth(struct pen *pen, const struct inks *k)
{
	for (int i = 0; i < 19; i++)
		fill(pen, k->accent,
		    bar(pen->x, pen->y, 0.046f * (float)(i - 9), 0.34f,
			0.046f * (float)(i - 9), 0.45f, 0.009f));
	for (int i = 0; i < 3; i++) {
		float top = -0.36f + 0.24f * (float)i,
		      w = 0.42f + 0.012f * (float)i;
		float d = box(pen->x, pen->y - top - 0.115f, w, 0.1f) - 0.025f;

		fill(pen, i == 1 ? k->accent : k->main, d);
		weave(pen, PLAIN, d, top + 0.03f, top + 0.05f, k->second);
		weave(pen, i == 1 ? DIAMONDS : ZIGZAG, d, top + 0.07f, top + 0.17f,
		    i == 1 ? k->main : k->accent);
		weave(pen, PLAIN, d, top + 0.19f, top + 0.21f, k->second);
		blend(pen, ink_black, fmaxf(d, top + 0.2f - pen->y), 0.14f);
	}
}

/* Hung over a peg, one end longer than the other. */
static inline void
draw_scarf(struct pen *pen, const struct inks *k)
{
	fill(pen, k->second, len(pen->x, pen->y + 0.42f) - 0.05f);
	for (int i = 0; i < 2; i++) {
		float side = i ? 1.0f : -1.0f, end = i ? 0.36f : 0.24f;
		float centre = side * (0.09f + 0.1f * (pen->y + 0.4f));
		float x = pen->x - centre,
		      d = box(x, pen->y - (end - 0.38f) / 2,
			      0.07f + 0.1f * (pen->y + 0.4f), (end + 0.38f) / 2) -
			  0.02f;

		for (int f = -3; f <= 3; f++)
			fill(pen, k->accent,
			    bar(x, pen->y, 0.042f * (float)f, end,
				0.046f * (float)f, end + 0.09f, 0.008f));
		fill(pen, i ? k->main : k->second, d);
		weave(pen, PLAIN, d, end - 0.1f, end - 0.08f, k->accent);
		weave(pen, DIAMONDS, d, end - 0.24f, end - 0.12f, k->accent);
		weave(pen, PLAIN, d, end - 0.28f, end - 0.26f, k->accent);
		for (int f = -1; f <= 1; f++)
			blend(pen, ink_black,
			    fmaxf(d, fabsf(x - 0.07f * (float)f * (0.6f + pen->y)) -
					 0.006f),
			    0.18f);
	}
}

static inline void
draw_rug(struct pen *pen, const struct inks *k)
{
	float x = pen->x, y = fabsf(pen->y), d = box(x, y, 0.33f, 0.43f);
	float field = box(x, y, 0.24f, 0.34f);

	for (int i = -8; i <= 8; i++)
		fill(pen, k->accent,
		    bar(x, y, 0.04f * (float)i, 0.42f, 0.04f * (float)i, 0.49f,
			0.008f));
	fill(pen, k->main, d);
	fill(pen, k->accent, fabsf(field) - 0.012f);
	blend(pen, k->second, fmaxf(d + 0.02f, -(field - 0.02f)), 1);
	weave(pen, DIAMONDS, d, 0.345f, 0.425f, k->accent);
	weave(pen, DIAMONDS, d, -0.425f, -0.345f, k->accent);
	for (int i = -1; i <= 1; i++) {
		float m = fabsf(x) * 1.1f + fabsf(pen->y - 0.22f * (float)i);

		fill(pen, k->second, fmaxf(field + 0.02f, (m - 0.17f) * 0.7f));
		fill(pen, k->accent,
		    fmaxf(field + 0.02f, (fabsf(m - 0.12f) - 0.018f) * 0.7f));
		fill(pen, k->main, (m - 0.06f) * 0.7f);
	}
	for (int i = -4; i <= 4; i++)
		fill(pen, k->accent,
		    fmaxf(fabsf(d + 0.045f) - 0.03f,
			fabsf(fabsf(x) - 0.285f) +
			    fabsf(pen->y - 0.09f * (float)i) - 0.025f));
}

static inline void
draw_kilim(struct pen *pen, const struct inks *k)
{
	const struct rgb inks[] = { k->main, k->second, k->accent };
	float d = box(pen->x, pen->y, 0.36f, 0.42f);

	for (int i = -9; i <= 9; i++)
		fill(pen, k->accent,
		    bar(pen->x, fabsf(pen->y), 0.039f * (float)i, 0.41f,
			0.039f * (float)i, 0.48f, 0.008f));
	for (int i = 0; i < 7; i++) {
		float top = -0.42f + 0.12f * (float)i;

		weave(pen, PLAIN, d, top, top + 0.12f, inks[i % 3]);
		weave(pen, i % 2 ? ZIGZAG : DIAMONDS, d, top + 0.01f, top + 0.11f,
		    inks[(i + 2) % 3]);
		weave(pen, PLAIN, d, top - 0.006f, top + 0.006f, inks[(i + 1) % 3]);
	}
	blend(pen, ink_black, fabsf(d + 0.004f) - 0.004f, 0.3f);
}

static inline void
draw_prayer(struct pen *pen, const struct inks *k)
{
	float x = fabsf(pen->x), y = pen->y, d = box(x, y, 0.33f, 0.45f),
	      field = box(x, y, 0.25f, 0.37f);
	float arch = fminf(fmaxf(len(x + 0.14f, y + 0.02f) - 0.34f, y + 0.02f),
	    box(x, y - 0.18f, 0.2f, 0.2f));

	for (int i = -8; i <= 8; i++)
		fill(pen, k->accent,
		    bar(pen->x, fabsf(y), 0.04f * (float)i, 0.44f, 0.04f * (float)i,
			0.5f, 0.008f));
	fill(pen, k->second, d);
	weave(pen, DIAMONDS, d, -0.44f, -0.375f, k->accent);
	weave(pen, DIAMONDS, d, 0.375f, 0.44f, k->accent);
	for (int i = -4; i <= 4; i++)
		fill(pen, k->accent,
		    (fabsf(x - 0.29f) + fabsf(y - 0.085f * (float)i) - 0.028f) *
			0.7f);
	fill(pen, k->accent, field);
	fill(pen, k->main, field + 0.012f);
	fill(pen, k->accent, fmaxf(arch, field + 0.03f));
	fill(pen, k->second, fmaxf(arch + 0.015f, field + 0.045f));
	fill(pen, k->accent, box(x, y + 0.15f, 0.005f, 0.12f));
	fill(
	    pen, k->accent, fmaxf(ellipse(x, y - 0.02f, 0.06f, 0.08f), -0.02f - y));
	fill(pen, k->main, ellipse(x, y - 0.03f, 0.025f, 0.035f));
	weave(pen, ARCS, field + 0.045f, 0.24f, 0.31f, k->accent);
}

static inline void
draw_slipper(struct pen *pen, const struct inks *k)
{
	for (int i = -1; i <= 1; i += 2) {
		float x = pen->x - 0.2f * (float)i + 0.05f * (float)i * pen->y,
		      y = pen->y;
		float w = y < -0.1f ? 0.17f * sqrtf(fmaxf(0, (y + 0.46f) / 0.36f))
				    : 0.17f - 0.04f * (y + 0.1f);
		float d = fmaxf(fabsf(x) - w,
		    fmaxf(-0.46f - y,
			len(x * 1.1f, y - 0.24f) - 0.2f + fminf(0, y - 0.24f) * 9));

		fill(pen, k->second, d - 0.02f);
		fill(pen, k->accent, d);
		blend(pen, ink_black, fmaxf(d, 0.06f - y), 0.16f);
		fill(pen, k->main, fmaxf(d, y + 0.02f - 0.9f * x * x));
		blend(pen, k->second,
		    fmaxf(d, fabsf(y + 0.045f - 0.9f * x * x) - 0.008f), 1);
		fill(pen, k->accent,
		    fminf(fmaxf(fabsf(x), fabsf(y + 0.2f)),
			(fabsf(x) + fabsf(y + 0.2f)) * 0.7071f) -
			0.055f);
		fill(pen, k->second, len(x, y + 0.2f) - 0.025f);
	}
}

static inline void
draw_bag(struct pen *pen, const struct inks *k)
{
	float x = pen->x, y = pen->y;
	float body = box(x, y - 0.14f, 0.38f, 0.27f) - 0.05f;
	float flap =
	    fmaxf(box(x, y + 0.02f, 0.4f, 0.17f) - 0.04f, len(x, y + 0.5f) - 0.74f);

	fill(pen, k->second,
	    fmaxf(ring(x, y + 0.12f, 0.27f, 0.34f, 0.022f), y + 0.1f));
	fill(pen, k->second, body);
	fill(pen, k->main, flap);
	blend(pen, k->accent,
	    fmaxf(fabsf(flap + 0.03f) - 0.004f, cosf(70 * x + 55 * y) * 0.01f),
	    0.9f);
	for (int i = -1; i <= 1; i += 2) {
		fill(pen, k->second,
		    box(x - 0.2f * (float)i, y - 0.12f, 0.035f, 0.16f) - 0.01f);
		fill(pen, k->accent,
		    fabsf(box(x - 0.2f * (float)i, y - 0.2f, 0.045f, 0.04f)) -
			0.012f);
	}
	blend(pen, ink_black, fmaxf(body, fmaxf(-flap, y - 0.6f * fabsf(x) - 0.3f)),
	    0.15f);
}

static inline void
draw_pouf(struct pen *pen, const struct inks *k)
{
	float top = ellipse(pen->x, pen->y + 0.02f, 0.36f, 0.13f);
	float a = atan2f((pen->y + 0.02f) * 2.7f, pen->x);

	TURNED(pen, k->main, { -0.02f, 0.36f }, { 0.2f, 0.48f }, { 0.44f, 0.38f },
	    { 0.46f, 0.36f });
	for (int i = -3; i <= 3; i++)
		blend(pen, k->accent,
		    fmaxf(pen->d, fabsf(pen->turn - 0.13f * (float)i) - 0.007f),
		    0.8f);
	band(pen, DIAMONDS, 0.14f, 0.3f, k->accent);
	fill(pen, k->main, top);
	blend(pen, white, top, 0.12f);
	blend(
	    pen, k->accent, fmaxf(top, fabsf(sinf(6 * a)) * 0.12f - 0.012f), 0.8f);
	fill(pen, k->accent, ellipse(pen->x, pen->y + 0.02f, 0.1f, 0.036f));
	fill(pen, k->main, ellipse(pen->x, pen->y + 0.02f, 0.06f, 0.02f));
	blend(pen, k->second, fabsf(top) - 0.008f, 1);
}

static inline void
draw_book(struct pen *pen, const struct inks *k)
{
	float x = pen->x, y = pen->y, cover = box(x, y - 0.02f, 0.3f, 0.4f) - 0.03f;
	float star = fminf(fmaxf(fabsf(x), fabsf(y - 0.02f)),
	    (fabsf(x) + fabsf(y - 0.02f)) * 0.7071f);

	fill(pen, white, box(x - 0.035f, y - 0.05f, 0.3f, 0.39f) - 0.015f);
	blend(pen, k->second,
	    fmaxf(box(x - 0.035f, y - 0.05f, 0.3f, 0.39f), cosf(180 * x) * 0.01f),
	    0.3f);
	fill(pen, k->main, cover);
	blend(pen, ink_black, fmaxf(cover, x + 0.25f), 0.2f);
	blend(pen, k->accent, fabsf(cover + 0.06f) - 0.006f, 1);
	fill(pen, k->accent, star - 0.15f);
	fill(pen, k->main, star - 0.12f);
	fill(pen, k->accent, fabsf(star - 0.075f) - 0.012f);
	fill(pen, k->second, fmaxf(cover - 0.01f, fabsf(x - 0.24f) - 0.016f));
	fill(pen, k->accent, len(x - 0.24f, y - 0.02f) - 0.035f);
}

static inline void
draw_wallet(struct pen *pen, const struct inks *k)
{
	float x = pen->x, y = pen->y, d = box(x, y - 0.12f, 0.36f, 0.24f) - 0.04f;

	fill(pen, k->accent, box(x + 0.06f, y + 0.12f, 0.27f, 0.14f) - 0.02f);
	fill(pen, k->second, box(x - 0.04f, y + 0.05f, 0.28f, 0.14f) - 0.02f);
	fill(pen, k->main, d);
	blend(pen, ink_black, fmaxf(d, len(x, y + 0.2f) - 0.2f), 0.3f);
	blend(pen, k->accent,
	    fmaxf(fabsf(d + 0.035f) - 0.005f, cosf(80 * (x + y)) * 0.01f), 0.9f);
	weave(pen, DIAMONDS, d + 0.06f, 0.14f, 0.26f, k->accent);
	blend(pen, ink_black, fmaxf(d, 0.3f - y), 0.1f);
}

static inline void
draw_belt(struct pen *pen, const struct inks *k)
{
	for (int i = 3; i >= 1; i--) {
		float r = 0.13f * (float)i, q = len(pen->x, pen->y - 0.02f);
		float a = atan2f(pen->y - 0.02f, pen->x), d = fabsf(q - r) - 0.052f;
		float twist = sinf(a * (float)(8 * i) + (q - r) * 60);

		fill(pen, k->second, d - 0.006f);
		fill(pen, k->main, d);
		blend(pen, k->second, fmaxf(d, (fabsf(twist) - 0.35f) * 0.03f),
		    0.55f);
	}
	fill(pen, k->main,
	    box(pen->x - 0.25f, pen->y - 0.4f, 0.16f, 0.045f) - 0.01f);
	fill(pen, k->accent,
	    fabsf(box(pen->x - 0.4f, pen->y - 0.4f, 0.06f, 0.075f) - 0.015f) -
		0.016f);
	fill(pen, k->accent, bar(pen->x, pen->y, 0.33f, 0.4f, 0.45f, 0.4f, 0.012f));
}

static inline void
draw_tray(struct pen *pen, const struct inks *k)
{
	float y = pen->y + 0.01f, r = len(pen->x, y), a = atan2f(y, pen->x);

	fill(pen, k->second, r - 0.48f + 0.012f * cosf(32 * a));
	fill(pen, k->main, r - 0.45f);
	fill(pen, k->accent,
	    fmaxf(fabsf(r - 0.38f) - 0.04f, (0.35f - fabsf(sinf(12 * a))) * 0.05f));
	fill(pen, k->second, fminf(fabsf(r - 0.43f), fabsf(r - 0.33f)) - 0.006f);
	for (int i = 0; i < 12; i++) {
		float t = (float)i * 0.5236f, u = pen->x * cosf(t) + y * sinf(t),
		      v = y * cosf(t) - pen->x * sinf(t);
		float petal =
		    fmaxf(len(u - 0.18f, v - 0.09f), len(u - 0.18f, v + 0.09f)) -
		    0.14f;

		blend(pen, k->second, fabsf(petal) - 0.006f, 1);
	}
	fill(pen, k->accent, r - 0.07f + 0.012f * cosf(8 * a));
	fill(pen, k->second, fabsf(r - 0.035f) - 0.006f);
	blend(pen, white, fmaxf(r - 0.45f, fabsf(pen->x + y * 0.7f + 0.2f) - 0.06f),
	    0.2f);
}

static inline void
draw_soap(struct pen *pen, const struct inks *k)
{
	static const float at[][2] = { { -0.21f, 0.33f }, { 0.21f, 0.33f },
		{ 0, 0.05f } };

	for (size_t i = 0; i < COUNT(at); i++) {
		float x = pen->x - at[i][0], y = pen->y - at[i][1];
		float d = box(x, y, 0.175f, 0.1f) - 0.03f;

		fill(pen, k->main, d);
		blend(pen, k->second, fmaxf(d, 0.08f - y), 0.5f);
		blend(pen, k->second,
		    fabsf(box(x, y, 0.12f, 0.06f) - 0.02f) - 0.007f, 0.9f);
		fill(pen, k->second,
		    fmaxf(fabsf(len(x, y) - 0.042f) - 0.009f, -y - 0.03f));
		blend(pen, white, bar(x, y, -0.15f, -0.1f, 0.1f, -0.1f, 0.008f),
		    0.4f);
	}
	for (int i = 0; i < 5; i++) {
		float t = (float)(i - 2), x = pen->x - 0.1f * t,
		      y = pen->y + 0.3f - 0.03f * t * t;

		fill(pen, i % 2 ? k->second : k->main,
		    fmaxf(len(x - 0.05f - 0.02f * t, y),
			len(x + 0.05f - 0.02f * t, y)) -
			0.1f);
	}
	fill(pen, k->second,
	    fabsf(pen->y + 0.22f - 0.1f * pen->x * pen->x) - 0.006f +
		fmaxf(0, fabsf(pen->x) - 0.26f));
}

static inline void
draw_gift(struct pen *pen, const struct inks *k)
{
	float x = pen->x;

	pen->x = x - 0.2f;
	TURNED(pen, k->accent, { -0.1f, 0.07f }, { 0.0f, 0.15f }, { 0.42f, 0.15f },
	    { 0.46f, 0.13f });
	blend(pen, k->main, fmaxf(pen->d + 0.02f, 0.06f - pen->y), 0.9f);
	band(pen, PLAIN, 0.18f, 0.3f, k->accent);
	TURNED(
	    pen, k->second, { -0.26f, 0.05f }, { -0.24f, 0.07f }, { -0.1f, 0.08f });
	pen->x = x + 0.18f;
	fill(pen, k->main, box(pen->x, pen->y - 0.12f, 0.17f, 0.24f) - 0.06f);
	fill(pen, k->main, bar(pen->x, pen->y, 0.14f, 0.2f, 0.26f, 0.04f, 0.06f));
	weave(pen, DOTS, box(pen->x, pen->y - 0.1f, 0.17f, 0.2f), -0.06f, 0.04f,
	    k->accent);
	weave(pen, ZIGZAG, box(pen->x, pen->y - 0.1f, 0.17f, 0.2f), 0.06f, 0.16f,
	    k->accent);
	fill(pen, k->second, box(pen->x, pen->y - 0.4f, 0.2f, 0.045f) - 0.015f);
	pen->x = x;
}

#endif
