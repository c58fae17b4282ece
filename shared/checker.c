#include "shared/child.h"
#include "shared/log.h"
#include "shared/roles.h"
#include "shared/store_location.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CHECKER_LOCK_WAIT = 5 }; /* seconds; no transaction of ours takes so long */

/* Whether the lock file lets one read and write. It can be written by all who have the environment
 * open, and one of them may hold a mutex in it for ever: SIGALRM then ends this process. */
static int checker_open(struct store **store, const struct store_options *options)
{
    int error;

    alarm(CHECKER_LOCK_WAIT);
    error = store_open(store, options);
    if (error == 0)
        error = store_write_begin(*store);
    if (error == 0)
        store_abort(*store);
    alarm(0);
    return error;
}

/* A damaged page may also end the process by SIGSEGV or SIGBUS: master takes that as "corrupt". */
int checker_main(int argc, char **argv)
{
    struct store_location location;
    struct store *store = NULL;
    struct child child;
    int error;

    child_start(argc, argv, &child);
    error = store_location_of(&child, &location);
    if (error == 0)
        error = checker_open(&store, &location.options);
    if (error == 0)
        error = store_check(store);
    store_close(store);
    arena_free(&child.arena);
    if (error == 0)
        return 0;
    log_error("store_check_failed", "%s cannot be relied on: %s", location.directory,
              strerror(-error));
    return store_is_lost(error) ? EXIT_STORE : EXIT_FAILURE;
}
