/* guardian.h: one process beside each stdio server, which outlives neither the server nor the
 * launcher, and leaves nothing of either behind.
 *
 * The launcher forks it into an enclosure (enclosure.h), as the server's user, and re-executes our
 * own binary. As init of a PID namespace its death is the death of all in it, which the kernel sees
 * to; as a child subreaper it kills its children until it has none. It ends when the server and all
 * that it started are gone, and ends them when it is told to, when the server itself has ended, and
 * when the launcher is gone: the end of its channel.
 */
#ifndef GATEHOUSE_MASTER_GUARDIAN_H
#define GATEHOUSE_MASTER_GUARDIAN_H

#include "master/enclosure.h"
#include "shared/settings.h"

/* In the child of enclosure_fork: becomes a guardian with this end of a channel. Never returns. */
_Noreturn void guardian_become(const struct enclosure *enclosure, const struct settings_user *user,
                               int channel, int executable);

/* The role. The exit status. */
int guardian_main(int argc, char **argv);

#endif
