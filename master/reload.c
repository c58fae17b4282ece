#include "master/reload.h"

#include "master/bridging.h"
#include "master/notify.h"
#include "master/reader.h"
#include "master/relay.h"
#include "master/supervisor.h"
#include "shared/log.h"

enum { GENERATION_TIMEOUT = 30 * 1000 }; /* milliseconds for a new one to be READY */

static bool user_equal(const struct settings_user *a, const struct settings_user *b)
{
    return slice_equal(a->name, b->name) && a->uid == b->uid && a->gid == b->gid;
}

static bool listeners_equal(const struct settings *a, const struct settings *b)
{
    if (a->listener_count != b->listener_count)
        return false;
    for (size_t i = 0; i < a->listener_count; i++)
        if (!slice_equal(a->listeners[i].address, b->listeners[i].address) ||
            a->listeners[i].admin != b->listeners[i].admin ||
            a->listeners[i].tls != b->listeners[i].tls)
            return false;
    return true;
}

enum reload_kind reload_compare(const struct settings *from, const struct settings *to,
                                const char **reason)
{
    *reason = NULL;
    if (!slice_equal(from->state_dir, to->state_dir))
        *reason = "gate.state_dir";
    else if (!user_equal(&from->watcher_user, &to->watcher_user) ||
             !user_equal(&from->worker_user, &to->worker_user) ||
             !user_equal(&from->bridge_user, &to->bridge_user))
        *reason = "gate.users";
    else if (from->config_map_size != to->config_map_size ||
             from->session_map_size != to->session_map_size)
        *reason = "gate.store";
    if (*reason != NULL)
        return RELOAD_REFUSED;
    if (!listeners_equal(from, to))
        *reason = "gate.listen";
    else if (from->workers != to->workers)
        *reason = "gate.workers";
    return *reason == NULL ? RELOAD_IN_PLACE : RELOAD_GENERATION;
}

void reload_want(struct supervisor *supervisor)
{
    const struct generation *other = supervisor->other;

    if (!supervisor->reload_wanted && other->state != GENERATION_NONE)
        log_info("reload_waits", "until generation %u has %s", other->number,
                 other->state == GENERATION_STARTING ? "started" : "drained");
    supervisor->reload_wanted = true;
}

void reload_turn(struct supervisor *supervisor, int64_t now)
{
    struct generation *other = supervisor->other;

    if (other->state == GENERATION_STARTING) {
        if (generation_is_ready(other))
            reload_commit(supervisor, now);
        else if (generation_is_refused(other))
            reload_abort(supervisor, "a new worker refused them", now);
        else if (now >= other->deadline)
            reload_abort(supervisor, "the new workers did not come up in time", now);
        return;
    }
    /* At most two generations: the next waits until the old one is gone. */
    if (!supervisor->reload_wanted || supervisor->reader != NULL || other->state != GENERATION_NONE)
        return;
    supervisor->reload_wanted = false;
    notify_reloading();
    if (reader_start(supervisor) < 0)
        reload_abort(supervisor, "the file cannot be read", now);
}

/* What runs on: the log, the watcher (which reads the documents again) and the janitor. */
static void reload_tell_services(struct supervisor *supervisor)
{
    struct slice message = buffer_slice(&supervisor_configuration(supervisor)->message);
    struct process *watcher = supervisor->watcher.process;
    struct process *janitor = supervisor->janitor.process;

    supervisor->watcher.closed = supervisor->janitor.closed = false;
    supervisor_reopen_logs(supervisor);
    if (watcher != NULL && relay_order(watcher, MESSAGE_SETTINGS, message, NULL, 0))
        (void)relay_order(watcher, MESSAGE_RELOAD, slice_make(NULL, 0), NULL, 0);
    if (janitor != NULL)
        (void)relay_order(janitor, MESSAGE_SETTINGS, message, NULL, 0);
    bridging_adopt(supervisor);
    notify_send("READY=1");
}

static void reload_begin_generation(struct supervisor *supervisor,
                                    struct configuration *configuration, const char *reason,
                                    int64_t now)
{
    char problem[CONFIGURATION_REASON];

    if (generation_open(supervisor->other, ++supervisor->generation_number, configuration,
                        supervisor->current, problem) < 0) {
        configuration_free(configuration);
        reload_abort(supervisor, problem, now);
        return;
    }
    supervisor->other->deadline = now + GENERATION_TIMEOUT;
    log_info("reload_started", "%s changed: generation %u of workers starts", reason,
             supervisor->other->number);
}

void reload_read(struct supervisor *supervisor, struct configuration *configuration, int64_t now)
{
    const char *reason;

    switch (reload_compare(supervisor_settings(supervisor), &configuration->settings, &reason)) {
    case RELOAD_REFUSED:
        log_error("reload_refused", "%s cannot change while the service runs: restart it", reason);
        configuration_free(configuration);
        reload_abort(supervisor, "it needs a restart", now);
        break;
    case RELOAD_GENERATION:
        reload_begin_generation(supervisor, configuration, reason, now);
        break;
    case RELOAD_IN_PLACE:
        generation_adopt(supervisor->current, configuration);
        reload_tell_services(supervisor);
        log_info("reloaded", "every process was given the settings");
        break;
    }
}

void reload_commit(struct supervisor *supervisor, int64_t now)
{
    struct generation *old = supervisor->current;

    supervisor->current = supervisor->other;
    supervisor->other = old;
    supervisor->current->state = GENERATION_SERVING;
    generation_drain(old, now + (int64_t)old->configuration->settings.limits.drain_timeout);
    reload_tell_services(supervisor);
    log_info("reloaded", "generation %u serves with %zu workers, generation %u drains",
             supervisor->current->number, supervisor->current->workers, old->number);
}

void reload_abort(struct supervisor *supervisor, const char *reason, int64_t now)
{
    if (supervisor->other->state == GENERATION_STARTING)
        generation_drain(supervisor->other, now);
    /* Who moved the files aside meant them, whatever the settings say now. */
    supervisor_reopen_logs(supervisor);
    log_error("reload_failed", "the settings stay as they were: %s", reason);
    notify_send("READY=1");
}
