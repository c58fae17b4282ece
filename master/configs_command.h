/* configs_command.h: `gatehouse configs`: every app auth config as workers know it, with its keys
 * and the apps that it binds.
 *
 * A process of its own that reads state/config; never opens the sessions.
 */
#ifndef GATEHOUSE_MASTER_CONFIGS_COMMAND_H
#define GATEHOUSE_MASTER_CONFIGS_COMMAND_H

/* argv[0] is "configs". The exit status. */
int configs_command(int argc, char **argv);

#endif
