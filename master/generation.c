#include "master/generation.h"

#include "master/relay.h"
#include "master/supervisor.h"
#include "shared/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int generation_open(struct generation *generation, unsigned number,
                    struct configuration *configuration, const struct generation *old,
                    char reason[CONFIGURATION_REASON])
{
    const struct settings *settings = &configuration->settings;
    size_t failed = 0;
    int error = listener_open(&generation->listeners, settings,
                              old == NULL ? NULL : &old->listeners, &failed);

    if (error < 0) {
        struct slice address = settings->listeners[failed].address;

        snprintf(reason, CONFIGURATION_REASON, "cannot listen on %.*s: %s", (int)address.size,
                 address.data, strerror(-error));
        return error;
    }
    generation->state = GENERATION_STARTING;
    generation->number = number;
    generation->configuration = configuration;
    generation->workers = settings->workers;
    generation->lending_cursor = 0;
    generation->deadline = 0;
    for (size_t slot = 0; slot < SETTINGS_WORKERS_MAX; slot++) {
        generation->lending[slot] = (struct lending_slot){.borrower = -1};
        generation->seats[slot] =
            (struct seat){.role = ROLE_WORKER, .slot = (int)slot, .generation = number};
    }
    return 0;
}

bool generation_is_ready(const struct generation *generation)
{
    for (size_t slot = 0; slot < generation->workers; slot++)
        if (!generation->lending[slot].ready)
            return false;
    return true;
}

bool generation_is_refused(const struct generation *generation)
{
    for (size_t slot = 0; slot < generation->workers; slot++)
        if (generation->seats[slot].closed)
            return true;
    return false;
}

static bool generation_send_listeners(const struct generation *generation, struct process *process,
                                      size_t slot)
{
    for (size_t i = 0; i < generation->listeners.count; i++) {
        struct message_listener which = {.listener = (uint32_t)i, .slot = (uint32_t)slot};
        int fd = generation->listeners.listeners[i].fds[slot];

        if (fd >= 0 && !relay_order(process, MESSAGE_LISTENER,
                                    slice_make((const char *)&which, sizeof(which)), &fd, 1))
            return false;
    }
    return true;
}

static void generation_return_listeners(const struct generation *generation,
                                        struct process *process, size_t slot)
{
    for (size_t i = 0; i < generation->listeners.count; i++) {
        struct message_listener which = {.listener = (uint32_t)i, .slot = (uint32_t)slot};

        if (generation->listeners.listeners[i].fds[slot] >= 0)
            (void)relay_order(process, MESSAGE_UNLISTEN,
                              slice_make((const char *)&which, sizeof(which)), NULL, 0);
    }
}

/* A duplicate would share its offset with every other worker's: each gets a file of its own. */
static int certificate_reopen(int fd)
{
    char path[48];
    int copy;

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    copy = open(path, O_RDONLY | O_CLOEXEC);
    return copy < 0 ? -errno : copy;
}

static bool generation_send_certificate(const struct configuration *configuration, uint32_t index,
                                        struct process *process)
{
    int fds[2] = {certificate_reopen(configuration->certificates[index][0]),
                  certificate_reopen(configuration->certificates[index][1])};
    bool sent = false;

    if (fds[0] >= 0 && fds[1] >= 0)
        sent = relay_order(process, MESSAGE_CERTIFICATE,
                           slice_make((const char *)&index, sizeof(index)), fds, 2);
    else
        log_error("certificate_failed", "certificate %u cannot be passed on", index);
    for (int i = 0; i < 2; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    return sent;
}

static bool generation_send_certificates(const struct configuration *configuration,
                                         struct process *process)
{
    for (size_t i = 0; i < configuration->settings.certificate_count; i++)
        if (!generation_send_certificate(configuration, (uint32_t)i, process))
            return false;
    return true;
}

static bool generation_send_audit(const struct configuration *configuration,
                                  struct process *process)
{
    return configuration->audit < 0 ||
           relay_order(process, MESSAGE_AUDIT, slice_make(NULL, 0), &configuration->audit, 1);
}

void generation_reopen_audit(struct generation *generation, int original)
{
    int error;

    if (generation->state == GENERATION_NONE)
        return;
    error = configuration_reopen_audit(generation->configuration, original);
    if (error < 0)
        log_error("audit_not_reopened", "the audit trail stays as it was: %s", strerror(-error));
    for (size_t slot = 0; slot < generation->workers && error == 0; slot++)
        if (generation->seats[slot].process != NULL)
            (void)generation_send_audit(generation->configuration, generation->seats[slot].process);
}

bool generation_equip(struct supervisor *supervisor, struct generation *generation,
                      struct process *process)
{
    struct slice keys =
        slice_make((const char *)&supervisor->ticket_keys, sizeof(supervisor->ticket_keys));

