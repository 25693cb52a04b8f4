/* In a file of its own: who only shows pictures needs no program that reads them. */
#include "image.h"

#include <string.h>

const char *
image_type(const char *name)
{
	const char *ending = strrchr(name, '.');

	if (ending != NULL && strcmp(ending, ".jpg") == 0)
		return "image/jpeg";
	if (ending != NULL && strcmp(ending, ".webp") == 0)
		return "image/webp";
	return NULL;
}
