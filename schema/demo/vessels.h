/*
 * vessels.h -- what stands on a foot: bowls, pots, lamps, bottles.
 */
#ifndef DEMO_VESSELS_H
#define DEMO_VESSELS_H

#include "pen.h"

static inline void
draw_spice(struct pen *pen, const struct inks *k)
{
	TURNED(pen, k->main, { -0.4f, 0.01f }, { -0.3f, 0.06f }, { 0.16f, 0.4f });
	for (int i = 0; i < 7; i++)
		blend(pen, i % 2 ? k->accent : ink_black,
		    fmaxf(pen->d + 0.01f,
			len(pen->x - 0.045f * (float)(i * 5 % 9 - 4),
			    pen->y + 0.02f * (float)(i * 4 - 17) / 2) -
			    0.012f),
		    0.45f);
	TURNED(pen, k->second, { 0.12f, 0.46f }, { 0.2f, 0.44f }, { 0.42f, 0.2f },
	    { 0.46f, 0.22f });
	band(pen, PLAIN, 0.12f, 0.145f, k->accent);
	band(pen, DIAMONDS, 0.17f, 0.27f, k->accent);
}

static inline void
draw_tin(struct pen *pen, const struct inks *k)
{
	TURNED(pen, k->main, { -0.24f, 0.3f }, { 0.44f, 0.3f }, { 0.46f, 0.29f });
	band(pen, ARCS, -0.2f, -0.1f, k->accent);
	band(pen, PLAIN, -0.06f, 0.28f, k->accent);
	fill(pen, k->second, ring(pen->x, pen->y - 0.11f, 0.12f, 0.12f, 0.012f));
	fill(pen, k->second,
	    fminf(box(pen->x, pen->y - 0.11f, 0.055f, 0.055f),
		(fabsf(pen->x) + fabsf(pen->y - 0.11f) - 0.11f) * 0.7f));
	band(pen, ARCS, 0.32f, 0.42f, k->accent);
	TURNED(pen, k->second, { -0.4f, 0.05f }, { -0.37f, 0.05f },
	    { -0.35f, 0.2f }, { -0.31f, 0.31f }, { -0.22f, 0.31f });
}

static inline void
draw_jar(struct pen *pen, const struct inks *k)
{
	TURNED(pen, k->accent, { -0.26f, 0.2f }, { -0.16f, 0.3f }, { 0.4f, 0.32f },
	    { 0.46f, 0.27f });
	blend(pen, k->main, fmaxf(pen->d + 0.03f, -0.12f - pen->y), 0.9f);
	for (int i = 0; i < 9; i++)
		blend(pen, k->second,
		    fmaxf(
			pen->d + 0.03f, len(pen->x - 0.06f * (float)(i * 7 % 9 - 4),
					    pen->y - 0.055f * (float)i + 0.06f) -
					    0.022f),
		    0.35f);
	fill(pen, k->accent, box(pen->x, pen->y - 0.16f, 0.19f, 0.1f) - 0.01f);
	fill(pen, k->second,
	    fabsf(box(pen->x, pen->y - 0.16f, 0.17f, 0.085f)) - 0.005f);
	fill(pen, k->second, fabsf(len(pen->x, pen->y - 0.16f) - 0.045f) - 0.012f);
	TURNED(pen, k->second, { -0.4f, 0.19f }, { -0.37f, 0.22f },
	    { -0.25f, 0.22f }, { -0.23f, 0.2f });
}

static inline void
draw_glass(struct pen *pen, const struct inks *k)
{
	TURNED(pen, k->accent, { -0.38f, 0.27f }, { 0.0f, 0.2f }, { 0.3f, 0.24f },
	    { 0.44f, 0.2f }, { 0.46f, 0.2f });
	blend(pen, k->main, fmaxf(pen->d + 0.025f, -0.26f - pen->y), 0.85f);
	band(pen, PLAIN, -0.38f, -0.35f, k->second);
	band(pen, ARCS, -0.12f, 0.02f, k->accent);
	band(pen, DIAMONDS, 0.05f, 0.21f, k->accent);
	band(pen, PLAIN, 0.26f, 0.28f, k->second);
	for (int i = -1; i <= 1; i += 2)
		blend(pen, k->second,
		    bar(pen->x + 0.02f * sinf(16 * pen->y + (float)i), pen->y,
			0.07f * (float)i, -0.42f, 0.08f * (float)i, -0.52f, 0.008f),
		    0.35f);
}

