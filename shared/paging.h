/*
 * paging.h -- lists in pages, the newest first: page and limit as clients
 * know them, and a cursor, the last id seen, that costs the same on page 1
 * and on page 10,000.
 */
#ifndef PAGING_H
#define PAGING_H

#include "product_shape.h"

/* Members of the endpoint's struct input, and their fields. */
#define PAGING_MEMBERS	int64_t page, limit; const char *cursor
#define PAGING_FIELDS							\
	PARAM(page,   INT, "Which page", .min = 1, .max = 1000000, .preset = 1), \
	PARAM(limit,  INT, "Entries a page", .min = 1, .max = 100, .preset = 20), \
	PARAM(cursor, ID,  "The next_cursor of the page before")

/*
 * One statement that answers {name: [...], pagination}.  ids selects what fits
 * the filters, with parameters from $5 on; entry is the JSON of one, of which
 * g.id is the id.  A count stops at 10,001 and is an estimate then.
 */
#define PAGED_QUERY(name, ids, entry)					\
	"WITH matching AS NOT MATERIALIZED (" ids "),"			\
	" page AS ("							\
	" SELECT id, row_number() OVER (ORDER BY id DESC) AS place FROM matching" \
	"  WHERE ($1::bigint IS NULL OR id < $1)"			\
	"  ORDER BY id DESC LIMIT $2::bigint + 1 OFFSET $3),"		\
	" counted AS ("							\
	" SELECT count(*) AS total FROM (SELECT FROM matching LIMIT 10001) few)" \
	" SELECT json_build_object("					\
	"  '" name "', coalesce((SELECT json_agg(" entry " ORDER BY g.place)" \
	"     FROM page g WHERE g.place <= $3::bigint + $2::bigint), '[]'),"	\
	"  'pagination', json_build_object("				\
	"     'page', $4::bigint, 'limit', $2::bigint, 'total', c.total,"	\
	"     'totalPages', (c.total + $2::bigint - 1) / $2::bigint,"	\
	"     'total_is_estimate', c.total > 10000,"			\
	"     'next_cursor', (SELECT g.id::text FROM page g"		\
	"        WHERE g.place = $3::bigint + $2::bigint AND EXISTS ("	\
	"         SELECT FROM page h WHERE h.place > g.place))))"	\
	" FROM counted c"

/* The first four arguments. */
#define PAGING_ARGUMENTS(rq, in)					\
	(in)->cursor, text(rq, (in)->limit),				\
	text(rq, (in)->cursor == NULL ? ((in)->page - 1) * (in)->limit : 0), \
	text(rq, (in)->page)

#endif
