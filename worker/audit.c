#include "worker/audit.h"

#include "shared/clock.h"
#include "shared/log.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    AUDIT_RETRY = 1000,      /* milliseconds between two tries while it fails */
    AUDIT_LOG_EVERY = 60000, /* milliseconds between two lines of the log that say so */
    AUDIT_CLOSE_TIME = 1000, /* milliseconds for what waits at the end */
    AUDIT_STAMP_SIZE = 19,   /* of "2026-01-31T12:00:00" */
    AUDIT_KEEP = 64 * 1024,  /* bytes of memory kept between turns */
    AUDIT_LINE_TAIL = 16,    /* of a line's room: `"cut":true}` and the newline */
    AUDIT_WRITES = 256,      /* in a turn: a buffer full of pieces for a pipe */
};

void audit_open(struct audit *audit, int slot, struct scoreboard_block *block,
                const struct scoreboard_work *work)
{
    *audit = (struct audit){.block = block, .work = work, .fd = -1, .second = -1};
    snprintf(audit->process, sizeof(audit->process), "\"worker\":%d,\"pid\":%d,", slot,
             (int)getpid());
}

static void audit_fail(struct audit *audit, int error)
{
    int64_t now = clock_monotonic_milliseconds();

    scoreboard_count(audit->block, COUNT_AUDIT_FAILURES);
    if (!audit->failing)
        audit->failed_at = clock_wall_seconds();
    audit->failing = true;
    audit->next_try = now + AUDIT_RETRY;
    scoreboard_set(audit->block, GAUGE_AUDIT_FAILING, 1);
    if (now < audit->next_log)
        return;
    audit->next_log = now + AUDIT_LOG_EVERY;
    log_error("audit_failed", "the audit trail cannot be written: %s; requests are %s",
              error == EAGAIN ? "nobody takes its lines" : strerror(error),
              audit->refuse ? "refused" : "served");
}

/* Says in the trail itself what is missing from it. */
static void audit_recover(struct audit *audit)
{
    struct audit_line line;
    uint64_t lost = audit->lost, refused = audit->refused;

    audit->failing = false;
    audit->lost = audit->refused = 0;
    scoreboard_set(audit->block, GAUGE_AUDIT_FAILING, 0);
    log_info("audit_recovered", "the audit trail is written again; %llu lines were lost",
             (unsigned long long)lost);
    audit_begin(audit, &line, "audit_gap");
    audit_line_time(&line, "since", audit->failed_at);
    audit_line_number(&line, "lost", lost);
    audit_line_number(&line, "refused", refused);
    audit_end(audit, &line);
}

/* How much to write at once: whole lines, and to a pipe no more than it takes as one (PIPE_BUF), so
 * that lines of several workers do not mix. */
static size_t audit_piece(const struct audit *audit)
{
    struct slice lines = buffer_slice(&audit->out);
    const char *last;

    if (audit->file || lines.size <= PIPE_BUF)
        return lines.size;
    last = memrchr(lines.data, '\n', PIPE_BUF);
    if (last == NULL) /* made for a file, before the settings changed */
        last = memchr(lines.data, '\n', lines.size);
    return (size_t)(last - lines.data) + 1;
}

/* `count` bytes were written: whole lines among them go. Of half a line all stays, to be written
 * again. */
static void audit_consume(struct audit *audit, size_t count)
{
    const char *data = buffer_data(&audit->out);
    size_t whole = 0;

    for (const char *at; (at = memchr(data + whole, '\n', count - whole)) != NULL;) {
        whole = (size_t)(at - data) + 1;
        scoreboard_count(audit->block, COUNT_AUDIT_LINES);
    }
    audit->torn = count > whole;
    buffer_consume(&audit->out, whole);
}

/* Writes a piece: 0 (of what was written in part the next call finds out why), or the error. */
static int audit_write(struct audit *audit)
{
    static const char newline = '\n';
    struct pollfd output = {.fd = audit->fd, .events = POLLOUT};
    ssize_t count;

    if (audit->fd < 0)
        return EBADF;
    /* A standard error that is a socket blocks, and cannot be opened anew (log_file.h). */
    if (!audit->file && poll(&output, 1, 0) == 0)
        return EAGAIN;
    /* Half a line may stand there: of ours, or of another worker that fails just now. */
    if (audit->torn || (audit->file && audit->neighbour)) {
        if (write(audit->fd, &newline, 1) != 1)
            return errno;
        audit->torn = false;
    }
    count = write(audit->fd, buffer_data(&audit->out), audit_piece(audit));
    if (count < 0)
        return errno == EINTR ? 0 : errno;
    audit_consume(audit, (size_t)count);
    return 0;
}

void audit_flush(struct audit *audit)
{
    int error = 0;

    if (!audit->on || (buffer_size(&audit->out) == 0 && !audit->failing))
        return;
    if (audit->failing && (audit->file || audit->fd < 0) &&
        clock_monotonic_milliseconds() < audit->next_try)
        return;
    for (int i = 0; i < AUDIT_WRITES && error == 0 && buffer_size(&audit->out) > 0; i++)
        error = audit_write(audit);
    if (error == 0 && audit->fd < 0)
        error = EBADF;
    if (error != 0 && error != EAGAIN)
        audit_fail(audit, error);
    else if (audit->failing && buffer_size(&audit->out) < AUDIT_WAITING_MAX / 2)
        audit_recover(audit);
    if (buffer_size(&audit->out) == 0 && audit->out.capacity > AUDIT_KEEP)
        buffer_free(&audit->out);
}

