/* http_date.h: times as HTTP writes them (RFC 9110, 5.6.7). Pure; knows no locale. */
#ifndef GATEHOUSE_WORKER_HTTP_DATE_H
#define GATEHOUSE_WORKER_HTTP_DATE_H

#include <stdint.h>

enum { HTTP_DATE_SIZE = 30 }; /* bytes, with the NUL */

/* "Sun, 06 Nov 1994 08:49:37 GMT". `seconds`: since 1970, within the years 0 to 9999. */
void http_date(int64_t seconds, char out[HTTP_DATE_SIZE]);

#endif
