/* sessions_command.h: `gatehouse sessions list|show|revoke`.
 *
 * list and show are processes of their own that read state/sessions, in short transactions, so that
 * the workers' pages can be reused meanwhile; revoke is revoke_command's. A record holds no token,
 * and a session's id opens nothing.
 */
#ifndef GATEHOUSE_MASTER_SESSIONS_COMMAND_H
#define GATEHOUSE_MASTER_SESSIONS_COMMAND_H

/* argv[0] is "sessions". The exit status. */
int sessions_command(int argc, char **argv);

#endif