static inline void
draw_cup(struct pen *pen, const struct inks *k)
{
	float x = pen->x, y = pen->y;

	for (int i = 0; i < 4; i++) {
		bool upper = i < 2, left = i % 2 == 0;

		pen->x = x + (left ? 0.24f : -0.24f) * (upper ? 0.94f : 1);
		pen->y = y + (upper ? 0.42f : 0);
		TURNED(pen, upper == left ? k->main : k->second, { 0.08f, 0.21f },
		    { 0.26f, 0.2f }, { 0.43f, 0.1f }, { 0.46f, 0.12f });
		band(pen, PLAIN, 0.08f, 0.1f, k->accent);
		band(pen, i % 3 == 0 ? ZIGZAG : DOTS, 0.16f, 0.27f, k->accent);
	}
	pen->x = x;
	pen->y = y;
}

static inline void
draw_date(struct pen *pen, const struct inks *k)
{
	static const float at[][3] = {
		{ -0.22f, 0.02f, 0.5f },
		{ 0.22f, 0.02f, -0.5f },
		{ 0, -0.1f, 0.1f },
		{ -0.3f, 0.22f, -0.2f },
		{ 0.02f, 0.16f, -0.3f },
		{ 0.3f, 0.22f, 0.3f },
		{ -0.12f, 0.28f, 0.2f },
		{ 0.16f, 0.28f, -0.1f },
	};

	for (size_t i = 0; i < COUNT(at); i++) {
		float x = pen->x - at[i][0], y = pen->y - at[i][1];
		float c = cosf(at[i][2]), s = sinf(at[i][2]);
		float d = ellipse(x * c + y * s, y * c - x * s, 0.2f, 0.105f);

		fill(pen, i % 2 ? k->main : k->second, d);
		blend(pen, ink_black, fabsf(d) - 0.006f, 0.5f);
		blend(pen, white,
		    ellipse(x * c + y * s + 0.05f, y * c - x * s + 0.04f, 0.09f,
			0.016f),
		    0.4f);
	}
	TURNED(pen, k->accent, { 0.3f, 0.48f }, { 0.42f, 0.44f }, { 0.46f, 0.42f });
	weave(pen, ZIGZAG, pen->d, 0.33f, 0.42f, k->second);
}

static inline void
draw_sweet(struct pen *pen, const struct inks *k)
{
	for (int row = 0; row < 3; row++)
		for (int i = 0; i < 4 - row; i++) {
			float x =
			    pen->x - 0.22f * ((float)i - (float)(3 - row) / 2);
			float y = pen->y - 0.18f + 0.19f * (float)row;
			float d =
			    (fabsf(x) * 0.9f + fabsf(y) - 0.13f) * 0.74f - 0.015f;

			fill(pen, k->main, d);
			fill(pen, k->accent, fmaxf(d, y + 0.015f));
			blend(pen, k->second, fabsf(d) - 0.006f, 0.8f);
			fill(pen, k->second, len(x, y + 0.05f) - 0.03f);
		}
	TURNED(pen, k->second, { 0.29f, 0.5f }, { 0.33f, 0.46f }, { 0.36f, 0.08f },
	    { 0.43f, 0.08f }, { 0.46f, 0.2f });
	band(pen, PLAIN, 0.29f, 0.31f, k->accent);
}

