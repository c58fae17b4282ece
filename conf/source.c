#include "conf/source.h"

#include "shared/log.h"

#include <errno.h>
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

/* Seconds of silence after a write, and of patience with writes that do not end. */
#define SOURCE_SILENCE 0.05
#define SOURCE_PATIENCE 0.4
#define SOURCE_RETRY 1.0

enum {
    SOURCE_EVENTS = IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO |
                    IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR,
};

struct source {
    struct ev_loop *loop; /* borrowed */
    char *directory;      /* owned */
    source_changed changed;
    void *context;
    int inotify;
    int watch; /* -1: the directory is not there */
    ev_io readable;
    ev_timer silence;
    ev_timer retry;
    ev_tstamp first; /* of the burst; 0: there is none */
};

static void source_touch(struct source *source)
{
    ev_tstamp now = ev_now(source->loop);
    ev_tstamp wait = SOURCE_SILENCE;

    if (source->first == 0)
        source->first = now;
    if (now + wait > source->first + SOURCE_PATIENCE)
        wait = source->first + SOURCE_PATIENCE - now;
    ev_timer_stop(source->loop, &source->silence);
    ev_timer_set(&source->silence, wait > 0 ? wait : 0, 0);
    ev_timer_start(source->loop, &source->silence);
}

static void on_silence(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct source *source = timer->data;

    (void)loop;
    (void)events;
    source->first = 0;
    source->changed(source->context);
}

static bool source_watch(struct source *source)
{
    source->watch = inotify_add_watch(source->inotify, source->directory, SOURCE_EVENTS);
    if (source->watch < 0 && errno != ENOENT && errno != ENOTDIR)
        log_warning("source_unwatched", "%s: %s", source->directory, strerror(errno));
    return source->watch >= 0;
}

static void source_lost(struct source *source)
{
    if (source->watch >= 0)
        inotify_rm_watch(source->inotify, source->watch);
    source->watch = -1;
    ev_timer_again(source->loop, &source->retry);
}

static void on_retry(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct source *source = timer->data;

    (void)events;
    if (!source_watch(source))
        return;
    ev_timer_stop(loop, timer);
    source_touch(source);
}

/* A file that is made to be written comes again when it is closed; a link does not. */
static bool created_counts(const struct source *source, const char *name)
{
    char path[4096];
    struct stat status;
    int size = snprintf(path, sizeof(path), "%s/%s", source->directory, name);

    if (size < 0 || (size_t)size >= sizeof(path) || lstat(path, &status) < 0)
        return true;
    return !S_ISREG(status.st_mode) || status.st_nlink > 1;
}

static void source_event(struct source *source, const struct inotify_event *event, const char *name)
{
    if ((event->mask & IN_Q_OVERFLOW) != 0) {
        source_touch(source);
        return;
    }
    if (event->wd != source->watch)
        return;
    if ((event->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED | IN_UNMOUNT)) != 0) {
        if ((event->mask & IN_IGNORED) != 0)
            source->watch = -1;
        source_lost(source);
        source_touch(source);
        return;
    }
    if ((event->mask & IN_CREATE) == 0 || created_counts(source, name))
        source_touch(source);
}

static void on_readable(struct ev_loop *loop, ev_io *io, int events)
{
    struct source *source = io->data;
    char bytes[16 * 1024];
    ssize_t size = read(source->inotify, bytes, sizeof(bytes));
    size_t at = 0;

    (void)loop;
    (void)events;
    while (size > 0 && (size_t)size - at >= sizeof(struct inotify_event)) {
        struct inotify_event event;

        memcpy(&event, bytes + at, sizeof(event));
        if (event.len > (size_t)size - at - sizeof(event))
            break;
        /* The kernel ends every name with a NUL; without one there is no name. */
        source_event(source, &event, event.len > 0 ? bytes + at + sizeof(event) : "");
        at += sizeof(event) + event.len;
    }
}

int source_open(struct source **out, struct ev_loop *loop, struct slice directory,
                source_changed changed, void *context)
{
    struct source *source = calloc(1, sizeof(*source));

    if (source == NULL)
        return -ENOMEM;
    source->loop = loop;
    source->changed = changed;
    source->context = context;
    source->watch = -1;
    source->directory = strndup(directory.size == 0 ? "" : directory.data, directory.size);
    source->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (source->directory == NULL || source->inotify < 0) {
        int error = source->directory == NULL ? -ENOMEM : -errno;

        source_close(source);
        return error;
    }
    ev_io_init(&source->readable, on_readable, source->inotify, EV_READ);
    ev_timer_init(&source->silence, on_silence, 0, 0);
    ev_timer_init(&source->retry, on_retry, 0, SOURCE_RETRY);
    source->readable.data = source->silence.data = source->retry.data = source;
    ev_io_start(loop, &source->readable);
    if (directory.size > 0 && !source_watch(source))
        ev_timer_again(loop, &source->retry);
    *out = source;
    return 0;
}

void source_close(struct source *source)
{
    if (source == NULL)
        return;
    ev_io_stop(source->loop, &source->readable);
    ev_timer_stop(source->loop, &source->silence);
    ev_timer_stop(source->loop, &source->retry);
    if (source->inotify >= 0)
        close(source->inotify);
    free(source->directory);
    free(source);
}
