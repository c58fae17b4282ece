/* json_number.h: JSON numbers as text (RFC 8259, 6), without floating point. Pure.
 *
 * Called by json.c and by the judge of argument conditions; others read numbers through json.h.
 */
#ifndef GATEHOUSE_SHARED_JSON_NUMBER_H
#define GATEHOUSE_SHARED_JSON_NUMBER_H

#include "shared/slice.h"

#include <stdint.h>

/* Past the number that begins at `at`; NULL when there is none. */
const char *json_number_skip(const char *at, const char *end);

/* Of a number that json_number_skip accepted whole. No fraction, no exponent, within int64; else
 * -EINVAL. */
int json_number_integer(struct slice text, int64_t *out);
/* A number that is an integer by its value (42, 42.0, 4.2e1), from -2^53+1 to 2^53-1, where every
 * reader agrees on it; else -EINVAL. */
int json_number_safe(struct slice text, int64_t *out);
/* A non-negative number below 2^53; a fraction is cut off. Else -EINVAL. */
int json_number_date(struct slice text, int64_t *out);
/* Whether two numbers are the same, however they are written: 1, 1.0 and 10e-1. Exact. */
bool json_number_equal(struct slice a, struct slice b);

#endif
