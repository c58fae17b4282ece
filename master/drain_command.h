/* drain_command.h: `gatehouse drain`: an endpoint that is to be taken away keeps what it has, and
 * gets nothing new.
 *
 * Called by main.c. Asks the watcher over its control socket, as `sessions revoke` does.
 */
#ifndef GATEHOUSE_MASTER_DRAIN_COMMAND_H
#define GATEHOUSE_MASTER_DRAIN_COMMAND_H

/* argv[0] is the command's own name. An exit status of sysexits. */
int drain_command(int argc, char **argv);

#endif
