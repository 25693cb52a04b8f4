/*
 * pen.h -- what the pictures of the demo shop are drawn with.
 *
 * Every shape is a signed distance, negative inside, so that edges come out
 * smooth at any size.  The picture spans -1 to 1, y downwards; a thing stands
 * on y = 0.46 and keeps within the niche.
 */
#ifndef DEMO_PEN_H
#define DEMO_PEN_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define SIDE		480	/* pixels */
#define COUNT(a)	(sizeof(a) / sizeof(*(a)))
/* Light adds up, sRGB values do not: colours are kept as squares. */
#define PART(n)		((float)((n) & 0xff) / 255.0f * ((float)((n) & 0xff) / 255.0f))
#define RGB(n)		{ PART((n) >> 16), PART((n) >> 8), PART(n) }

struct rgb { float r, g, b; };
struct inks { struct rgb main, second, accent; };

struct pen {
	float		 x, y;
	struct rgb	 color;
	float		 d, turn;	/* of the vessel last turned: for its bands */
};

enum band { PLAIN, ZIGZAG, DIAMONDS, DOTS, ARCS };

static const struct rgb white = RGB(0xffffff), ink_black = RGB(0x1c1712);

static inline float
len(float x, float y)
{
	return sqrtf(x * x + y * y);
}

static inline void
blend(struct pen *pen, struct rgb ink, float d, float opacity)
{
	float a = opacity * fminf(fmaxf(0.5f - d * SIDE / 2, 0), 1);

	pen->color.r += (ink.r - pen->color.r) * a;
	pen->color.g += (ink.g - pen->color.g) * a;
	pen->color.b += (ink.b - pen->color.b) * a;
}

static inline void
fill(struct pen *pen, struct rgb ink, float d)
{
	blend(pen, ink, d, 1);
}

static inline float
box(float x, float y, float w, float h)
{
	x = fabsf(x) - w;
	y = fabsf(y) - h;
	return len(fmaxf(x, 0), fmaxf(y, 0)) + fminf(fmaxf(x, y), 0);
}

static inline float
ellipse(float x, float y, float w, float h)
{
	float k = len(x / w, y / h);

	return k * (k - 1) / fmaxf(len(x / (w * w), y / (h * h)), 1e-6f);
}

/* A bar with round ends. */
static inline float
bar(float x, float y, float x1, float y1, float x2, float y2, float r)
{
	float dx = x2 - x1, dy = y2 - y1;
	float t = ((x - x1) * dx + (y - y1) * dy) / (dx * dx + dy * dy);

	t = fminf(fmaxf(t, 0), 1);
	return len(x - x1 - t * dx, y - y1 - t * dy) - r;
}

static inline float
ring(float x, float y, float w, float h, float r)
{
	return fabsf(ellipse(x, y, w, h)) - r;
}

/*
 * A vessel, as from a potter's wheel: half its width at each height, a smooth
 * curve between.
 */
static inline void
turned(struct pen *pen, struct rgb ink, const float (*at)[2], size_t count)
{
	float y = fminf(fmaxf(pen->y, at[0][0]), at[count - 1][0]);
	float width, slope, t, span;
	size_t i = 0;

	while (i + 2 < count && y > at[i + 1][0])
		i++;
	span = at[i + 1][0] - at[i][0];
	t = (y - at[i][0]) / span;
	width = at[i][1] + (at[i + 1][1] - at[i][1]) * t * t * (3 - 2 * t);
	slope = (at[i + 1][1] - at[i][1]) * 6 * t * (1 - t) / span;
	pen->d = fmaxf((fabsf(pen->x) - width) / sqrtf(1 + slope * slope),
	    fmaxf(at[0][0] - pen->y, pen->y - at[count - 1][0]));
	pen->turn = asinf(fminf(fmaxf(pen->x / fmaxf(width, 0.01f), -1), 1)) * 0.32f;
	fill(pen, ink, pen->d);
	blend(pen, white, fmaxf(pen->d + 0.02f, fabsf(pen->turn + 0.2f) - 0.035f), 0.22f);
	blend(pen, ink_black, fmaxf(pen->d, 0.17f - pen->turn), 0.14f);
}
#define TURNED(pen, ink, ...) turned(pen, ink, (const float[][2]){ __VA_ARGS__ }, \
    COUNT(((const float[][2]){ __VA_ARGS__ })))

/* Around the vessel last turned; the pattern narrows towards its sides. */
static inline void
band(struct pen *pen, enum band kind, float top, float bottom, struct rgb ink)
{
	float h = bottom - top;
	float u = pen->turn / h, v = (pen->y - top) / h - 0.5f;
	float d = fabsf(v) - 0.5f;

	u -= floorf(u) + 0.5f;
	switch (kind) {
	case PLAIN:	break;
	case ZIGZAG:	d = fabsf(v + 0.35f - 1.4f * fabsf(u)) - 0.13f; break;
	case DIAMONDS:	d = fabsf(fabsf(u) + fabsf(v) - 0.3f) - 0.1f; break;
	case DOTS:	d = len(u, v) - 0.28f; break;
	case ARCS:	d = fmaxf(fabsf(len(u, v - 0.4f) - 0.38f) - 0.1f, v - 0.5f); break;
	}
	fill(pen, ink, fmaxf(d * h, fmaxf(pen->d, fabsf(v) * h - h / 2)));
}

/* Woven into a flat thing of outline d. */
static inline void
weave(struct pen *pen, enum band kind, float d, float top, float bottom, struct rgb ink)
{
	pen->d = d;
	pen->turn = pen->x;
	band(pen, kind, top, bottom, ink);
}

#endif
