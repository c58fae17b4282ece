#include "master/sessions_command.h"

#include "master/inspection.h"
#include "master/revoke_command.h"
#include "master/session_list.h"
#include "master/session_print.h"
#include "shared/session_store.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sysexits.h>

enum { SESSIONS_PREFIX_MIN = 8 }; /* hexadecimal digits */

static const struct inspection_command sessions_list_usage = {
    .name = "gatehouse sessions list",
    .usage = "gatehouse sessions list [-c FILE | --state DIR] [--user USER] [--app APP] "
             "[--limit N] [--json] [--wide]",
    .filters = true,
};

static const struct inspection_command sessions_show_usage = {
    .name = "gatehouse sessions show",
    .usage = "gatehouse sessions show [-c FILE | --state DIR] [--json] ID",
    .argument = true,
};

static int sessions_print_json(const struct session_list *list)
{
    struct json_writer json = {0};

    json_writer_open(&json, NULL, '{');
    json_writer_number(&json, "matched", (int64_t)list->matched);
    json_writer_number(&json, "unreadable", (int64_t)list->damaged);
    json_writer_open(&json, "sessions", '[');
    for (size_t i = 0; i < list->count; i++) {
        struct session_record session;

        if (session_record_decode(list->entries[i].value, &session) == 0)
            session_print_json(&json, list->entries[i].id, &session);
    }
    json_writer_close(&json, ']');
    json_writer_close(&json, '}');
    return json_writer_end(&json, stdout);
}

static int sessions_print(const struct inspection *inspection, const struct session_list *list)
{
    struct table table;
    int error;

    table_begin(&table, session_print_headings, SESSION_PRINT_COLUMNS);
    for (size_t i = 0; i < list->count; i++) {
        struct session_record session;

        if (session_record_decode(list->entries[i].value, &session) == 0)
            session_print_row(&table, list->entries[i].id, &session, inspection->now,
                              inspection->wide);
    }
    error = table_print(&table, stdout, inspection_width(inspection));
    if (list->matched > list->count)
        printf("The newest %zu of %" PRIu64 " sessions; --limit shows more.\n", list->count,
               list->matched);
    if (list->damaged > 0)
        printf("%" PRIu64 " records cannot be read.\n", list->damaged);
    return error;
}

static int sessions_list(int argc, char **argv)
{
    struct inspection inspection;
    struct session_list list = {0};
    struct store *store;
    int status, error;

    if (!inspection_begin(&inspection, &sessions_list_usage, argc, argv, &status))
        return status;
    store = inspection_use(&inspection, STORE_SESSIONS, &status);
    if (store == NULL)
        return status;
    list.user = inspection.user;
    list.app = inspection.app;
    list.limit = inspection.limit;
    list.now = inspection.now;
    error = session_list_read(&list, store);
    store_close(store);
    if (error == 0)
        error = inspection.json ? sessions_print_json(&list) : sessions_print(&inspection, &list);
    session_list_free(&list);
    return inspection_end(&inspection, error);
}

/* The key's beginning that the argument means: hexadecimal digits, with or without the kind. */
static bool sessions_prefix(const char *argument, char prefix[SESSION_ID_SIZE + 1])
{
    size_t kind = strlen(SESSION_KIND_JWT);
    size_t size;

    if (strncmp(argument, SESSION_KIND_JWT, kind) == 0)
        argument += kind;
    size = strlen(argument);
    if (size < SESSIONS_PREFIX_MIN || size > DIGEST_HEX_SIZE)
        return false;
    memcpy(prefix, SESSION_KIND_JWT, kind);
    for (size_t i = 0; i < size; i++) {
        if (!isxdigit((unsigned char)argument[i]))
            return false;
        prefix[kind + i] = (char)tolower((unsigned char)argument[i]);
    }
    prefix[kind + size] = '\0';
    return true;
}

struct sessions_find {
    struct session_id id; /* the first */
    size_t count;
    struct slice record; /* borrowed from memory */
    char memory[STORE_RECORD_MAX];
};

static int sessions_visit(void *context, struct slice key, struct slice value)
{
    struct sessions_find *find = context;
    struct session_id id;

    if (++find->count > 1)
        return 1;
    /* What another process wrote may be no session, or larger than the store would take. */
    if (!session_store_key_id(key, &id) || value.size > STORE_RECORD_MAX)
        return -EUCLEAN;
    find->id = id;
    memcpy(find->memory, value.data, value.size);
    find->record = slice_make(find->memory, value.size);
    return 0;
}

static int sessions_print_one(const struct inspection *inspection, const struct sessions_find *find)
{
    struct session_record session;
    struct json_writer json = {0};
    struct table table;

    if (session_record_decode(find->record, &session) != 0)
        return inspection_complain(inspection, EXIT_FAILURE, "the session's record is damaged");
    if (inspection->json) {
        session_print_json(&json, slice_make(find->id.text, SESSION_ID_SIZE), &session);
        return inspection_end(inspection, json_writer_end(&json, stdout));
    }
    table_begin(&table, NULL, 2);
    session_print_fields(&table, slice_make(find->id.text, SESSION_ID_SIZE), &session,
                         inspection->now);
    return inspection_end(inspection, table_print(&table, stdout, 0));
}

static int sessions_show(int argc, char **argv)
{
    static struct sessions_find find; /* large */
    struct inspection inspection;
    char prefix[SESSION_ID_SIZE + 1];
    struct store *store;
    int status;

    if (!inspection_begin(&inspection, &sessions_show_usage, argc, argv, &status))
        return status;
    if (!sessions_prefix(inspection.argument, prefix))
        return inspection_complain(&inspection, EX_USAGE,
                                   "ID takes at least %d hexadecimal digits of a session's id",
                                   SESSIONS_PREFIX_MIN);
    store = inspection_use(&inspection, STORE_SESSIONS, &status);
    if (store == NULL)
        return status;
    status = session_store_search(store, prefix, sessions_visit, &find);
    store_close(store);
    if (status < 0)
        return inspection_end(&inspection, status);
    if (find.count != 1)
        return inspection_complain(&inspection, EXIT_FAILURE, "%s session's id begins with %s",
                                   find.count == 0 ? "no" : "more than one", prefix);
    return sessions_print_one(&inspection, &find);
}

int sessions_command(int argc, char **argv)
{
    if (argc >= 2 && strcmp(argv[1], "list") == 0)
        return sessions_list(argc - 1, argv + 1);
    if (argc >= 2 && strcmp(argv[1], "show") == 0)
        return sessions_show(argc - 1, argv + 1);
    if (argc >= 2 && strcmp(argv[1], "revoke") == 0)
        return revoke_command(argc - 2, argv + 2);
    fprintf(argc == 2 && strcmp(argv[1], "--help") == 0 ? stdout : stderr,
            "usage: %s\n       %s\n       gatehouse sessions revoke --help\n",
            sessions_list_usage.usage, sessions_show_usage.usage);
    return argc == 2 && strcmp(argv[1], "--help") == 0 ? EX_OK : EX_USAGE;
}
