#include "shared/log.h"

#include "shared/clock.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 4096, TAIL_MAX = 4 }; /* TAIL: `"}` and the newline */

struct line {
    char bytes[LINE_MAX_BYTES];
    size_t size;
    bool full;
};

static const char *log_role = "gatehouse";
static int log_slot = -1;
static enum log_level log_threshold = LOG_INFO;
static enum log_format log_form = LOG_TEXT;
static uint64_t log_lost_all, log_lost_new; /* new: that no line has told of */

static const char *const level_names[] = {"error", "warning", "info", "debug"};

void log_identify(const char *role, int slot)
{
    log_role = role;
    log_slot = slot;
}

void log_configure(enum log_level level, enum log_format format)
{
    log_threshold = level;
    log_form = format;
}

uint64_t log_lost(void)
{
    return log_lost_all;
}

bool log_enabled(enum log_level level)
{
    return level <= log_threshold;
}

int log_reopen(int fd)
{
    if (fd == STDERR_FILENO)
        return 0;
    if (dup2(fd, STDERR_FILENO) < 0) {
        int error = -errno;

        close(fd);
        return error;
    }
    close(fd);
    return 0;
}

/* Adds all of it or, when it does not fit, nothing, now and later. */
static void line_add(struct line *line, const char *bytes, size_t size)
{
    if (line->full || size > LINE_MAX_BYTES - TAIL_MAX - line->size) {
        line->full = true;
        return;
    }
    memcpy(line->bytes + line->size, bytes, size);
    line->size += size;
}

static void line_add_text(struct line *line, const char *text)
{
    line_add(line, text, strlen(text));
}

/* Bytes of the well-formed UTF-8 character at `text` (RFC 3629, 4), or 0. */
static size_t character_size(const unsigned char *text)
{
    unsigned char first = text[0], low = 0x80, high = 0xBF;
    size_t size;

    if (first < 0x80)
        return 1;
    if (first < 0xC2 || first > 0xF4)
        return 0;
    size = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    if (first == 0xE0)
        low = 0xA0;
    else if (first == 0xED)
        high = 0x9F;
    else if (first == 0xF0)
        low = 0x90;
    else if (first == 0xF4)
        high = 0x8F;
    if (text[1] < low || text[1] > high)
        return 0;
    for (size_t i = 2; i < size; i++)
        if (text[i] < 0x80 || text[i] > 0xBF)
            return 0;
    return size;
}

/* C0, DEL, and C1: a terminal that shows the log obeys them all. */
static bool character_is_control(const unsigned char *text)
{
    return text[0] < 0x20 || text[0] == 0x7F || (text[0] == 0xC2 && text[1] < 0xA0);
}

static void line_add_escape(struct line *line, const unsigned char *text, size_t size)
{
    char escape[8];
    int length;

    if (log_form == LOG_JSON && size > 0) {
        unsigned code = size == 2 ? text[1] : text[0];

        length = snprintf(escape, sizeof(escape), "\\u%04x", code);
        line_add(line, escape, (size_t)length);
        return;
    }
    for (size_t i = 0; i < (size == 0 ? 1 : size); i++) {
        length = snprintf(escape, sizeof(escape), "%s\\x%02x", log_form == LOG_JSON ? "\\" : "",
                          text[i]);
        line_add(line, escape, (size_t)length);
    }
}

static void line_add_escaped(struct line *line, const char *message)
{
    const unsigned char *text = (const unsigned char *)message;

    while (*text != '\0' && !line->full) {
        size_t size = character_size(text);

        if (size == 0 || character_is_control(text)) {
            line_add_escape(line, text, size);
            text += size == 0 ? 1 : size;
            continue;
        }
        if (log_form == LOG_JSON && (*text == '"' || *text == '\\'))
            line_add(line, "\\", 1);
        line_add(line, (const char *)text, size);
        text += size;
    }
}

static void line_add_head(struct line *line, enum log_level level, const char *event)
{
    int64_t now = clock_wall_milliseconds();
    time_t seconds = (time_t)(now / 1000);
    struct tm calendar;
    char text[128], time_text[32], slot[32] = "";
    bool json = log_form == LOG_JSON;

    gmtime_r(&seconds, &calendar);
    strftime(time_text, sizeof(time_text), "%Y-%m-%dT%H:%M:%S", &calendar);
    if (log_slot >= 0)
        snprintf(slot, sizeof(slot), json ? "\"slot\":%d," : "/%d", log_slot);
    snprintf(text, sizeof(text),
             json ? "{\"time\":\"%s.%03dZ\",\"level\":\"%s\",\"role\":\"%s\",%s\"pid\":%d,"
                  : "%s.%03dZ %s %s%s[%d] ",
             time_text, (int)(now % 1000), level_names[level], log_role, slot, (int)getpid());
    line_add_text(line, text);
    line_add_text(line, json ? "\"event\":\"" : "");
    line_add_text(line, event);
    line_add_text(line, json ? "\",\"message\":\"" : ": ");
}

/* One write a line: O_APPEND then keeps lines of several processes whole, and a pipe takes all of
 * it or nothing. Master's pipes do not block (master/log_file.h); of what else stands there, only
 * what is writable is written to. */
static bool line_send(const struct line *line)
{
    struct pollfd output = {.fd = STDERR_FILENO, .events = POLLOUT};
    ssize_t count;

    if (poll(&output, 1, 0) == 0)
        return false;
    do {
        count = write(STDERR_FILENO, line->bytes, line->size);
    } while (count < 0 && errno == EINTR);
    return count >= 0 || errno != EAGAIN;
}

static bool log_line(enum log_level level, const char *event, const char *message)
{
    struct line line = {.size = 0};

    line_add_head(&line, level, event);
    line_add_escaped(&line, message);
    if (log_form == LOG_JSON) {
        memcpy(line.bytes + line.size, "\"}", 2);
        line.size += 2;
    }
    line.bytes[line.size++] = '\n';
    return line_send(&line);
}

/* Whether nothing is left to tell. */
static bool log_tell_lost(void)
{
    char message[64];

    if (log_lost_new == 0)
        return true;
    snprintf(message, sizeof(message), "%llu lines: nobody took them",
             (unsigned long long)log_lost_new);
    if (!log_line(LOG_WARNING, "log_lost", message))
        return false;
    log_lost_new = 0;
    return true;
}

void log_write(enum log_level level, const char *event, const char *format, ...)
{
    int saved = errno;
    char message[LINE_MAX_BYTES];
    va_list arguments;

    if (!log_enabled(level))
        return;
    va_start(arguments, format);
    if (vsnprintf(message, sizeof(message), format, arguments) < 0)
        message[0] = '\0';
    va_end(arguments);
    if (!log_tell_lost() || !log_line(level, event, message)) {
        log_lost_all++;
        log_lost_new++;
    }
    errno = saved;
}
