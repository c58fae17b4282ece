/* descendants.h: a process's own children, wherever they have put themselves: a new session or
 * process group leaves them what they are. Called by guardian and launcher, which are child
 * subreapers: whoever loses its parent becomes their child.
 */
#ifndef GATEHOUSE_MASTER_DESCENDANTS_H
#define GATEHOUSE_MASTER_DESCENDANTS_H

#include <stdbool.h>
#include <sys/types.h>

/* Sends the signal to each child that `spared` does not say true of (NULL: to all). Grandchildren
 * are reached when their parents are dead: to be called again until none is left. */
void descendants_signal(int number, bool (*spared)(void *context, pid_t pid), void *context);

#endif
