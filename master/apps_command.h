/* apps_command.h: `gatehouse apps`: every app as workers know it, and the configs bound to it.
 *
 * A process of its own that reads state/config; never opens the sessions.
 */
#ifndef GATEHOUSE_MASTER_APPS_COMMAND_H
#define GATEHOUSE_MASTER_APPS_COMMAND_H

/* argv[0] is "apps". The exit status. */
int apps_command(int argc, char **argv);

#endif
