/* token_command.h: `gatehouse token keygen|mint|inspect`: a demo issuer, and a magnifying glass.
 *
 * Called by main. For trying and testing: a real identity provider keeps its keys elsewhere. Never
 * called by the gateway, talks to no process, opens only the files that it is told to.
 */
#ifndef GATEHOUSE_MASTER_TOKEN_COMMAND_H
#define GATEHOUSE_MASTER_TOKEN_COMMAND_H

enum { TOKEN_EXIT_USAGE = 64 }; /* EX_USAGE */

/* The arguments after `token`. The exit status: 0, 1 when it went wrong (or, for inspect, when the
 * token would be refused), TOKEN_EXIT_USAGE. Says one sentence on stderr unless 0. */
int token_command(int argc, char **argv);

#endif
