/*
 * listen.h -- listening Unix sockets that appear whole.
 */
#ifndef LISTEN_H
#define LISTEN_H

#include <stdbool.h>
#include <stddef.h>

/*
 * A listening socket at directory/name.sock, mode 0660, in place of whatever
 * was there.  It gets its name only when it accepts connections already.
 * Returns -1 and says why in error.
 */
int	listen_at(const char *directory, const char *name, char *error, size_t size);
/* The path of such a socket; false when it is too long for an address. */
bool	listen_path(char *path, size_t size, const char *directory, const char *name);
/* Does anybody accept connections there?  Whoever sleeps does. */
bool	listen_is_heard(const char *directory, const char *name);
/* The socket and its mark are gone. */
void	listen_remove(const char *directory, const char *name);
/* Marks a socket whose function sleeps until the next connection, and tells
 * whether it is marked: to ask such a function how it is would wake it. */
void	listen_mark_asleep(const char *directory, const char *name, bool asleep);
bool	listen_is_asleep(const char *directory, const char *name);

#endif
