/* store_location.h: where the settings put an LMDB environment, and how a role opens it.
 *
 * Called by the creator, checker and janitor. Touches no file.
 */
#ifndef GATEHOUSE_SHARED_STORE_LOCATION_H
#define GATEHOUSE_SHARED_STORE_LOCATION_H

#include "shared/child.h"
#include "shared/store.h"

#include <limits.h>

struct store_location {
    char state_dir[PATH_MAX];     /* NUL-terminated */
    char directory[PATH_MAX];     /* state_dir/config or state_dir/sessions */
    struct store_options options; /* writable; borrows `directory`: the struct must stay in place */
};

/* The environment that the process's slot names (enum store_environment). -EINVAL for another slot;
 * -ENAMETOOLONG. */
int store_location_of(const struct child *child, struct store_location *out);
/* The given one, of these settings. -ENAMETOOLONG. */
int store_location_find(const struct settings *settings, enum store_environment which,
                        struct store_location *out);

#endif
