/* enclosure.h: what keeps a stdio server and all that it starts together, so that nothing of it
 * outlives its guardian: a PID namespace where one is allowed, of which the guardian is init.
 *
 * Root makes one as it is; others within a user namespace of their own, which maps their user
 * alone. Where neither is allowed the guardian is a child subreaper, and has to find what it must
 * kill. Called by the launcher.
 */
#ifndef GATEHOUSE_MASTER_ENCLOSURE_H
#define GATEHOUSE_MASTER_ENCLOSURE_H

#include <sys/types.h>

struct enclosure {
    int flags; /* of clone(2); 0: a child subreaper must do */
    uid_t uid; /* of the caller */
    gid_t gid;
};

/* Tries what is allowed here, the strongest first. Waits for short-lived children: for the start of
 * a process, not for its loop. */
void enclosure_probe(struct enclosure *out);

/* As fork(2): 0 in the child, which must call enclosure_enter next; its process id; or -errno. */
pid_t enclosure_fork(const struct enclosure *enclosure);

/* In the child: the user's map, and a /proc of its own. 0 or -errno: the child must exit. */
int enclosure_enter(const struct enclosure *enclosure);

/* In words, for the log. */
const char *enclosure_text(const struct enclosure *enclosure);

#endif
