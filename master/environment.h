/* environment.h: the life of the two LMDB environments as master sees it: checked, made, suspected.
 *
 * At each start the checker walks every page of what is there before anybody opens it; the creator
 * then makes what is missing. While the service runs, a process that exits 70 suspects what it had
 * open: the checker looks again. What it finds unsound is taken from all who have it open, moved
 * aside and made anew. Master itself never opens an environment.
 */
#ifndef GATEHOUSE_MASTER_ENVIRONMENT_H
#define GATEHOUSE_MASTER_ENVIRONMENT_H

#include "shared/child.h"
#include "shared/store.h"

struct supervisor;
struct process;

enum environment_state {
    ENVIRONMENT_UNKNOWN, /* of this start */
    ENVIRONMENT_CHECKING,
    ENVIRONMENT_EVICTING, /* until nobody has it open */
    ENVIRONMENT_CREATING,
    ENVIRONMENT_SOUND,
};

struct environment {
    enum store_environment which;
    enum environment_state state;
    struct process *process; /* checker or creator; borrowed; NULL: none */
    bool retire;             /* EVICTING: move it aside */
    bool retired;            /* moved aside once; a creator that refuses the new one is hopeless */
    int64_t cleared;         /* when a check last found a suspected one sound; 0: never */
    int64_t retry_at;        /* EVICTING: not before */
};

void environment_init(struct environment *environment, enum store_environment which);

/* Starts what is due. */
void environment_turn(struct supervisor *supervisor, struct environment *environment, int64_t now);

/* A process of this role exited 70: the environments that it had open are to be checked. */
void environment_suspect(struct supervisor *supervisor, enum child_role role);

/* The environment's checker or creator is dead. */
void environment_exit(struct supervisor *supervisor, struct environment *environment, int status,
                      int64_t now);

/* Whether processes of this role open the environment. */
bool environment_is_used_by(enum store_environment which, enum child_role role);
/* Whether all that the role opens is sound. */
bool environment_allows(const struct supervisor *supervisor, enum child_role role);

#endif