    return relay_order(process, MESSAGE_TICKET_KEYS, keys, NULL, 0) &&
           generation_send_audit(generation->configuration, process) &&
           generation_send_certificates(generation->configuration, process) &&
           generation_send_listeners(generation, process, (size_t)process->slot) &&
           relay_order(process, MESSAGE_START, slice_make(NULL, 0), NULL, 0);
}

void generation_adopt(struct generation *generation, struct configuration *configuration)
{
    configuration_free(generation->configuration);
    generation->configuration = configuration;
    for (size_t slot = 0; slot < generation->workers; slot++) {
        struct seat *seat = &generation->seats[slot];

        seat->closed = false;
        if (seat->process != NULL &&
            relay_order(seat->process, MESSAGE_SETTINGS, buffer_slice(&configuration->message),
                        NULL, 0) &&
            generation_send_audit(configuration, seat->process) &&
            generation_send_certificates(configuration, seat->process))
            (void)relay_order(seat->process, MESSAGE_START, slice_make(NULL, 0), NULL, 0);
    }
}

void generation_worker_ready(struct generation *generation, int slot, int64_t now)
{
    if (generation == NULL)
        return;
    backoff_ready(&generation->seats[slot].backoff, now);
    lending_ready(generation->lending, (size_t)slot);
}

void generation_worker_death(struct generation *generation, int slot, int status, int64_t now)
{
    seat_death(&generation->seats[slot], status, now);
    lending_death(generation->lending, SETTINGS_WORKERS_MAX, (size_t)slot, now);
}

static void generation_lend(struct generation *generation, size_t slot)
{
    int borrower =
        lending_choose(generation->lending, generation->workers, &generation->lending_cursor);

    if (borrower < 0)
        return;
    if (generation_send_listeners(generation, generation->seats[borrower].process, slot)) {
        generation->lending[slot].borrower = borrower;
        log_debug("slot_lent", "worker %d accepts for slot %zu", borrower, slot);
    }
}

static void generation_return(struct generation *generation, size_t slot)
{
    int borrower = generation->lending[slot].borrower;

    generation->lending[slot].borrower = -1;
    generation_return_listeners(generation, generation->seats[borrower].process, slot);
}

static void generation_serve(struct supervisor *supervisor, struct generation *generation,
                             int64_t now)
{
    for (size_t slot = 0; slot < generation->workers; slot++)
        seat_turn(supervisor, &generation->seats[slot], generation->configuration, now);
    if (generation->state != GENERATION_SERVING)
        return;
    for (size_t slot = 0; slot < generation->listeners.slots; slot++) {
        enum lending_action action = lending_decide(&generation->lending[slot], now);

        if (action == LENDING_LEND)
            generation_lend(generation, slot);
        else if (action == LENDING_RETURN)
            generation_return(generation, slot);
    }
}

void generation_drain(struct generation *generation, int64_t deadline)
{
    listener_close(&generation->listeners);
    generation->state = GENERATION_DRAINING;
    generation->deadline = deadline;
    for (size_t slot = 0; slot < generation->workers; slot++) {
        struct process *process = generation->seats[slot].process;

        if (process == NULL)
            continue;
        seat_drain(process, deadline);
    }
}

static void generation_end(struct generation *generation)
{
    for (size_t slot = 0; slot < generation->workers; slot++)
        if (generation->seats[slot].process != NULL)
            return;
    log_info("generation_ended", "generation %u has drained", generation->number);
    configuration_free(generation->configuration);
    generation->configuration = NULL;
    generation->state = GENERATION_NONE;
}

void generation_turn(struct supervisor *supervisor, struct generation *generation, int64_t now)
{
    switch (generation->state) {
    case GENERATION_NONE:
        break;
    case GENERATION_STARTING:
    case GENERATION_SERVING:
        generation_serve(supervisor, generation, now);
        break;
    case GENERATION_DRAINING:
        generation_end(generation);
        break;
    }
}

int64_t generation_due(const struct generation *generation, int64_t now)
{
    int64_t due = INT64_MAX;

    if (generation->state != GENERATION_STARTING && generation->state != GENERATION_SERVING)
        return due;
    if (generation->state == GENERATION_STARTING)
        due = generation->deadline;
    for (size_t slot = 0; slot < generation->workers; slot++) {
        const struct seat *seat = &generation->seats[slot];

        if (seat->process == NULL && !seat->closed && seat->fill_at < due)
            due = seat->fill_at;
    }
    for (size_t slot = 0; slot < generation->listeners.slots; slot++)
        if (lending_decide(&generation->lending[slot], now + LENDING_PATIENCE) != LENDING_NONE)
            return now;
    return due;
}
