#include "shared/child.h"
#include "shared/log.h"
#include "shared/roles.h"
#include "shared/store_location.h"
#include "shared/store_meta.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int creator_main(int argc, char **argv)
{
    struct store_location location;
    struct child child;
    int error;

    child_start(argc, argv, &child);
    error = store_location_of(&child, &location);
    /* As root, master has made the directories already, with their owners. */
    if (error == 0 && mkdir(location.state_dir, 0755) != 0 && errno != EEXIST)
        error = -errno;
    if (error == 0)
        error = store_create(&location.options);
    arena_free(&child.arena);
    if (error == 0)
        return 0;
    log_error("store_create_failed",
              "cannot use %s as user id %u: %s (made for schema %d and LMDB %s)",
              location.directory, (unsigned)getuid(), strerror(-error),
              store_meta_schema(location.options.environment), store_version());
    return store_is_lost(error) ? EXIT_STORE : EXIT_FAILURE;
}
