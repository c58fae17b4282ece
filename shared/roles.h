/* roles.h: the entries of the roles that live beside the store. Each returns the exit status. */
#ifndef GATEHOUSE_SHARED_ROLES_H
#define GATEHOUSE_SHARED_ROLES_H

/* Makes one environment (--slot 0: config, 1: sessions), exits 0; 70 when what is there cannot be
 * used; 1 when it cannot be made (rights, disk). */
int creator_main(int argc, char **argv);
/* Tries the lock file and walks every page of one environment; exits 0 sound, 70 (or by a signal,
 * SIGALRM when another process does not give a mutex back) corrupt or stale, 1 when that could not
 * be found out. */
int checker_main(int argc, char **argv);
/* Sweeps expired sessions, syncs and reader-checks the sessions environment, until drained. */
int janitor_main(int argc, char **argv);

#endif
