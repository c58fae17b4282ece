/* environment.h: where the settings put an LMDB environment, and how a role opens it.
 *
 * Called by the creator, checker and janitor. Touches no file.
 */
#ifndef GATEHOUSE_SHARED_ENVIRONMENT_H
#define GATEHOUSE_SHARED_ENVIRONMENT_H

#include "shared/child.h"
#include "shared/store.h"

#include <limits.h>

struct environment {
    char state_dir[PATH_MAX];     /* NUL-terminated */
    char directory[PATH_MAX];     /* state_dir/config or state_dir/sessions */
    struct store_options options; /* writable; borrows `directory`: the struct must stay in place */
};

/* The environment that the process's slot names (enum store_environment). -EINVAL for another slot;
 * -ENAMETOOLONG. */
int environment_of(const struct child *child, struct environment *out);
/* The given one, of these settings. -ENAMETOOLONG. */
int environment_locate(const struct settings *settings, enum store_environment which,
                       struct environment *out);

#endif
