#include "conf/timestamp.h"

/* Takes exactly `count` digits that make a number in [low, high]. */
static bool take_number(struct slice *text, size_t count, int low, int high, int *out)
{
    *out = 0;
    if (text->size < count)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (text->data[i] < '0' || text->data[i] > '9')
            return false;
        *out = *out * 10 + (text->data[i] - '0');
    }
    *text = slice_skip(*text, count);
    return *out >= low && *out <= high;
}

static bool take_byte(struct slice *text, char lower, char upper)
{
    if (text->size == 0 || (text->data[0] != lower && text->data[0] != upper))
        return false;
    *text = slice_skip(*text, 1);
    return true;
}

static int days_of_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return month == 2 && leap ? 29 : days[month - 1];
}

/* Days from 1970-01-01 to the first of a year of 1970 or later. */
static int64_t days_before_year(int year)
{
    int64_t past = year - 1;

    return (year - 1970) * INT64_C(365) + (past / 4 - 492) - (past / 100 - 19) + (past / 400 - 4);
}

static bool take_date(struct slice *text, int64_t *days)
{
    int year, month, day;

    if (!take_number(text, 4, 1970, 9999, &year) || !take_byte(text, '-', '-') ||
        !take_number(text, 2, 1, 12, &month) || !take_byte(text, '-', '-') ||
        !take_number(text, 2, 1, days_of_month(year, month), &day))
        return false;
    *days = days_before_year(year) + day - 1;
    for (int before = 1; before < month; before++)
        *days += days_of_month(year, before);
    return true;
}

static bool take_fraction(struct slice *text)
{
    int digit;

    if (!take_byte(text, '.', '.'))
        return true;
    if (!take_number(text, 1, 0, 9, &digit))
        return false;
    while (take_number(text, 1, 0, 9, &digit))
        ;
    return true;
}

static bool take_time(struct slice *text, int64_t *seconds)
{
    int hour, minute, second;

    if (!take_number(text, 2, 0, 23, &hour) || !take_byte(text, ':', ':') ||
        !take_number(text, 2, 0, 59, &minute) || !take_byte(text, ':', ':') ||
        !take_number(text, 2, 0, 60, &second) || !take_fraction(text))
        return false;
    *seconds = hour * 3600 + minute * 60 + second;
    return true;
}

static bool take_offset(struct slice *text, int64_t *seconds)
{
    int hour, minute;
    bool east;

    *seconds = 0;
    if (take_byte(text, 'z', 'Z'))
        return true;
    east = text->size > 0 && text->data[0] == '+';
    if (!take_byte(text, '+', '-') || !take_number(text, 2, 0, 23, &hour) ||
        !take_byte(text, ':', ':') || !take_number(text, 2, 0, 59, &minute))
        return false;
    *seconds = (hour * 3600 + minute * 60) * (east ? 1 : -1);
    return true;
}

bool timestamp_read(struct slice text, int64_t *seconds)
{
    int64_t days, time, offset;

    if (!take_date(&text, &days) || !take_byte(&text, 't', 'T') || !take_time(&text, &time) ||
        !take_offset(&text, &offset) || text.size > 0)
        return false;
    *seconds = days * 86400 + time - offset;
    return *seconds >= 0;
}
