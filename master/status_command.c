#include "master/status_command.h"

#include "master/inspection.h"
#include "master/running.h"
#include "master/status_document.h"
#include "master/status_process.h"
#include "master/status_store.h"
#include "master/time_text.h"
#include "shared/store_meta.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sysexits.h>

static const struct inspection_command status_usage = {
    .name = "gatehouse status",
    .usage = "gatehouse status [-c FILE | --state DIR] [--json] [--wide]",
};

struct status {
    struct inspection inspection;
    struct running running;
    struct status_store stores[2]; /* by enum store_environment */
    int exit_status;
};

static struct slice status_meta(const struct status *status, const char *name)
{
    struct slice field;

    if (store_meta_get(status->stores[STORE_CONFIG].store, name, &field) != 0)
        return slice_from("");
    return field;
}

/* When the watcher last wrote: it alone writes the file. 0: unknown. */
static int64_t status_written(const struct status *status)
{
    char path[PATH_MAX + 32];
    struct stat file;

    snprintf(path, sizeof(path), "%s/config/data.mdb", status->inspection.state_dir);
    return stat(path, &file) == 0 ? file.st_mtime : 0;
}

static void status_print_running(const struct status *status)
{
    const struct running *running = &status->running;
    const char *directory = status->inspection.state_dir;

    if (running->pid == 0)
        printf("Gatehouse does not run from %s\n", directory);
    else if (running->pid < 0)
        printf("%s: whether a gateway runs shows only to root and the user that started it\n",
               directory);
    else if (running->work == NULL)
        printf("Gatehouse runs from %s as process %ld, whose processes this user may not see\n",
               directory, (long)running->pid);
    else
        printf("Gatehouse runs from %s as process %ld\n", directory, (long)running->pid);
}

static void status_print_meta(const struct status *status)
{
    int64_t written = status_written(status);
    struct slice generation = status_meta(status, "generation");
    struct slice schema = status_meta(status, "schema");
    struct slice lmdb = status_meta(status, "lmdb");
    char text[TIME_TEXT_SIZE], age[TIME_SPAN_SIZE];

    time_text_local(written, text);
    time_relative(written, status->inspection.now, age);
    printf("Generation %.*s, written %s (%s); schema %.*s, LMDB %.*s\n", (int)generation.size,
           generation.data, text, age, (int)schema.size, schema.data, (int)lmdb.size, lmdb.data);
}

static int status_print(const struct status *status)
{
    struct store *config = status->stores[STORE_CONFIG].store;
    int error;

    status_print_running(status);
    if (config != NULL)
        status_print_meta(status);
    error = status_process_print(&status->inspection, &status->running);
    if (error == 0 && config != NULL)
        error = status_document_print(&status->inspection, config);
    if (error == 0)
        error = status_store_print(&status->inspection, status->stores);
    return error;
}

static int64_t status_number(struct slice text)
{
    char copy[24] = "";

    if (text.size < sizeof(copy))
        memcpy(copy, text.data, text.size);
    return strtoll(copy, NULL, 10);
}

static int status_json_config(const struct status *status, struct json_writer *json)
{
    struct store *config = status->stores[STORE_CONFIG].store;

    if (config == NULL)
        return 0;
    json_writer_number(json, "generation", status_number(status_meta(status, "generation")));
    json_writer_time(json, "written", status_written(status));
    json_writer_number(json, "schema", status_number(status_meta(status, "schema")));
    json_writer_string(json, "lmdb", status_meta(status, "lmdb"));
    json_writer_time(json, "created", status_number(status_meta(status, "created")));
    return status_document_json(&status->inspection, json, config);
}

static int status_print_json(const struct status *status)
{
    struct json_writer json = {0};
    int error;

    json_writer_open(&json, NULL, '{');
    json_writer_string(&json, "state_dir", slice_from(status->inspection.state_dir));
    if (status->running.pid < 0)
        json_writer_null(&json, "running");
    else
        json_writer_boolean(&json, "running", status->running.pid > 0);
    if (status->running.pid > 0)
        json_writer_number(&json, "pid", status->running.pid);
    else
        json_writer_null(&json, "pid");
    status_process_json(&json, &status->running);
    error = status_json_config(status, &json);
    if (error == 0)
        error = status_store_json(&json, status->stores);
    json_writer_close(&json, '}');
    if (json.error == 0)
        json.error = error;
    return json_writer_end(&json, stdout);
}

/* One store that cannot be opened is told, and the other shown. */
static void status_open(struct status *status)
{
    for (int i = STORE_CONFIG; i <= STORE_SESSIONS; i++) {
        struct status_store *store = &status->stores[i];
        int failed;

        store->store =
            inspection_open(&status->inspection, (enum store_environment)i, store->reason, &failed);
        if (store->store != NULL)
            continue;
        inspection_complain(&status->inspection, failed, "%s", store->reason);
        status->exit_status = failed;
    }
}

int status_command(int argc, char **argv)
{
    static struct status status; /* large */
    int ended;

    if (!inspection_begin(&status.inspection, &status_usage, argc, argv, &status.exit_status))
        return status.exit_status;
    /* Before it becomes another user, who may not look at master. */
    running_find(status.inspection.state_dir, &status.running);
    ended = inspection_become(&status.inspection);
    if (ended != 0)
        return ended;
    status_open(&status);
    ended = inspection_end(&status.inspection, status.inspection.json ? status_print_json(&status)
                                                                      : status_print(&status));
    store_close(status.stores[STORE_CONFIG].store);
    store_close(status.stores[STORE_SESSIONS].store);
    return ended != 0 ? ended : status.exit_status;
}
