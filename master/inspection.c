#include "master/inspection.h"

#include "conf/roles.h"
#include "master/privilege.h"
#include "master/running.h"
#include "shared/child.h"
#include "shared/clock.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

enum inspection_option { OPTION_STATE = 256, OPTION_JSON, OPTION_WIDE, OPTION_HELP, OPTION_FILTER };
enum { FILTER_USER = OPTION_FILTER, FILTER_APP, FILTER_LIMIT };

static const struct option inspection_options[] = {
    {"state", required_argument, NULL, OPTION_STATE}, {"json", no_argument, NULL, OPTION_JSON},
    {"wide", no_argument, NULL, OPTION_WIDE},         {"help", no_argument, NULL, OPTION_HELP},
    {"user", required_argument, NULL, FILTER_USER},   {"app", required_argument, NULL, FILTER_APP},
    {"limit", required_argument, NULL, FILTER_LIMIT}, {NULL, 0, NULL, 0},
};

int inspection_complain(const struct inspection *inspection, int status, const char *format, ...)
{
    va_list arguments;

    fprintf(stderr, "%s: ", inspection->command->name);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    return status;
}

static int inspection_misused(const struct inspection *inspection)
{
    fprintf(stderr, "usage: %s\n", inspection->command->usage);
    return EX_USAGE;
}

static int inspection_limit(struct inspection *inspection, const char *text)
{
    char *end;
    unsigned long limit = strtoul(text, &end, 10);

    if (text[0] < '0' || text[0] > '9' || *end != '\0' || limit < 1 || limit > INSPECTION_ROWS_MAX)
        return inspection_complain(inspection, EX_USAGE, "--limit takes a number from 1 to %d",
                                   INSPECTION_ROWS_MAX);
    inspection->limit = limit;
    return 0;
}

static int inspection_filter(struct inspection *inspection, int option)
{
    if (!inspection->command->filters)
        return inspection_misused(inspection);
    if (option == FILTER_USER)
        inspection->user = optarg;
    else if (option == FILTER_APP)
        inspection->app = optarg;
    else
        return inspection_limit(inspection, optarg);
    return 0;
}

int inspection_locate(struct inspection *inspection, const char *state, const char *settings)
{
    int error;

    if (state == NULL) {
        error = state_dir_read(settings, inspection->state_dir, sizeof(inspection->state_dir));
        return error == 0 ? 0
                          : inspection_complain(inspection, error,
                                                "the settings do not say where the state is; "
                                                "-c FILE names others, --state DIR the directory");
    }
    if (strlen(state) == 0 || strlen(state) >= sizeof(inspection->state_dir))
        return inspection_complain(inspection, EX_USAGE, "--state takes a directory");
    memcpy(inspection->state_dir, state, strlen(state) + 1);
    return 0;
}

bool inspection_begin(struct inspection *inspection, const struct inspection_command *command,
                      int argc, char **argv, int *status)
{
    const char *settings = INSPECTION_SETTINGS, *state = NULL;
    int option;

    *inspection =
        (struct inspection){.command = command, .limit = 100, .now = clock_wall_seconds()};
    argv[0] = (char *)command->name; /* for getopt's messages */
    *status = 0;
    while (*status == 0 &&
           (option = getopt_long(argc, argv, "c:h", inspection_options, NULL)) != -1) {
        if (option == 'c') {
            settings = optarg;
        } else if (option == OPTION_STATE) {
            state = optarg;
        } else if (option == OPTION_JSON) {
            inspection->json = true;
        } else if (option == OPTION_WIDE) {
            inspection->wide = true;
        } else if (option == OPTION_HELP || option == 'h') {
            printf("usage: %s\n", command->usage);
            return false;
        } else {
            *status = option == '?' ? inspection_misused(inspection)
                                    : inspection_filter(inspection, option);
        }
    }
    if (*status == 0 && argc - optind != command->argument)
        *status = inspection_misused(inspection);
    if (*status == 0)
        *status = inspection_locate(inspection, state, settings);
    inspection->argument = command->argument && *status == 0 ? argv[optind] : NULL;
    return *status == 0;
}

