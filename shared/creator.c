#include "shared/child.h"
#include "shared/environment.h"
#include "shared/log.h"
#include "shared/roles.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

int creator_main(int argc, char **argv)
{
    struct environment environment;
    struct child child;
    int error;

    child_start(argc, argv, &child);
    error = environment_of(&child, &environment);
    /* As root, master has made the directories already, with their owners. */
    if (error == 0 && mkdir(environment.state_dir, 0755) != 0 && errno != EEXIST)
        error = -errno;
    if (error == 0)
        error = store_create(&environment.options);
    arena_free(&child.arena);
    if (error == 0)
        return 0;
    log_error("store_create_failed", "cannot use %s: %s (made for schema %d and LMDB %s)",
              environment.directory, strerror(-error), STORE_SCHEMA, store_version());
    return EXIT_STORE;
}
