#include "master/status_process.h"

#include "master/table.h"
#include "shared/child.h"
#include "shared/clock.h"

#include <inttypes.h>

static const char *const status_process_headings[] = {"PROCESS", "PID", "USER", "STATE",
                                                      "HEARTBEAT"};
static const char *const status_process_counters[] = {"COUNTER", "VALUE"};

/* A block as it was at one moment: its process may end at the next. */
struct status_process {
    pid_t pid; /* 0: none */
    enum child_role role;
    int slot;
    bool ready;
    int64_t silence; /* milliseconds since the last heartbeat; -1: master, which has none */
    bool user_known;
    uid_t user;
};

static struct status_process status_process_of(const struct scoreboard_block *block)
{
    int64_t heartbeat = atomic_load(&block->heartbeat);
    struct status_process process = {.pid = atomic_load(&block->pid),
                                     .role = (enum child_role)atomic_load(&block->role),
                                     .slot = atomic_load(&block->slot),
                                     .ready = atomic_load(&block->ready) != 0};

    if (process.role == ROLE_MASTER)
        process.ready = true;
    process.silence = heartbeat == 0 ? -1 : clock_monotonic_milliseconds() - heartbeat;
    process.user_known = process.pid > 0 && running_user(process.pid, &process.user) == 0;
    return process;
}

/* The totals' block is master's own; what the service's processes wrote is checked. */
static bool status_process_at(const struct scoreboard_work *work, size_t index,
                              struct status_process *out)
{
    *out = status_process_of(index == 0 ? &work->totals : &work->blocks[index - 1]);
    return out->pid > 0 && out->role >= ROLE_MASTER && out->role < ROLES;
}

/* Whether every child that meets strangers or reads documents is another user than master. The
 * launcher does neither. */
static bool status_process_separated(const struct scoreboard_work *work)
{
    struct status_process master, process;

    if (!status_process_at(work, 0, &master) || !master.user_known)
        return false;
    for (size_t i = 1; i <= SCOREBOARD_BLOCKS; i++)
        if (status_process_at(work, i, &process) && process.role != ROLE_LAUNCHER &&
            process.user_known && process.user == master.user)
            return false;
    return true;
}

static void status_process_user(const struct status_process *process, char *out, size_t room)
{
    if (process->user_known)
        running_user_name(process->user, out, room);
    else
        snprintf(out, room, "-");
}

static void status_process_row(struct table *table, const struct status_process *process)
{
    char user[64];

    status_process_user(process, user, sizeof(user));
    if (process->slot >= 0 && process->role == ROLE_WORKER)
        table_cell_format(table, "%s %d", child_role_name(process->role), process->slot);
    else
        table_cell(table, slice_from(child_role_name(process->role)));
    table_cell_format(table, "%ld", (long)process->pid);
    table_cell(table, slice_from(user));
    table_cell(table, slice_from(process->ready ? "ready" : "starting"));
    if (process->silence >= 0)
        table_cell_format(table, "%" PRId64 " ms ago", process->silence);
    table_row_end(table);
}

static int status_process_print_counters(const struct inspection *inspection,
                                         const struct scoreboard_work *work)
{
    struct table table;

    table_begin(&table, status_process_counters, 2);
    for (int i = 0; i < GAUGES; i++) {
        uint64_t value = scoreboard_gauge_sum(work, (enum scoreboard_gauge)i);

        if (value == 0 && !inspection->wide)
            continue;
        table_cell(&table, slice_from(scoreboard_gauge_name((enum scoreboard_gauge)i)));
        table_cell_format(&table, "%" PRIu64, value);
    }
    for (int i = 0; i < COUNTERS; i++) {
        uint64_t value = scoreboard_sum(work, (enum scoreboard_counter)i);

        if (value == 0 && !inspection->wide)
            continue;
        table_cell(&table, slice_from(scoreboard_counter_name((enum scoreboard_counter)i)));
        table_cell_format(&table, "%" PRIu64, value);
    }
    return table_print(&table, stdout, 0);
}

int status_process_print(const struct inspection *inspection, const struct running *running)
{
    struct status_process process;
    struct table table;
    int error;

    if (running->work == NULL)
        return 0;
    printf("Users: %s\n\n", status_process_separated(running->work)
                                ? "separated: no process shares master's user"
                                : "NOT separated: children run as master's user");
    table_begin(&table, status_process_headings, 5);
    for (size_t i = 0; i <= SCOREBOARD_BLOCKS; i++)
        if (status_process_at(running->work, i, &process))
            status_process_row(&table, &process);
    error = table_print(&table, stdout, inspection_width(inspection));
    putchar('\n');
    return error != 0 ? error : status_process_print_counters(inspection, running->work);
}

static void status_process_object(struct json_writer *json, const struct status_process *process)
{
    char user[64];

    status_process_user(process, user, sizeof(user));
    json_writer_open(json, NULL, '{');
    json_writer_string(json, "role", slice_from(child_role_name(process->role)));
    if (process->role == ROLE_WORKER)
        json_writer_number(json, "slot", process->slot);
    else
        json_writer_null(json, "slot");
    json_writer_number(json, "pid", process->pid);
    json_writer_string(json, "user", slice_from(user));
    json_writer_boolean(json, "ready", process->ready);
    if (process->silence >= 0)
        json_writer_number(json, "heartbeat_age_ms", process->silence);
    else
        json_writer_null(json, "heartbeat_age_ms");
    json_writer_close(json, '}');
}

void status_process_json(struct json_writer *json, const struct running *running)
{
    const struct scoreboard_work *work = running->work;
    struct status_process process;

    if (work == NULL) {
        json_writer_null(json, "users_separated");
        json_writer_null(json, "processes");
        json_writer_null(json, "gauges");
        json_writer_null(json, "counters");
        return;
    }
    json_writer_boolean(json, "users_separated", status_process_separated(work));
    json_writer_open(json, "processes", '[');
    for (size_t i = 0; i <= SCOREBOARD_BLOCKS; i++)
        if (status_process_at(work, i, &process))
            status_process_object(json, &process);
    json_writer_close(json, ']');
    json_writer_open(json, "gauges", '{');
    for (int i = 0; i < GAUGES; i++)
        json_writer_number(json, scoreboard_gauge_name((enum scoreboard_gauge)i),
                           (int64_t)scoreboard_gauge_sum(work, (enum scoreboard_gauge)i));
    json_writer_close(json, '}');
    json_writer_open(json, "counters", '{');
    for (int i = 0; i < COUNTERS; i++)
        json_writer_number(json, scoreboard_counter_name((enum scoreboard_counter)i),
                           (int64_t)scoreboard_sum(work, (enum scoreboard_counter)i));
    json_writer_close(json, '}');
}
