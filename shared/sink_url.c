/* By itself: whoever only asks whether there is a sink needs no HTTP. */
#include "sink.h"

SETTING_TEXT(url, "K_SINK", NULL,
    "Where events are posted to, as CloudEvents; without it they are only kept for a while");

const char *
sink_url(void)
{
	return url.text;
}
