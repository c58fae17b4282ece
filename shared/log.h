/* log.h: one line an event, on standard error, as text or as JSON.
 *
 * Master gives every process a standard error that leads to the configured log (a file, or its own
 * standard error); log_reopen puts a new file there. A line carries time, level, role, pid, the
 * event's name (lower_case, stable: operators search for it) and a sentence. Control characters
 * and invalid UTF-8 in it are escaped, so that no input can forge a line.
 * Best effort, and never needs memory: a line over 4 KiB is cut. Keeps errno.
 * Never waits: when standard error is a pipe, a socket or a terminal that takes nothing just now,
 * the line is dropped and counted, and the next one that gets through is preceded by one that says
 * how many were (event log_lost).
 * Never given a token, a key, a cookie or a body.
 */
#ifndef GATEHOUSE_SHARED_LOG_H
#define GATEHOUSE_SHARED_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_TEXT, LOG_JSON };

/* Who speaks: the role ("master", "worker", ...) and, when slot >= 0, which one. `role` is kept,
 * not copied: a literal. */
void log_identify(const char *role, int slot);

void log_configure(enum log_level level, enum log_format format);

/* Makes `fd` the log (dup2 on standard error) and closes it. 0 or -errno. */
int log_reopen(int fd);

bool log_enabled(enum log_level level);

/* Lines of this process that were dropped. */
uint64_t log_lost(void);

void log_write(enum log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define log_error(...) log_write(LOG_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_WARNING, __VA_ARGS__)
#define log_info(...) log_write(LOG_INFO, __VA_ARGS__)
#define log_debug(...)                         \
    do {                                       \
        if (log_enabled(LOG_DEBUG))            \
            log_write(LOG_DEBUG, __VA_ARGS__); \
    } while (0)

#endif
