/* status_command.h: `gatehouse status`: what runs, what is in force, what was refused, what is
 * full.
 *
 * A process of its own: it reads both stores, and the work board of a running master where the
 * user may. What it cannot see it says, and shows the rest.
 */
#ifndef GATEHOUSE_MASTER_STATUS_COMMAND_H
#define GATEHOUSE_MASTER_STATUS_COMMAND_H

/* argv[0] is "status". The exit status: 0 when both stores were read. */
int status_command(int argc, char **argv);

#endif
