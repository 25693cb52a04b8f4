/*
 * settings.h -- reads every setting linked into this binary.
 */
#ifndef SETTINGS_H
#define SETTINGS_H

#include "fn.h"

extern struct setting *const __start_settings[] __attribute__((weak));
extern struct setting *const __stop_settings[] __attribute__((weak));

/* False after naming each bad or missing one on stderr. */
bool	 settings_read(void);

#endif
