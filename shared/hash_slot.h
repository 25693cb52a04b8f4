/*
 * hash_slot.h -- how many passwords may be hashed at once, by all functions of
 * the machine together.
 *
 * Each hash takes a quarter of a second of a core by design, so a flood of
 * sign-ins would leave the shop none.  A slot is a file in FN_STATE_DIR that
 * its holder has locked: the kernel gives it back whatever becomes of them.
 */
#ifndef HASH_SLOT_H
#define HASH_SLOT_H

enum { NO_SLOT = -1, NO_SLOTS = -2 };

/* Waits for one: a descriptor, NO_SLOT when none came free in time, or
 * NO_SLOTS where there is no FN_STATE_DIR and so no bound. */
int	 hash_slot_take(void);
void	 hash_slot_give(int);

#endif
