/* time_text.h: times as the commands show them. Pure but for the local time zone. */
#ifndef GATEHOUSE_MASTER_TIME_TEXT_H
#define GATEHOUSE_MASTER_TIME_TEXT_H

#include <stdint.h>

enum { TIME_TEXT_SIZE = 40, TIME_SPAN_SIZE = 24 };

/* RFC 3339 with the local offset: "2026-03-01T09:30:00+01:00"; "-" for 0 and what is no time. */
void time_text_local(int64_t seconds, char out[TIME_TEXT_SIZE]);
/* RFC 3339 in UTC: "2026-03-01T08:30:00Z". */
void time_text_utc(int64_t seconds, char out[TIME_TEXT_SIZE]);

/* A length of time by its largest unit, at least two of it: "90s", "45m", "26h", "3d". A negative
 * one counts as 0. */
void time_span(int64_t seconds, char out[TIME_SPAN_SIZE]);
/* "45m ago", "in 45m"; "-" for the time 0. */
void time_relative(int64_t seconds, int64_t now, char out[TIME_SPAN_SIZE]);

#endif
