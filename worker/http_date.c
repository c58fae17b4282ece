#include "worker/http_date.h"

#include <string.h>
#include <time.h>

static void date_digits(char *out, int value, int digits)
{
    for (int i = digits - 1; i >= 0; i--) {
        out[i] = (char)('0' + value % 10);
        value /= 10;
    }
}

void http_date(int64_t seconds, char out[HTTP_DATE_SIZE])
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    time_t when = (time_t)seconds;
    struct tm date;

    memcpy(out, "Thu, 01 Jan 1970 00:00:00 GMT", HTTP_DATE_SIZE);
    if (gmtime_r(&when, &date) == NULL)
        return;
    memcpy(out, days + 3 * date.tm_wday, 3);
    date_digits(out + 5, date.tm_mday, 2);
    memcpy(out + 8, months + 3 * date.tm_mon, 3);
    date_digits(out + 12, date.tm_year + 1900, 4);
    date_digits(out + 17, date.tm_hour, 2);
    date_digits(out + 20, date.tm_min, 2);
    date_digits(out + 23, date.tm_sec, 2);
}
