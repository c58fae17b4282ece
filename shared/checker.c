#include "shared/child.h"
#include "shared/environment.h"
#include "shared/log.h"
#include "shared/roles.h"

#include <string.h>

/* A damaged page may also end the process by SIGSEGV or SIGBUS: master takes that as "corrupt". */
int checker_main(int argc, char **argv)
{
    struct environment environment;
    struct store *store = NULL;
    struct child child;
    int error;

    child_start(argc, argv, &child);
    error = environment_of(&child, &environment);
    if (error == 0)
        error = store_open(&store, &environment.options);
    if (error == 0)
        error = store_check(store);
    store_close(store);
    arena_free(&child.arena);
    if (error == 0)
        return 0;
    log_error("store_check_failed", "%s is not sound: %s", environment.directory, strerror(-error));
    return EXIT_STORE;
}
