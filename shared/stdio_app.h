/* stdio_app.h: the command of an app that is a stdio server, and its message.
 *
 * The collector makes the list from documents that nobody but root (or whoever started the service)
 * can write; master gives all of it to the launcher, and to the bridge what it needs to know:
 * names, revisions, scopes and caps. At a reload the collector gets the list in force back, for
 * what a file said before it broke. No other process learns of commands and environments, which may
 * hold secrets. What is not in the list is not started.
 */
#ifndef GATEHOUSE_SHARED_STDIO_APP_H
#define GATEHOUSE_SHARED_STDIO_APP_H

#include "shared/arena.h"
#include "shared/buffer.h"
#include "shared/settings.h"

enum {
    STDIO_APPS_MAX = 256, /* of a gate; all together must fit in one message */
    STDIO_ARGUMENTS_MAX = 64,
    STDIO_VARIABLES_MAX = 64,
};

/* Who shares a server. */
enum stdio_scope {
    STDIO_SESSION, /* one a session */
    STDIO_USER,    /* one a user: issuer and subject */
    STDIO_SHARED,  /* one for all */
};

struct stdio_variable {
    struct slice name, value;
};

/* setrlimit(2) for the server; 0: as the launcher has it. */
struct stdio_limits {
    uint64_t open_files;
    uint64_t processes; /* with threads; of its user, or in a user namespace of the server alone */
    uint64_t memory;    /* bytes of address space */
    uint64_t cpu_time;  /* milliseconds */
};

struct stdio_app {
    struct slice name;
    struct slice revision; /* hex, of all that the document says: the same in the app's record */
    enum stdio_scope scope;
    uint64_t max_servers; /* at once, of this app; 0: gate.stdio.max_servers_per_app */
    /* Collector's and launcher's; empty in what the bridge gets. */
    struct slice file;    /* of the document, as the collector names it */
    struct slice command; /* absolute */
    struct slice arguments[STDIO_ARGUMENTS_MAX];
    size_t argument_count;
    struct stdio_variable variables[STDIO_VARIABLES_MAX];
    size_t variable_count;
    struct slice working_dir;  /* absolute */
    struct settings_user user; /* name empty: the launcher's own, which is then not root */
    struct stdio_limits limits;
};

struct stdio_app_list {
    struct stdio_app *apps; /* the arena's */
    size_t count;
};

/* `whole`: for the launcher. 0 or -ENOMEM. */
int stdio_apps_encode(const struct stdio_app_list *list, bool whole, struct buffer *out);
/* Copies everything into the arena. 0, -ENOMEM, or -EBADMSG: also when two have one name, and when
 * one would run as root. */
int stdio_apps_decode(struct slice bytes, bool whole, struct arena *arena,
                      struct stdio_app_list *out);

/* The same of one app, whole: the launcher's word to a guardian. */
int stdio_app_encode(const struct stdio_app *app, struct buffer *out);
int stdio_app_decode(struct slice bytes, struct arena *arena, struct stdio_app *out);

/* NULL when there is none of this name. */
const struct stdio_app *stdio_apps_find(const struct stdio_app_list *list, struct slice name);

/* Fills in the revision. The user's name counts, not its number: the watcher knows none. 0 or
 * -ENOMEM. */
int stdio_app_revise(struct stdio_app *app, struct arena *arena);

#endif
