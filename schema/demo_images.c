/*
 * demo_images PRODUCTS.tsv DIR
 *
 * Draws a picture for each product of the demo shop, DIR/<slug>.png: the thing
 * in a niche of a tiled wall.  Category and slug decide tiles, arch and
 * colours, so a product always looks the same, and no two quite alike.
 * Pictures newer than the list and this program are left as they are.
 */
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "demo/pen.h"
#include "demo/png.h"
#include "demo/vessels.h"
#include "demo/wares.h"

enum arch { HORSESHOE, POINTED, STAR, ARCHES };
enum tiles { STARS, HEXAGONS, PETALS, SCALES, SQUARES, CHEVRONS, TILES };

struct scene {
	struct rgb	 wall, tile, grout, niche;
	struct inks	 inks;
	enum arch	 arch;
	enum tiles	 tiles;
	void		(*draw)(struct pen *, const struct inks *);
};

static const struct {
	const char	*category;
	struct rgb	 wall, tile, grout, niche;
	struct inks	 inks[2];
} palettes[] = {
	{ "spices", RGB(0xab4e2c), RGB(0xc0653c), RGB(0xe8c493), RGB(0xf8ecd6),
	  { { RGB(0xc2452d), RGB(0x2c5f6b), RGB(0xe9b44c) },
	    { RGB(0xd08a2e), RGB(0x8c3b2a), RGB(0xf3dca8) } } },
	{ "teas", RGB(0x2d5a4d), RGB(0x3d7061), RGB(0xc4d3ac), RGB(0xf4f1de),
	  { { RGB(0x6f8f3a), RGB(0x2d5a4d), RGB(0xe0b04a) },
	    { RGB(0xb5472f), RGB(0x2d5a4d), RGB(0xe9c46a) } } },
	{ "sweets", RGB(0x73374c), RGB(0x8c4a60), RGB(0xe8c3b0), RGB(0xfbf0e4),
	  { { RGB(0x8a4b2a), RGB(0xb9652f), RGB(0xf0c87a) },
	    { RGB(0xd8a657), RGB(0x7a8f3c), RGB(0xf6e3b8) } } },
	{ "ceramics", RGB(0x1f4b85), RGB(0x2f62a0), RGB(0xdfe8ef), RGB(0xf7f2e6),
	  { { RGB(0x2a5fa5), RGB(0xf4f0e4), RGB(0xe3a63a) },
	    { RGB(0x1f7f78), RGB(0xf6efd9), RGB(0xd9573f) } } },
	{ "lamps", RGB(0x1d2a48), RGB(0x2a3a60), RGB(0xd3a24a), RGB(0xf6e3b4),
	  { { RGB(0xb9822f), RGB(0x7a4f1a), RGB(0xffdf8a) },
	    { RGB(0x2f6f8f), RGB(0x8a5a1c), RGB(0xffd27a) } } },
	{ "textiles", RGB(0x93304d), RGB(0xab4564), RGB(0xf0cbc0), RGB(0xfaf1e8),
	  { { RGB(0xc9713b), RGB(0x2f5d73), RGB(0xf3d9a4) },
	    { RGB(0x3f7f78), RGB(0xb23a48), RGB(0xf4e4c1) } } },
	{ "rugs", RGB(0x7f2b22), RGB(0x983c2e), RGB(0xe5c088), RGB(0xf7ecd8),
	  { { RGB(0xa83232), RGB(0x22405f), RGB(0xf0d9a8) },
	    { RGB(0x2d5f5d), RGB(0xb5502c), RGB(0xf2dfb2) } } },
	{ "leather", RGB(0x62401f), RGB(0x78512d), RGB(0xdab685), RGB(0xf6ebd9),
	  { { RGB(0xa9622d), RGB(0x5f3515), RGB(0xe9b55a) },
	    { RGB(0x8b3f24), RGB(0x4d2413), RGB(0xe0b060) } } },
	{ "brass-copper", RGB(0x1d6666), RGB(0x2b7b7a), RGB(0xe2c67c), RGB(0xf5eedc),
	  { { RGB(0xc4923a), RGB(0x7d541b), RGB(0xf4d98c) },
	    { RGB(0xb98a35), RGB(0x6f4a18), RGB(0xf2d27c) } } },
	{ "soaps-perfumes", RGB(0x586b38), RGB(0x6c8048), RGB(0xe2dcab), RGB(0xf9f4e5),
	  { { RGB(0x7f9550), RGB(0x46572a), RGB(0xe8d9a0) },
	    { RGB(0xc98a4b), RGB(0x6f4a2a), RGB(0xf3e2b8) } } },
};

