#include "parts.h"

#include <math.h>
#include <string.h>

/* Lanczos' filter reaches over three pixels of what comes out, both ways: at most
 * OPEN rows of it are waiting for the same one of what goes in. */
enum { LOBES = 3, OPEN = 8 };

/* Blue, green, red and alpha at once, the first three multiplied by the last:
 * what cannot be seen counts for nothing. */
typedef float four __attribute__((vector_size(16)));

/* Which of what goes in becomes one of what comes out, and how much of each. */
struct mix { int first, count; const float *weight; };

struct shrinker {
	WebPPicture	*to;
	int		 width;		/* of what goes in */
	int		 row, done;	/* how many have come, and gone */
	const struct mix *across, *down;
	four		*wide, *narrow;
	four		*sum[OPEN];
};

static double
lanczos(double x)
{
	double angle = x * 3.14159265358979323846;

	if (x <= -LOBES || x >= LOBES)
		return 0;
	return x == 0 ? 1 : LOBES * sin(angle) * sin(angle / LOBES) / (angle * angle);
}

static struct mix
mix(double middle, double ratio, int from, float *weight)
{
	int first = (int)fmax(0, ceil(middle - LOBES * ratio - 0.5));
	int last = (int)fmin(from - 1, floor(middle + LOBES * ratio - 0.5));
	double sum = 0;

	for (int i = first; i <= last; i++)
		sum += lanczos((i + 0.5 - middle) / ratio);
	for (int i = first; i <= last; i++)
		weight[i - first] = (float)(lanczos((i + 0.5 - middle) / ratio) / sum);
	return (struct mix){ first, last - first + 1, weight };
}

static const struct mix *
plan(int from, int to)
{
	double ratio = (double)from / to;
	size_t most = (size_t)(2 * LOBES * ratio) + 2;
	struct mix *all = room_for((size_t)to, sizeof(*all));
	float *weights = room_for((size_t)to * most, sizeof(*weights));

	for (int i = 0; i < to; i++)
		all[i] = mix((i + 0.5) * ratio, ratio, from, weights + (size_t)i * most);
	return all;
}

static int
part(int side, int bound, int longer)
{
	int part = (int)(((int64_t)side * bound + longer / 2) / longer);

	return part > 0 ? part : 1;
}

void
fit(int *width, int *height, int bound)
{
	int longer = *width > *height ? *width : *height;

	if (longer <= bound)
		return;
	*width = part(*width, bound, longer);
	*height = part(*height, bound, longer);
}

void
make_fitting(WebPPicture *picture, int width, int height, int bound)
{
	fit(&width, &height, bound);
	make_room(picture, width, height);
}

struct shrinker *
shrinker(WebPPicture *to, int width, int height)
{
	struct shrinker *s = room_for(1, sizeof(*s));
	int narrow = to->width, low = to->height;

	*s = (struct shrinker){ .to = to, .width = width };
	if (narrow == width && low == height)
		return s;
	s->across = plan(width, narrow);
	s->down = plan(height, low);
	s->wide = room_for((size_t)width, sizeof(four));
	s->narrow = room_for((size_t)narrow, sizeof(four));
	for (int i = 0; i < OPEN; i++)
		s->sum[i] = room_for((size_t)narrow, sizeof(four));
	return s;
}

static void
unpack(four *to, const unsigned char *bgra, int n)
{
	for (int i = 0; i < n; i++, bgra += 4)
		to[i] = (four){ bgra[0], bgra[1], bgra[2], 255 } * (bgra[3] / 255.0f);
}

static unsigned char
whole(float value)
{
	return value < 0 ? 0 : value > 255 ? 255 : (unsigned char)(value + 0.5f);
}

static void
pack(unsigned char *bgra, four *from, int n)
{
	for (int i = 0; i < n; i++, bgra += 4) {
		four seen = from[i][3] > 0 ? from[i] * (255 / from[i][3]) : (four){ 0, 0, 0, 0 };

		for (int j = 0; j < 3; j++)
			bgra[j] = whole(seen[j]);
		bgra[3] = whole(from[i][3]);
		from[i] = (four){ 0, 0, 0, 0 };
	}
}

static void
narrow_row(const struct shrinker *s)
{
	for (int x = 0; x < s->to->width; x++) {
		const struct mix *m = &s->across[x];
		const four *from = s->wide + m->first;
		four sum = { 0, 0, 0, 0 };

		for (int i = 0; i < m->count; i++)
			sum += from[i] * m->weight[i];
		s->narrow[x] = sum;
	}
}

void
shrink_row(struct shrinker *s, const unsigned char *bgra)
{
	int row = s->row++, width = s->to->width, height = s->to->height;

	if (s->wide == NULL) {
		memcpy(row_of(s->to, row), bgra, (size_t)width * 4);
		return;
	}
	unpack(s->wide, bgra, s->width);
	narrow_row(s);
	for (int y = s->done; y < height && s->down[y].first <= row; y++) {
		float weight = s->down[y].weight[row - s->down[y].first];
		four *sum = s->sum[y % OPEN];

		for (int x = 0; x < width; x++)
			sum[x] += s->narrow[x] * weight;
	}
	for (; s->done < height && s->down[s->done].first + s->down[s->done].count == row + 1; s->done++)
		pack(row_of(s->to, s->done), s->sum[s->done % OPEN], width);
}
