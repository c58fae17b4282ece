/* launcher.h: the role that starts stdio servers: the only one that runs programs of others.
 *
 * It starts what the collector's list names, on the bridge's order, each below a guardian of its
 * own (guardian.h); never as root. It parses nothing but messages, and opens no document.
 */
#ifndef GATEHOUSE_MASTER_LAUNCHER_H
#define GATEHOUSE_MASTER_LAUNCHER_H

/* Starts and ends servers until drained. The exit status. */
int launcher_main(int argc, char **argv);

#endif