static inline void
draw_bowl(struct pen *pen, const struct inks *k)
{
	fill(pen, k->second, ellipse(pen->x, pen->y + 0.06f, 0.48f, 0.1f));
	blend(
	    pen, ink_black, ellipse(pen->x, pen->y + 0.045f, 0.43f, 0.075f), 0.3f);
	TURNED(pen, k->main, { -0.06f, 0.48f }, { 0.1f, 0.46f }, { 0.38f, 0.19f },
	    { 0.4f, 0.17f }, { 0.46f, 0.22f });
	/* The near rim lies lower than the far one. */
	blend(pen, k->second,
	    fmaxf(pen->d, ellipse(pen->x, pen->y + 0.06f, 0.48f, 0.1f)), 1);
	blend(
	    pen, ink_black, ellipse(pen->x, pen->y + 0.05f, 0.44f, 0.078f), 0.28f);
	band(pen, DIAMONDS, 0.09f, 0.2f, k->second);
	band(pen, PLAIN, 0.22f, 0.235f, k->accent);
	band(pen, ARCS, 0.25f, 0.33f, k->second);
}

static inline void
draw_tagine(struct pen *pen, const struct inks *k)
{
	TURNED(pen, k->main, { -0.46f, 0.07f }, { -0.41f, 0.075f },
	    { -0.36f, 0.05f }, { -0.3f, 0.08f }, { 0.2f, 0.4f }, { 0.22f, 0.42f });
	band(pen, DOTS, -0.2f, -0.13f, k->accent);
	band(pen, ZIGZAG, -0.08f, 0.03f, k->second);
	band(pen, DIAMONDS, 0.06f, 0.18f, k->second);
	TURNED(pen, k->second, { 0.22f, 0.48f }, { 0.28f, 0.48f }, { 0.44f, 0.34f },
	    { 0.46f, 0.34f });
	band(pen, PLAIN, 0.25f, 0.27f, k->accent);
	band(pen, ARCS, 0.3f, 0.38f, k->main);
}

static inline void
draw_vase(struct pen *pen, const struct inks *k)
{
	fill(pen, k->main,
	    ring(fabsf(pen->x) - 0.17f, pen->y + 0.26f, 0.1f, 0.13f, 0.022f));
	TURNED(pen, k->main, { -0.48f, 0.15f }, { -0.45f, 0.15f },
	    { -0.28f, 0.09f }, { 0.06f, 0.34f }, { 0.42f, 0.15f },
	    { 0.46f, 0.17f });
	band(pen, PLAIN, -0.17f, -0.155f, k->accent);
	band(pen, ARCS, -0.12f, -0.02f, k->second);
	band(pen, DIAMONDS, 0, 0.14f, k->second);
	band(pen, ARCS, 0.17f, 0.25f, k->second);
	band(pen, PLAIN, 0.28f, 0.295f, k->accent);
}

static inline void
draw_lantern(struct pen *pen, const struct inks *k)
{
	fill(pen, k->second, ring(pen->x, pen->y + 0.5f, 0.06f, 0.06f, 0.014f));
	TURNED(pen, k->main, { -0.44f, 0.02f }, { -0.4f, 0.06f }, { -0.2f, 0.2f },
	    { -0.16f, 0.26f });
	band(pen, DOTS, -0.28f, -0.22f, k->accent);
	TURNED(pen, k->second, { -0.16f, 0.24f }, { 0.1f, 0.3f }, { 0.34f, 0.24f });
	band(pen, PLAIN, -0.13f, 0.31f, k->accent);
	blend(pen, white, len(pen->x, pen->y - 0.14f) - 0.09f, 0.6f);
	band(pen, ZIGZAG, -0.13f, -0.03f, k->second);
	band(pen, DIAMONDS, -0.02f, 0.2f, k->second);
	band(pen, ZIGZAG, 0.21f, 0.31f, k->second);
	TURNED(pen, k->main, { 0.33f, 0.27f }, { 0.37f, 0.22f }, { 0.46f, 0.3f });
}