/* A name that says its colour has it. */
static const struct { const char *word; struct inks inks; } named[] = {
	{ "blue", { RGB(0x1f4f9a), RGB(0xf4f0e4), RGB(0xe3a63a) } },
	{ "espresso", { RGB(0x1f7f78), RGB(0xd9573f), RGB(0xf6efd9) } },
	{ "ras-el-hanout", { RGB(0xc98428), RGB(0x7a2f2a), RGB(0xf3d08c) } },
	{ "ajwa", { RGB(0x3a2420), RGB(0x57342a), RGB(0xd9a95c) } },
	{ "azilal", { RGB(0xf0e4cb), RGB(0xc2452d), RGB(0x2f7f86) } },
	{ "boucherouite", { RGB(0xd9573f), RGB(0x2f6fa8), RGB(0xf2c14e) } },
	{ "tablecloth", { RGB(0xb23a48), RGB(0x5f7f3a), RGB(0xf7ecd6) } },
	{ "copper", { RGB(0xbf6b3d), RGB(0x74371b), RGB(0xf0b48a) } },
	{ "silver", { RGB(0xa9b0b6), RGB(0x59626b), RGB(0xe9edf0) } },
	{ "indigo", { RGB(0x2b3f86), RGB(0x18244f), RGB(0x9fb4e0) } },
	{ "saffron", { RGB(0xe09a1f), RGB(0xa8341f), RGB(0xfbe0a0) } },
	{ "rose", { RGB(0xd4708a), RGB(0x8c2f4f), RGB(0xf9d7d6) } },
	{ "hibiscus", { RGB(0x9c1f3f), RGB(0x5c1026), RGB(0xf0b0a8) } },
	{ "pistachio", { RGB(0x93a94a), RGB(0xb9752f), RGB(0xf1dda0) } },
	{ "honey", { RGB(0xe0992a), RGB(0x9c5a12), RGB(0xfbdc8c) } },
	{ "mint", { RGB(0x4f9a6a), RGB(0x1f5a44), RGB(0xe6c76a) } },
	{ "sage", { RGB(0x93a58a), RGB(0x55684f), RGB(0xe9e4c4) } },
	{ "cardamom", { RGB(0x8fae5a), RGB(0x4e6b2c), RGB(0xe6e4b0) } },
	{ "za-atar", { RGB(0x6f7f3a), RGB(0x3f6b6b), RGB(0xe8c77a) } },
	{ "sumac", { RGB(0x8a1f35), RGB(0x2f5d5a), RGB(0xf0c08a) } },
	{ "cinnamon", { RGB(0xa65a2c), RGB(0x6b3214), RGB(0xe8b77f) } },
	{ "orange-blossom", { RGB(0xf0a04a), RGB(0xa85a1c), RGB(0xfdeccb) } },
	{ "black-soap", { RGB(0x3a3a30), RGB(0x5f6f3a), RGB(0xe2d8a4) } },
	{ "clay", { RGB(0x9a7a66), RGB(0x5f4638), RGB(0xe9d5c0) } },
	{ "olive", { RGB(0x7a8a3c), RGB(0xf3efdc), RGB(0xc98a3c) } },
	{ "anatolian", { RGB(0x9c2b2b), RGB(0x5a3a22), RGB(0xf0d9a8) } },
	{ "beni-ourain", { RGB(0xf3ead7), RGB(0x3a332e), RGB(0xc9b18a) } },
	{ "prayer", { RGB(0x1f5a44), RGB(0x8a2f2a), RGB(0xecd59a) } },
	{ "sidi-bou", { RGB(0x2a6fb0), RGB(0x174a7a), RGB(0xffdf8a) } },
	{ "pom-pom", { RGB(0xf2ead9), RGB(0xb9a98c), RGB(0xd9795a) } },
	{ "babouche", { RGB(0xe3b52f), RGB(0x9c6f14), RGB(0xf8e6a0) } },
	{ "aleppo-soap", { RGB(0xa9a24a), RGB(0x6f6f2a), RGB(0xe6dfa0) } },
};

