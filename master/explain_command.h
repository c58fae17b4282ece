/* explain_command.h: `gatehouse explain`: its options, who it is, and the stores; the answer is
 * explain_run's (worker/roles.h). Read what root may read first, then become the sessions' owner.
 */
#ifndef GATEHOUSE_MASTER_EXPLAIN_COMMAND_H
#define GATEHOUSE_MASTER_EXPLAIN_COMMAND_H

/* 0 allowed, 1 denied, 2 it cannot be said; other exit statuses as the inspecting commands. */
int explain_command(int argc, char **argv);

#endif