static inline void
draw_pendant(struct pen *pen, const struct inks *k)
{
	blend(pen, k->accent, ellipse(pen->x, pen->y - 0.16f, 0.5f, 0.34f), 0.25f);
	blend(pen, k->accent, ellipse(pen->x, pen->y - 0.16f, 0.4f, 0.27f), 0.3f);
	fill(pen, k->second, box(pen->x, pen->y + 0.42f, 0.01f, 0.17f));
	TURNED(pen, k->second, { -0.32f, 0.05f }, { -0.2f, 0.1f });
	TURNED(pen, k->main, { -0.21f, 0.1f }, { 0.12f, 0.36f }, { 0.16f, 0.37f });
	band(pen, ARCS, -0.12f, -0.04f, k->accent);
	band(pen, DIAMONDS, -0.03f, 0.1f, k->accent);
	fill(pen, k->second, ellipse(pen->x, pen->y - 0.16f, 0.37f, 0.05f));
	fill(pen, k->accent, ellipse(pen->x, pen->y - 0.165f, 0.32f, 0.035f));
	fill(pen, white, ellipse(pen->x, pen->y - 0.19f, 0.07f, 0.07f));
}

static inline void
draw_sconce(struct pen *pen, const struct inks *k)
{
	float a = atan2f(pen->y - 0.2f, pen->x);

	blend(pen, k->accent, ellipse(pen->x, pen->y, 0.5f, 0.5f), 0.35f);
	TURNED(pen, k->accent, { -0.42f, 0.3f }, { -0.1f, 0.36f }, { 0.3f, 0.08f },
	    { 0.34f, 0.08f });
	blend(
	    pen, k->main, fmaxf(pen->d, 0.07f - fabsf(sinf(7 * a)) * 0.1f), 0.25f);
	band(pen, ARCS, -0.38f, -0.28f, k->second);
	band(pen, DOTS, -0.24f, -0.16f, k->main);
	band(pen, DIAMONDS, -0.12f, 0.04f, k->second);
	TURNED(pen, k->second, { 0.3f, 0.1f }, { 0.36f, 0.12f }, { 0.42f, 0.03f },
	    { 0.46f, 0.02f });
}

static inline void
draw_dallah(struct pen *pen, const struct inks *k)
{
	float x = pen->x, y = pen->y;

	fill(pen, k->second,
	    fmaxf(ring(x - 0.2f, y - 0.02f, 0.16f, 0.26f, 0.022f), 0.13f - x));
	fill(pen, k->main,
	    fminf(bar(x, y, -0.1f, -0.06f, -0.38f, -0.26f, 0.028f),
		fmaxf(bar(x, y, -0.14f, -0.06f, -0.3f, -0.17f, 0.06f),
		    y + 0.02f - 0.4f * x - 0.14f)));
	TURNED(pen, k->main, { -0.2f, 0.13f }, { 0.02f, 0.11f }, { 0.3f, 0.28f },
	    { 0.43f, 0.17f }, { 0.46f, 0.22f });
	band(pen, PLAIN, 0.0f, 0.015f, k->second);
	band(pen, ARCS, 0.1f, 0.19f, k->accent);
	band(pen, DIAMONDS, 0.21f, 0.33f, k->second);
	TURNED(pen, k->second, { -0.5f, 0.01f }, { -0.42f, 0.035f },
	    { -0.38f, 0.02f }, { -0.24f, 0.14f }, { -0.2f, 0.15f });
	band(pen, PLAIN, -0.25f, -0.23f, k->accent);
}

static inline void
draw_teapot(struct pen *pen, const struct inks *k)
{
	float x = pen->x, y = pen->y;

	fill(pen, k->second,
	    fmaxf(ring(x - 0.25f, y - 0.12f, 0.2f, 0.22f, 0.024f), 0.15f - x));
	fill(pen, k->main,
	    fminf(fminf(bar(x, y, -0.2f, 0.24f, -0.36f, 0.12f, 0.045f),
		      bar(x, y, -0.36f, 0.12f, -0.4f, -0.06f, 0.034f)),
		bar(x, y, -0.4f, -0.06f, -0.47f, -0.13f, 0.026f)));
	TURNED(pen, k->main, { -0.1f, 0.13f }, { -0.04f, 0.15f }, { 0.22f, 0.31f },
	    { 0.38f, 0.16f }, { 0.4f, 0.16f }, { 0.46f, 0.2f });
	band(pen, ARCS, 0.04f, 0.14f, k->second);
	band(pen, DIAMONDS, 0.16f, 0.3f, k->accent);
	TURNED(pen, k->second, { -0.46f, 0.02f }, { -0.41f, 0.04f },
	    { -0.36f, 0.015f }, { -0.32f, 0.04f }, { -0.1f, 0.16f });
	band(pen, ZIGZAG, -0.2f, -0.12f, k->accent);
}