#define MOTIF(thing)	{ #thing, draw_##thing }
static const struct {
	const char	*name;
	void		(*draw)(struct pen *, const struct inks *);
} motifs[] = {
	MOTIF(bag), MOTIF(belt), MOTIF(book), MOTIF(bowl), MOTIF(bundle),
	MOTIF(burner), MOTIF(cezve), MOTIF(cloth), MOTIF(cup), MOTIF(cushion),
	MOTIF(dallah), MOTIF(date), MOTIF(gift), MOTIF(glass), MOTIF(jar),
	MOTIF(kilim), MOTIF(lantern), MOTIF(pendant), MOTIF(perfume),
	MOTIF(plate), MOTIF(pouf), MOTIF(prayer), MOTIF(rug), MOTIF(scarf),
	MOTIF(sconce), MOTIF(slipper), MOTIF(soap), MOTIF(spice), MOTIF(sweet),
	MOTIF(tagine), MOTIF(teapot), MOTIF(tile), MOTIF(tin), MOTIF(tray),
	MOTIF(vase), MOTIF(wallet),
};

static unsigned
hash(const char *text)
{
	unsigned h = 2166136261u;

	for (; *text != '\0'; text++)
		h = (h ^ (unsigned char)*text) * 16777619u;
	return h ^ h >> 15;
}

static bool
make_scene(struct scene *scene, const char *slug, const char *category, const char *motif)
{
	unsigned h = hash(slug);
	size_t i = 0, m = 0;

	while (i < COUNT(palettes) && strcmp(palettes[i].category, category) != 0)
		i++;
	while (m < COUNT(motifs) && strcmp(motifs[m].name, motif) != 0)
		m++;
	if (i == COUNT(palettes) || m == COUNT(motifs))
		return false;
	scene->draw = motifs[m].draw;
	scene->wall = palettes[i].wall;
	scene->tile = palettes[i].tile;
	scene->grout = palettes[i].grout;
	scene->niche = palettes[i].niche;
	scene->inks = palettes[i].inks[h % 2];
	scene->arch = h / 2 % ARCHES;
	scene->tiles = h / 8 % TILES;
	for (i = 0; i < COUNT(named); i++)
		if (strstr(slug, named[i].word) != NULL)
			scene->inks = named[i].inks;
	return true;
}

static float
cell(float x)
{
	return x - floorf(x + 0.5f);
}

/* Distance to the edge of the tile, inside negative, in cells. */
static float
tile_at(enum tiles tiles, float x, float y)
{
	float a, b;

	switch (tiles) {
	case STARS:
		x = fabsf(cell(x));
		y = fabsf(cell(y));
		return fminf(fmaxf(x, y) - 0.3f, (x + y) * 0.7071f - 0.3f);
	case HEXAGONS:
		/* Two lattices of rectangles: the nearer centre is the hexagon's. */
		a = cell(x), b = cell(y / 1.732f) * 1.732f;
		x = cell(x + 0.5f), y = cell(y / 1.732f + 0.5f) * 1.732f;
		if (a * a + b * b < x * x + y * y)
			x = a, y = b;
		x = fabsf(x);
		a = fmaxf(x * 0.866f + y * 0.5f, -y);
		b = fmaxf(x * 0.866f - y * 0.5f, y);
		return fminf(a, b) - 0.22f;
	case PETALS:
		x = fabsf(cell(x));
		y = fabsf(cell(y));
		/* The second nearest corner's circle. */
		return len(0.5f + fminf(x, y), 0.5f - fmaxf(x, y)) - 0.7071f;
	case SCALES:
		b = floorf(y * 2);
		a = cell(x + 0.5f * fmodf(fabsf(b), 2));
		return fabsf(len(a, y - b / 2) - 0.36f) - 0.07f;
	case SQUARES:
		a = fabsf(cell(x)) + fabsf(cell(y));
		return fminf(fabsf(a - 0.36f) - 0.07f, a - 0.14f);
	default:
		return fabsf(cell(1.3f * y + fabsf(cell(x)))) - 0.25f;
	}
}

static void
draw_wall(struct pen *pen, const struct scene *scene)
{
	const float scale = 5;
	float d = tile_at(scene->tiles, pen->x * scale, pen->y * scale) / scale;

	pen->color = scene->wall;
	fill(pen, scene->tile, d);
	blend(pen, scene->grout, fabsf(d) - 0.004f, 0.75f);
}

