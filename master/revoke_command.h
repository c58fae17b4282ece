/* revoke_command.h: `gatehouse sessions revoke`: shuts a session, a user, a subject, a token or an
 * app's tokens out, now.
 *
 * Called by sessions_command. Speaks to the watcher, which alone writes the config environment, and
 * returns after its commit was synced. Opens no environment in its own process.
 */
#ifndef GATEHOUSE_MASTER_REVOKE_COMMAND_H
#define GATEHOUSE_MASTER_REVOKE_COMMAND_H

/* The arguments after `sessions revoke`. The exit status: 0 after one line on standard output; or,
 * after a sentence on standard error, 64 usage, 69 no watcher is there, 74 it could not commit, 77
 * not for this user, 78 the settings cannot be read. */
int revoke_command(int argc, char **argv);

#endif
