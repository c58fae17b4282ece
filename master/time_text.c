#include "master/time_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static void time_text_format(const struct tm *calendar, const char *format,
                             char out[TIME_TEXT_SIZE])
{
    if (calendar == NULL || strftime(out, TIME_TEXT_SIZE, format, calendar) == 0)
        memcpy(out, "-", 2);
}

void time_text_local(int64_t seconds, char out[TIME_TEXT_SIZE])
{
    time_t time = (time_t)seconds;
    struct tm calendar;
    size_t size;

    time_text_format(seconds == 0 ? NULL : localtime_r(&time, &calendar), "%Y-%m-%dT%H:%M:%S%z",
                     out);
    /* strftime writes +0100; RFC 3339 wants a colon. */
    size = strlen(out);
    if (size < 5 || size + 2 > TIME_TEXT_SIZE)
        return;
    memmove(out + size - 1, out + size - 2, 3);
    out[size - 2] = ':';
}

void time_text_utc(int64_t seconds, char out[TIME_TEXT_SIZE])
{
    time_t time = (time_t)seconds;
    struct tm calendar;

    time_text_format(gmtime_r(&time, &calendar), "%Y-%m-%dT%H:%M:%SZ", out);
}

void time_span(int64_t seconds, char out[TIME_SPAN_SIZE])
{
    static const struct {
        char name;
        int64_t size;
    } units[] = {{'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}};
    size_t i = 0;

    if (seconds < 0)
        seconds = 0;
    while (units[i].size > 1 && seconds < 2 * units[i].size)
        i++;
    snprintf(out, TIME_SPAN_SIZE, "%" PRId64 "%c", seconds / units[i].size, units[i].name);
}

void time_relative(int64_t seconds, int64_t now, char out[TIME_SPAN_SIZE])
{
    char span[TIME_SPAN_SIZE];

    if (seconds == 0) {
        memcpy(out, "-", 2);
        return;
    }
    time_span(seconds > now ? seconds - now : now - seconds, span);
    /* A span of 64 bits is never as long as the room less these words. */
    if (seconds > now)
        snprintf(out, TIME_SPAN_SIZE, "in %.18s", span);
    else
        snprintf(out, TIME_SPAN_SIZE, "%.18s ago", span);
}
