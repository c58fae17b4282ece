/* environment.h: the life of the two LMDB environments as master sees it: checked, made, suspected.
 *
 * At each start the checker walks every page of what is there before anybody opens it; the creator
 * then makes what is missing. While the service runs, a process that exits 70, or crashes, casts
 * suspicion on what it had open: the checker looks again. What it finds unsound is taken from all
 * who have it open and checked once more, alone: the lock file, which any of them can write, is
 * then new, and only the pages decide. What is still unsound is moved aside and made anew. Master
 * itself never opens an environment.
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
    bool alone;              /* EVICTING: then check it; CHECKING: nobody else has it open */
    bool crash;              /* CHECKING: a crash is all that speaks against it */
    bool retired;            /* moved aside once; a creator that refuses the new one is hopeless */
    int64_t cleared;         /* when a check last found a suspected one sound; 0: never */
    int64_t checked;         /* when a check last ended; 0: never */
    int64_t retry_at;        /* EVICTING: not before */
};

void environment_init(struct environment *environment, enum store_environment which);

/* Starts what is due. */
void environment_turn(struct supervisor *supervisor, struct environment *environment, int64_t now);

/* Whether a process that ended so is reason for suspicion; *crash: it did not say so itself. */
bool environment_is_accused(int status, bool *crash);
/* A process of this role exited 70, or crashed or hung: the environments that it had open are to be
 * checked. After a crash or hang the others go on meanwhile, and a recent check is enough: whoever
 * can crash a worker at will is to win nothing more by it. */
void environment_suspect(struct supervisor *supervisor, enum child_role role, bool crash,
                         int64_t now);

/* The environment's checker or creator is dead. */
void environment_exit(struct supervisor *supervisor, struct environment *environment, int status,
                      int64_t now);

/* Whether processes of this role open the environment. */
bool environment_is_used_by(enum store_environment which, enum child_role role);
/* Whether all that the role opens is sound. */
bool environment_allows(const struct supervisor *supervisor, enum child_role role);

#endif