static inline void
draw_cezve(struct pen *pen, const struct inks *k)
{
	fill(
	    pen, k->second, bar(pen->x, pen->y, 0.1f, 0.04f, 0.46f, -0.3f, 0.032f));
	fill(pen, k->accent,
	    bar(pen->x, pen->y, 0.1f, 0.04f, 0.22f, -0.07f, 0.038f));
	TURNED(pen, k->main, { -0.1f, 0.24f }, { -0.06f, 0.2f }, { 0.0f, 0.17f },
	    { 0.38f, 0.31f }, { 0.44f, 0.3f }, { 0.46f, 0.27f });
	for (int row = 0; row < 6; row++)
		band(pen, DOTS, 0.1f + 0.05f * (float)row,
		    0.15f + 0.05f * (float)row, row % 2 ? k->accent : k->second);
	band(pen, PLAIN, -0.1f, -0.075f, k->accent);
	for (int i = -1; i <= 1; i++)
		blend(pen, white,
		    bar(pen->x + 0.02f * sinf(18 * pen->y + (float)i), pen->y,
			0.1f * (float)i, -0.18f, 0.1f * (float)i, -0.4f, 0.008f),
		    0.8f);
}

static inline void
draw_burner(struct pen *pen, const struct inks *k)
{
	for (int i = -1; i <= 1; i++)
		blend(pen, k->second,
		    bar(pen->x + 0.03f * sinf(16 * pen->y + 2 * (float)i), pen->y,
			0.08f * (float)i, -0.3f, 0.1f * (float)i, -0.52f, 0.008f),
		    0.4f);
	TURNED(pen, k->main, { -0.34f, 0.02f }, { -0.28f, 0.05f },
	    { -0.25f, 0.03f }, { 0.06f, 0.28f }, { 0.08f, 0.3f });
	band(pen, DOTS, -0.14f, -0.07f, k->second);
	band(pen, DIAMONDS, -0.05f, 0.05f, k->second);
	TURNED(pen, k->main, { 0.08f, 0.32f }, { 0.12f, 0.32f }, { 0.3f, 0.06f },
	    { 0.36f, 0.06f }, { 0.46f, 0.24f });
	band(pen, PLAIN, 0.08f, 0.11f, k->accent);
	band(pen, ARCS, 0.14f, 0.21f, k->accent);
}

static inline void
draw_perfume(struct pen *pen, const struct inks *k)
{
	float y = pen->y - 0.2f;
	float star = fminf(
	    fmaxf(fabsf(pen->x), fabsf(y)), (fabsf(pen->x) + fabsf(y)) * 0.7071f);

	TURNED(pen, k->accent, { -0.16f, 0.08f }, { -0.1f, 0.1f }, { 0.16f, 0.32f },
	    { 0.42f, 0.2f }, { 0.46f, 0.2f });
	blend(pen, k->main, fmaxf(pen->d + 0.025f, 0.04f - pen->y), 0.9f);
	fill(pen, k->accent, star - 0.1f);
	fill(pen, k->second, star - 0.07f);
	fill(pen, k->accent, star - 0.035f);
	TURNED(pen, k->second, { -0.2f, 0.11f }, { -0.14f, 0.11f });
	TURNED(pen, k->second, { -0.48f, 0.01f }, { -0.42f, 0.06f },
	    { -0.34f, 0.1f }, { -0.22f, 0.04f }, { -0.2f, 0.05f });
	band(pen, PLAIN, -0.36f, -0.34f, k->accent);
}

#endif