static float
arch_at(enum arch arch, float x, float y)
{
	x = fabsf(x);
	switch (arch) {
	case HORSESHOE:
		return fminf(len(x, y + 0.16f) - 0.62f, box(x, y - 0.3f, 0.54f, 0.46f));
	case POINTED:
		return fminf(fmaxf(len(x + 0.32f, y + 0.06f) - 0.9f, y + 0.06f),
		    box(x, y - 0.35f, 0.58f, 0.41f));
	default:
		return fminf(fmaxf(x, fabsf(y)), (x + fabsf(y)) * 0.7071f) - 0.6f;
	}
}

/* The thing keeps its shadow, and is as large as its niche allows. */
static void
draw_thing(struct pen *pen, const struct scene *scene)
{
	const float scale = scene->arch == STAR ? 1.1f : 1.15f;

	pen->x /= scale;
	pen->y /= scale;
	if (fabsf(pen->x) > 0.56f || fabsf(pen->y) > 0.56f)
		return;
	blend(pen, scene->wall, ellipse(pen->x, pen->y - 0.46f, 0.46f, 0.06f), 0.14f);
	scene->draw(pen, &scene->inks);
}

static struct rgb
draw_point(const struct scene *scene, float x, float y)
{
	struct pen pen = { .x = x, .y = y, .color = scene->niche };
	float d = arch_at(scene->arch, x, y);

	if (d > -0.01f) {
		draw_wall(&pen, scene);
		blend(&pen, ink_black, fmaxf(d - 0.11f, 0) * 0.5f - 0.02f, 0.18f);
		fill(&pen, scene->grout, d - 0.075f);
		fill(&pen, scene->wall, d - 0.055f);
		fill(&pen, scene->grout, d - 0.022f);
		fill(&pen, scene->niche, d);
	}
	/* The reveal's shade, on the side away from the light. */
	blend(&pen, scene->wall, fmaxf(d, -arch_at(scene->arch, x + 0.04f, y - 0.03f)), 0.12f);
	if (d < 0)
		draw_thing(&pen, scene);
	return pen.color;
}

static unsigned char
byte(float value)
{
	return (unsigned char)lroundf(255 * sqrtf(fminf(fmaxf(value, 0), 1)));
}

static bool
draw(const struct scene *scene, const char *path)
{
	static unsigned char picture[SIDE * SIDE * 3];
	unsigned char *to = picture;

	for (int row = 0; row < SIDE; row++)
		for (int column = 0; column < SIDE; column++) {
			struct rgb c = draw_point(scene,
			    (float)(2 * column + 1) / SIDE - 1, (float)(2 * row + 1) / SIDE - 1);

			*to++ = byte(c.r);
			*to++ = byte(c.g);
			*to++ = byte(c.b);
		}
	return png_write(path, picture, SIDE);
}

static time_t
changed(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? st.st_mtime : 0;
}

static int
draw_all(FILE *list, const char *dir, time_t since)
{
	char line[8192], path[4096];

	if (fgets(line, sizeof(line), list) == NULL
	    || strncmp(line, "slug\tcategory\tmotif\t", 20) != 0) {
		fputs("demo_images: the list does not begin with slug, category, motif\n", stderr);
		return 1;
	}
	while (fgets(line, sizeof(line), list) != NULL) {
		const char *slug = strtok(line, "\t");
		const char *category = strtok(NULL, "\t");
		const char *motif = strtok(NULL, "\t");
		struct scene scene;

		if (motif == NULL || strchr(slug, '/') != NULL
		    || !make_scene(&scene, slug, category, motif)) {
			fprintf(stderr, "demo_images: %s: no such category or motif\n", slug);
			return 1;
		}
		snprintf(path, sizeof(path), "%s/%s.png", dir, slug);
		if (changed(path) <= since && !draw(&scene, path)) {
			fprintf(stderr, "demo_images: %s: %s\n", path, strerror(errno));
			return 1;
		}
	}
	return 0;
}

int
main(int argc, char **argv)
{
	time_t program, since;
	FILE *list;
	int status;

	if (argc != 3) {
		fputs("usage: demo_images PRODUCTS.tsv DIR\n", stderr);
		return 2;
	}
	list = fopen(argv[1], "r");
	if (list == NULL) {
		fprintf(stderr, "demo_images: %s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	program = changed("/proc/self/exe");
	since = changed(argv[1]);
	status = draw_all(list, argv[2], program > since ? program : since);
	fclose(list);
	return status;
}