static void audit_close_file(struct audit *audit)
{
    if (audit->fd >= 0)
        close(audit->fd);
    audit->fd = -1;
}

void audit_configure(struct audit *audit, const struct settings_audit *settings)
{
    bool on = settings->output.size > 0;

    if (audit->on && !on)
        audit_close(audit);
    audit->on = on;
    audit->arguments = settings->arguments;
    audit->refuse = settings->refuse;
    audit->refusals = settings->refusals;
}

void audit_take(struct audit *audit, int fd)
{
    struct stat status;

    audit_close_file(audit);
    audit->fd = fd;
    audit->file = fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
    audit->torn = false; /* what is torn stands in the file before */
    audit->next_try = 0;
}

void audit_tick(struct audit *audit)
{
    struct audit_line line;
    uint64_t withheld;

    if (!audit->on)
        return;
    audit->neighbour =
        scoreboard_gauge_sum(audit->work, GAUGE_AUDIT_FAILING) > (audit->failing ? 1 : 0);
    withheld = line_bucket_take(&audit->strangers, clock_monotonic_milliseconds());
    if (withheld == 0)
        return;
    audit_begin(audit, &line, "refusals_withheld");
    audit_line_number(&line, "count", withheld);
    audit_end(audit, &line);
}

void audit_close(struct audit *audit)
{
    int64_t end = clock_monotonic_milliseconds() + AUDIT_CLOSE_TIME;
    uint64_t lost = audit->lost;

    audit->next_try = 0;
    audit_flush(audit);
    while (buffer_size(&audit->out) > 0 && !audit->file && audit->fd >= 0) {
        struct pollfd output = {.fd = audit->fd, .events = POLLOUT};
        int64_t left = end - clock_monotonic_milliseconds();

        if (left <= 0 || poll(&output, 1, (int)left) <= 0)
            break;
        audit_flush(audit);
    }
    for (size_t i = 0; i < buffer_size(&audit->out); i++)
        lost += buffer_data(&audit->out)[i] == '\n';
    if (lost > 0)
        log_error("audit_lost", "%llu lines of the audit trail are lost", (unsigned long long)lost);
    buffer_free(&audit->out);
    audit_close_file(audit);
    audit->on = audit->failing = false;
    scoreboard_set(audit->block, GAUGE_AUDIT_FAILING, 0);
}

bool audit_refuses(struct audit *audit)
{
    if (!audit->failing || !audit->refuse)
        return false;
    audit->refused++;
    return true;
}

bool audit_admits_stranger(struct audit *audit)
{
    return line_bucket_admits(&audit->strangers, audit->refusals, clock_monotonic_milliseconds());
}

bool audit_ends_session(struct audit *audit, struct slice id)
{
    uint64_t end = 0;

    /* Ids end in digits of a hash: their last eight bytes tell them apart. */
    memcpy(&end, id.data + id.size - sizeof(end), sizeof(end));
    for (size_t i = 0; i < AUDIT_ENDED; i++)
        if (audit->ended[i] == end)
            return false;
    audit->ended[audit->ended_next++ % AUDIT_ENDED] = end;
    return true;
}

static void line_stamp(struct audit *audit, struct audit_line *line)
{
    int64_t now = clock_wall_microseconds();
    time_t second = (time_t)(now / 1000000);
    char text[48] = "{\"time\":\"";
    size_t size = strlen(text);
    struct tm calendar;

    if (audit->second != second && gmtime_r(&second, &calendar) != NULL) {
        strftime(audit->stamp, sizeof(audit->stamp), "%Y-%m-%dT%H:%M:%S", &calendar);
        audit->second = second;
    }
    memcpy(text + size, audit->stamp, AUDIT_STAMP_SIZE);
    size += AUDIT_STAMP_SIZE;
    text[size] = '.';
    for (int64_t i = 6, rest = now % 1000000; i > 0; i--, rest /= 10)
        text[size + (size_t)i] = (char)('0' + rest % 10);
    memcpy(text + size + 7, "Z\",", 3);
    audit_line_members(line, slice_make(text, size + 10));
}

void audit_begin(struct audit *audit, struct audit_line *line, const char *event)
{
    size_t most = audit->file ? AUDIT_LINE_MAX : PIPE_BUF;

    *line = (struct audit_line){0};
    audit->line++;
    if (buffer_size(&audit->out) + most > AUDIT_WAITING_MAX ||
        buffer_reserve(&audit->out, most) != 0)
        return;
    line->bytes = buffer_space(&audit->out, &line->room);
    line->room = most - AUDIT_LINE_TAIL;
    line_stamp(audit, line);
    audit_line_plain(line, "event", event);
    audit_line_members(line, slice_from(audit->process));
    audit_line_number(line, "line", audit->line);
}

void audit_end(struct audit *audit, struct audit_line *line)
{
    if (line->bytes == NULL) {
        audit->lost++;
        scoreboard_count(audit->block, COUNT_AUDIT_LOST);
        if (!audit->failing)
            audit_fail(audit, EAGAIN);
        return;
    }
    line->room += AUDIT_LINE_TAIL;
    if (line->cut)
        audit_line_true(line, "cut");
    line->bytes[line->size - 1] = '}';
    line->bytes[line->size] = '\n';
    buffer_commit(&audit->out, line->size + 1);
}