static int inspection_path(const struct inspection *inspection, enum store_environment which,
                           char path[PATH_MAX])
{
    int size = snprintf(path, PATH_MAX, "%s/%s", inspection->state_dir,
                        which == STORE_CONFIG ? "config" : "sessions");

    return size >= PATH_MAX ? -ENAMETOOLONG : 0;
}

int inspection_become(const struct inspection *inspection)
{
    struct settings_user owner = {.name = slice_from("the sessions' owner")};
    char path[PATH_MAX];
    struct stat status;
    int error = inspection_path(inspection, STORE_SESSIONS, path);

    /* What is not there is told by inspection_open. */
    if (geteuid() != 0 || error < 0 || stat(path, &status) < 0 || status.st_uid == 0)
        return 0;
    owner.uid = status.st_uid;
    owner.gid = status.st_gid;
    error = privilege_drop(&owner);
    if (error < 0)
        return inspection_complain(inspection, EX_OSERR, "cannot become the owner of %s: %s", path,
                                   strerror(-error));
    return 0;
}

/* The owner of what is in the way: of the store, or of the first directory above it that shows. */
static void inspection_forbidden(const char *path, char reason[INSPECTION_REASON])
{
    char name[64] = "root";
    struct stat status;

    if (stat(path, &status) == 0)
        running_user_name(status.st_uid, name, sizeof(name));
    snprintf(reason, INSPECTION_REASON, "%s may not be read by this user: run it as %s%s", path,
             name, strcmp(name, "root") == 0 ? "" : " or root");
}

static int inspection_explain(const char *path, int error, char reason[INSPECTION_REASON])
{
    switch (error) {
    case -EACCES:
    case -EPERM:
        inspection_forbidden(path, reason);
        return EX_NOPERM;
    case -ENOENT:
    case -ENOTDIR:
        snprintf(reason, INSPECTION_REASON, "there is no store at %s: no gateway ran from there",
                 path);
        return EX_NOINPUT;
    case -ESTALE:
        snprintf(reason, INSPECTION_REASON,
                 "the store at %s was made by another version of Gatehouse or LMDB", path);
        return EXIT_STORE;
    case -EUCLEAN:
        snprintf(reason, INSPECTION_REASON, "the store at %s is damaged", path);
        return EXIT_STORE;
    default:
        snprintf(reason, INSPECTION_REASON, "the store at %s cannot be read: %s", path,
                 strerror(-error));
        return EX_IOERR;
    }
}

struct store *inspection_open(const struct inspection *inspection, enum store_environment which,
                              char reason[INSPECTION_REASON], int *status)
{
    char path[PATH_MAX];
    struct store_options options = {.directory = path, .environment = which};
    struct store *store = NULL;
    int error = inspection_path(inspection, which, path);

    if (error == 0)
        error = store_open(&store, &options);
    if (error != 0) {
        *status = inspection_explain(path, error, reason);
        return NULL;
    }
    store_turn_begin(store);
    *status = 0;
    return store;
}

struct store *inspection_use(const struct inspection *inspection, enum store_environment which,
                             int *status)
{
    char reason[INSPECTION_REASON];
    struct store *store;

    *status = inspection_become(inspection);
    if (*status != 0)
        return NULL;
    store = inspection_open(inspection, which, reason, status);
    if (store == NULL)
        inspection_complain(inspection, *status, "%s", reason);
    return store;
}

int inspection_end(const struct inspection *inspection, int error)
{
    if (error == 0 && fflush(stdout) != 0)
        error = -errno;
    if (error == 0)
        return EX_OK;
    return inspection_complain(inspection, error == -EUCLEAN ? EXIT_STORE : EX_IOERR, "%s",
                               error == -EUCLEAN ? "the store is damaged" : strerror(-error));
}

size_t inspection_width(const struct inspection *inspection)
{
    struct winsize size;

    if (inspection->wide || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0)
        return 0;
    return size.ws_col;
}
